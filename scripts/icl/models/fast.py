"""The parts that the fast steps on a CPU share: rows of a table, the MLP, kept buffers.

Their arithmetic is that of the models' `logits`, which are the place to read it, and of plain SGD;
tests hold the two together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
import torch

from icl.job import Job, Model
from icl.kernels import loops
from icl.kernels.compiled import MARGIN, padded_width
from icl.models.layers import Parameters
from icl.task import draws
from icl.task.draws import Dataset, Sequences
from icl.task.streams import NormalRows, Purpose

SEQUENCES_OF_FAST_PASS = 500  # at once: bounds the memory of a forward pass
# Packs one replicate's items (K, D), times a factor, and labels (K,) into rows (K, P).
Pack = Callable[[torch.Tensor, torch.Tensor, float, torch.Tensor], None]


def buffer(*shape: int) -> torch.Tensor:
    """Make a float32 tensor to be filled and kept, with a margin around it."""
    n = prod(shape)
    return torch.empty(n + 2 * MARGIN, dtype=torch.float32)[MARGIN : MARGIN + n].view(shape)


@dataclass(frozen=True)
class Rows:
    """A dataset as rows that compiled loops read.

    Attributes:
        rows: (R, K, P): of `loops.pack_tokens`, or of `loops.pack_items`.
        labels: (R, K), +1 or -1.
    """

    rows: torch.Tensor
    labels: torch.Tensor

    def select(self, replicates: torch.Tensor) -> "Rows":
        """Keep the replicates."""
        return Rows(self.rows[replicates], self.labels[replicates])


def embed(dataset: Dataset, pack: Pack) -> Rows:
    """Make what a step looks tokens up in, as the models' `embed` do."""
    n_replicates, n_items, item_dim = dataset.items.shape
    rows = buffer(n_replicates, n_items, padded_width(item_dim + 1))
    for items, labels, to in zip(dataset.items, dataset.labels, rows, strict=True):
        pack(items.contiguous(), labels, 1.0, to)
    return Rows(rows, dataset.labels)


class Redraw:
    """Draws `draws.redrawn_dataset` as rows, which the next draw overwrites."""

    def __init__(self, job: Job, pack: Pack):
        self.task, self.item_dim, self.pack = job.task, job.model.item_dim, pack
        self.normal, self.rows = None, None

    def __call__(self, seeds: torch.Tensor, step: int) -> Rows:
        """Draw the dataset of a step for each seed."""
        n_items, dim = self.task.redrawn_items, self.item_dim
        if self.rows is None or len(self.rows) != len(seeds):
            self.normal = NormalRows(n_items * dim)
            self.rows = buffer(len(seeds), n_items, padded_width(dim + 1))
        labels = draws.draw_labels(
            seeds, Purpose.REDRAWN_LABELS, step, n_items, self.task.item_labels
        )
        for r, to in enumerate(self.rows):
            items = self.normal.draw(seeds[r : r + 1], Purpose.REDRAWN_ITEMS, step)
            self.pack(items.view(n_items, dim), labels[r], 1 / sqrt(dim), to)
        return Rows(self.rows, labels)


