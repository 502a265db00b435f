"""Forward pass and SGD step of a batch of replicates, whichever way is fastest where they run."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from icl import fused
from icl.config import Job
from icl.models import MODELS
from icl.models.layers import Parameters
from icl.tasks import Dataset, Sequences

Step = Callable[[Parameters, object, Sequences], None]


def loss_and_gradients(
    job: Job, parameters: Parameters, tables, sequences: Sequences
) -> tuple[torch.Tensor, Parameters]:
    """Compute each replicate's mean loss, and its gradients, by automatic differentiation.

    The losses are summed over replicates before they are differentiated, so that gradients do not
    mix: no replicate's loss depends on another's parameters.

    Returns:
        The losses (R,) and the gradients, shaped as the parameters.
    """
    model = MODELS[job.model.name]
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    labels = tables.labels.gather(1, sequences.target)
    margin = labels * model.logits(leaves, tables, sequences, job.model)
    losses = functional.softplus(-margin).mean(dim=1)  # -log sigma(l z), averaged over B: (R,)
    gradients = torch.autograd.grad(losses.sum(), list(leaves.values()))
    return losses.detach(), dict(zip(leaves, gradients, strict=True))


def autograd_step(job: Job) -> Step:
    """Make the step that runs everywhere: gradients by autograd, then plain SGD."""
    groups = MODELS[job.model.name].GROUPS
    rate, decay = job.optimiser.learning_rate, job.optimiser.weight_decay

    def step(parameters: Parameters, tables, sequences: Sequences) -> None:
        _, gradients = loss_and_gradients(job, parameters, tables, sequences)
        for name, parameter in parameters.items():
            parameter.mul_(1 - rate * decay.of(groups[name]))
            parameter.add_(gradients[name], alpha=-rate)

    return step


@dataclass(frozen=True)
class Arithmetic:
    """How a job is computed where it runs.

    Attributes:
        embed: dataset -> tables, as the model's own `embed`.
        step: one step of SGD, in place.
        logits: the forward pass, as the model's own `logits`.
    """

    embed: Callable[[Dataset], object]
    step: Step
    logits: Callable[..., torch.Tensor]


def plain(job: Job) -> Arithmetic:
    """Compute by the model's own forward pass and autograd: every model, every device."""
    model = MODELS[job.model.name]
    return Arithmetic(model.embed, autograd_step(job), model.logits)


def choose(job: Job, device: torch.device) -> Arithmetic:
    """Choose the fastest arithmetic for a job on a device."""
    if device.type == "cpu" and job.model.name == "one_layer":
        return Arithmetic(fused.embed, fused.FusedStep(job), fused.logits)
    return plain(job)
