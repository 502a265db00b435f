"""Adam, on the gradients that an arithmetic's step of SGD makes."""

from dataclasses import replace

import torch

from icl.engine.steps import Step
from icl.job import Job, WeightDecay
from icl.models import loading
from icl.models.layers import Parameters
from icl.task.draws import Sequences, Tables
from icl.task.streams import StepIndex

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # PyTorch's and the authors' own
LARGE_RATE = 2.0**20  # of a step from which the gradient is read: rounding of weights is lost in it


def with_large_steps(job: Job) -> Job:
    """Return the job by whose step of SGD a gradient is read off."""
    sgd = replace(
        job.optimiser,
        learning_rate=LARGE_RATE,
        mlp_learning_rate=None,
        weight_decay=WeightDecay(0.0, 0.0),
    )
    return replace(job, optimiser=sgd)


class Adam:
    """Adam on all parameters, each group at its own rate and decay.

    Every arithmetic can do a step of SGD and not every one forms a gradient. So one large step is
    done from a copy of the weights, and how far it goes is the gradient. Decay is added to the
    gradient, as in PyTorch's `Adam`.

    Attributes:
        first, second: parameter name -> running mean of its gradient, and of its square.

    Source: Kingma and Ba 2015, algorithm 1.
    """

    def __init__(self, job: Job, parameters: Parameters, large_step: Step):
        self.large_step = large_step  # of `with_large_steps`
        self.optimiser, self.groups = job.optimiser, loading.network(job.model.name).GROUPS
        self.first = {name: torch.zeros_like(p) for name, p in parameters.items()}
        self.second = {name: torch.zeros_like(p) for name, p in parameters.items()}

    def gradients(self, parameters: Parameters, tables: Tables, sequences: Sequences) -> Parameters:
        """Compute the gradients of each replicate's mean loss, decay aside."""
        moved = {name: p.clone() for name, p in parameters.items()}
        self.large_step(moved, tables, sequences)
        return {name: (p - moved[name]) / LARGE_RATE for name, p in parameters.items()}

    def step(
        self, parameters: Parameters, tables: Tables, sequences: Sequences, step: StepIndex
    ) -> None:
        """Train the parameters on one batch, in place; steps are counted from 0."""
        gradients = self.gradients(parameters, tables, sequences)
        # Of the mean of steps 0 to `step` these shares are not yet there.
        share1, share2 = 1 - BETA1 ** (step + 1), 1 - BETA2 ** (step + 1)
        for name, p in parameters.items():
            rate = self.optimiser.rate_of(self.groups[name])
            decay = self.optimiser.weight_decay.of(self.groups[name])
            gradient = gradients[name] + decay * p
            first, second = self.first[name], self.second[name]
            first.lerp_(gradient, 1 - BETA1)
            second.mul_(BETA2).addcmul_(gradient, gradient, value=1 - BETA2)
            p.sub_(rate / share1 * first / ((second / share2).sqrt_() + EPSILON))

    def keep(self, rows: torch.Tensor) -> None:
        """Let the other replicates leave."""
        for moments in (self.first, self.second):
            moments.update({name: m[rows].contiguous() for name, m in moments.items()})
