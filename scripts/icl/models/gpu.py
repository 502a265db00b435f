"""The parts that the fast steps on a GPU share: tables, the MLP, a forward pass in parts.

Their arithmetic is that of the models' `logits`, which are the place to read it, and of plain SGD;
tests hold the two together. Nothing here waits for the device or depends on its data, so that a
step can be captured as a CUDA graph.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from icl.job import Model
from icl.kernels import products
from icl.kernels.gpu import mlp as kernels
from icl.kernels.gpu.tokens import look_up
from icl.models.layers import Parameters
from icl.models.sgd import Descent
from icl.task.draws import Sequences

SEQUENCES_OF_PASS = 512  # at once: bounds the memory of a forward pass


@dataclass(frozen=True)
class Rows:
    """A dataset as the kernels read it."""

    rows: Tensor  # (R, K, P), of a context
    targets: Tensor  # (R, K, E), of targets
    labels: Tensor  # (R, K), +1 or -1

    def select(self, replicates: Tensor) -> "Rows":
        """Keep the replicates."""
        return Rows(*(x[replicates] for x in (self.rows, self.targets, self.labels)))

    def look_up(self, target: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens (R, B, E) and labels (R, B) of targets (R, B)."""
        tokens = self.targets.new_empty(*target.shape, self.targets.shape[-1])
        labels = self.labels.new_empty(target.shape)
        look_up(self.targets, self.labels, target.contiguous(), tokens, labels)
        return tokens, labels


class MLP:
    """The MLP of R replicates on B inputs u (R, B, in).

    Weights are updated inside the products that would have made their gradients.
    """

    def __init__(self, sgd: Descent, pass_on: bool = False):
        self.sgd, self.pass_on = sgd, pass_on

    def forward(self, p: Parameters, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return (R, B, d) twice: activations, and products of the second layer."""
        hidden1 = products.multiply(u, p["hidden1"].mT)
        kernels.add_bias_relu(hidden1, p["hidden1_bias"])
        return hidden1, products.multiply(hidden1, p["hidden2"].mT)

    def logits(self, p: Parameters, u: Tensor, others: Tensor | None = None) -> Tensor:
        """Return the logits (R, B), with what else adds to them."""
        out = u.new_empty(u.shape[:2])
        kernels.read_out(self.forward(p, u)[1], _last(p), others, None, out)
        return out

    def train(
        self, p: Parameters, u: Tensor, labels: Tensor, others: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Do a step of SGD; return the gradients of the logits (R, B) and of u, if passed on."""
        hidden1, hidden2 = self.forward(p, u)
        numbers = self.sgd.keep, self.sgd.rate
        gradient = torch.empty_like(labels)
        kernels.read_out(hidden2, _last(p), others, labels, gradient)
        kernels.read_out_backward(hidden2, _last(p), gradient, *numbers)
        of_hidden1 = products.multiply(hidden2, p["hidden2"])
        self.sgd.hidden_product(p["hidden2"], hidden2.mT, hidden1)
        kernels.relu_backward(of_hidden1, hidden1, p["hidden1_bias"], *numbers)
        u_gradient = products.multiply(of_hidden1, p["hidden1"]) if self.pass_on else None
        self.sgd.hidden_product(p["hidden1"], of_hidden1.mT, u)
        return gradient, u_gradient


def _last(p: Parameters) -> tuple[Tensor, Tensor, Tensor]:
    return p["hidden2_bias"], p["readout"], p["readout_bias"]


class Step(Protocol):
    """A model's forward pass and step of plain SGD, made from its job."""

    def logits(self, p: Parameters, tables: Rows, sequences: Sequences) -> Tensor:
        """Compute logits (R, B)."""

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""


def in_parts(
    step: Step, parameters: Parameters, tables: Rows, sequences: Sequences, model: Model
) -> Tensor:
    """Compute the logits (R, B) of any number of sequences; the model is the job's."""
    context = sequences.context.split(SEQUENCES_OF_PASS, dim=1)
    target = sequences.target.split(SEQUENCES_OF_PASS, dim=1)
    parts = (Sequences(c.contiguous(), t) for c, t in zip(context, target, strict=True))
    return torch.cat([step.logits(parameters, tables, part) for part in parts], dim=1)