class InParts:
    """A forward pass over any number of sequences, in parts whose buffers are kept.

    Args:
        make: (R, B, N) -> the object that computes B sequences, which has `logits(parameters,
            tables, sequences, first, out)`.
    """

    def __init__(self, make: Callable[[tuple[int, int, int]], object]):
        self.make, self.n_replicates, self.made = make, 0, {}

    def part(self, shape: tuple[int, int, int]):
        """Return the object that computes a part of this shape, kept until a replicate leaves."""
        if shape[0] != self.n_replicates:
            self.n_replicates, self.made = shape[0], {}
        if shape not in self.made:
            self.made[shape] = self.make(shape)
        return self.made[shape]

    def __call__(
        self, parameters: Parameters, tables: Rows, sequences: Sequences, model: Model
    ) -> torch.Tensor:
        """Compute the logits (R, B); the model is the job's."""
        n_replicates, n_sequences, length = sequences.context.shape
        out = buffer(n_replicates, n_sequences)
        for first in range(0, n_sequences, SEQUENCES_OF_FAST_PASS):
            n = min(SEQUENCES_OF_FAST_PASS, n_sequences - first)
            part = self.part((n_replicates, n, length))
            part.logits(parameters, tables, sequences, first, out)
        return out

    def train(self, parameters: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Do one step of SGD on one batch, which is one part: a `Step`."""
        self.part(tuple(sequences.context.shape)).step(parameters, tables, sequences)


class BatchStep:
    """A step on a batch, whose `_forward` fills its buffers up to the MLP's hidden layers."""

    mlp: "FusedMLP"

    def logits(
        self, p: Parameters, tables: Rows, sequences: Sequences, first: int, out: torch.Tensor
    ) -> None:
        """Fill out[:, first : first + B], of logits (R, all)."""
        self._forward(p, tables, sequences, first)
        self.mlp.read_out(p, out, first)


class FusedMLP:
    """The MLP of R replicates on B inputs, in buffers that it keeps.

    Weights are updated inside the products that would have made their gradients.

    Attributes:
        u: (R, B, in), the input.
        others: (R, B), what else adds to the logit; 0 unless a model fills it.
        labels: (R, B), of the targets.
        hidden1: (R, B, d), activations.
        hidden2: (R, B, d), products, before their bias.
        logit_gradient: (R, B), once trained.
        u_gradient: (R, B, in), once trained, for a model that goes on from it.
    """

    def __init__(self, rows: tuple[int, int], width: int, hidden_dim: int):
        self.u, self.u_gradient = buffer(*rows, width), buffer(*rows, width)
        self.labels, self.logit_gradient = buffer(*rows), buffer(*rows)
        self.others = torch.zeros(rows)
        self.hidden1, self.hidden2 = buffer(*rows, hidden_dim), buffer(*rows, hidden_dim)
        self.hidden_gradient = None  # made when training

    def forward(self, p: Parameters) -> None:
        """Fill the hidden layers from u."""
        torch.bmm(self.u, p["hidden1"].mT, out=self.hidden1)
        loops.add_bias_relu(self.hidden1.numpy(), p["hidden1_bias"].numpy())
        torch.bmm(self.hidden1, p["hidden2"].mT, out=self.hidden2)

    def read_out(self, p: Parameters, logits: torch.Tensor, first: int) -> None:
        """Fill logits[:, first : first + B] after `forward`."""
        loops.read_out(
            self.hidden2.numpy(),
            p["hidden2_bias"].numpy(),
            p["readout"].numpy(),
            p["readout_bias"].numpy(),
            self.others.numpy(),
            first,
            logits.numpy(),
        )

    def train(self, p: Parameters, keep: float, rate: float, pass_on: bool = True) -> None:
        """Update the MLP after `forward`, and fill `u_gradient` if it is to be passed on.

        Args:
            keep: 1 - rate * weight decay.
            rate: the learning rate.
            pass_on: whether u depends on parameters.
        """
        if self.hidden_gradient is None:
            self.hidden_gradient = buffer(*self.hidden1.shape)
        sgd = (np.float32(keep), np.float32(rate))
        loops.train_readout(
            self.hidden2.numpy(),
            p["hidden2_bias"].numpy(),
            p["readout"].numpy(),
            p["readout_bias"].numpy(),
            self.labels.numpy(),
            self.others.numpy(),
            *sgd,
            self.logit_gradient.numpy(),
        )
        torch.bmm(self.hidden2, p["hidden2"], out=self.hidden_gradient)
        p["hidden2"].baddbmm_(self.hidden2.mT, self.hidden1, beta=keep, alpha=-rate)
        loops.relu_backward(
            self.hidden_gradient.numpy(), self.hidden1.numpy(), p["hidden1_bias"].numpy(), *sgd
        )
        if pass_on:
            torch.bmm(self.hidden_gradient, p["hidden1"], out=self.u_gradient)
        p["hidden1"].baddbmm_(self.hidden_gradient.mT, self.u, beta=keep, alpha=-rate)
