"""The parts that the fast steps on a CPU share: rows of a table, the MLP, kept buffers.

Their arithmetic is that of the models' `logits`, which are the place to read it, and of plain SGD;
tests hold the two together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod, sqrt
from typing import Any

import torch

from icl.job import Job, Model
from icl.kernels import loops, products
from icl.kernels.compiled import MARGIN, padded_width
from icl.models.layers import Parameters
from icl.models.sgd import Descent, of_job
from icl.task import draws
from icl.task.draws import Dataset, Sequences
from icl.task.streams import NormalRows, Purpose, StepIndex

SEQUENCES_OF_FAST_PASS = 500  # at once: bounds the memory of a forward pass
Shape = tuple[int, int, int]  # (R, B, N)
# Packs one replicate's items (K, D), times a factor, and labels (K,) into rows (K, P).
Pack = Callable[[torch.Tensor, torch.Tensor, float, torch.Tensor], None]


def buffer(*shape: int) -> torch.Tensor:
    """Make a float32 tensor to be filled and kept, with a margin around it.

    It takes no memory before it is filled, so that a forward pass may have those of training too.
    """
    n = prod(shape)
    return torch.empty(n + 2 * MARGIN, dtype=torch.float32)[MARGIN : MARGIN + n].view(shape)


def buffers(n: int, *shape: int) -> tuple[torch.Tensor, ...]:
    """Make n buffers of one shape."""
    return tuple(buffer(*shape) for _ in range(n))


def run(loop: Callable[..., None], *arguments: Any) -> None:
    """Run a compiled loop on the memory of the tensors among its arguments."""
    loop(*(a.numpy() if isinstance(a, torch.Tensor) else a for a in arguments))


@dataclass(frozen=True)
class Rows:
    """A dataset as rows that compiled loops read."""

    rows: torch.Tensor  # (R, K, P): of `loops.pack_tokens`, or of `loops.pack_items`
    labels: torch.Tensor  # (R, K), +1 or -1

    def select(self, replicates: torch.Tensor) -> "Rows":
        """Keep the replicates."""
        return Rows(self.rows[replicates], self.labels[replicates])


def embed(dataset: Dataset, pack: Pack) -> Rows:
    """Make the table that a step looks tokens up in."""
    n_replicates, n_items, item_dim = dataset.items.shape
    rows = buffer(n_replicates, n_items, padded_width(item_dim + 1))
    for items, labels, to in zip(dataset.items, dataset.labels, rows, strict=True):
        pack(items.contiguous(), labels, 1.0, to)
    return Rows(rows, dataset.labels)


class Redraw:
    """Draws `draws.redrawn_dataset` as rows, which the next draw overwrites."""

    def __init__(self, job: Job, pack: Pack):
        self.task, self.pack = job.task, pack
        self.shape = job.task.redrawn_items, job.model.item_dim
        self.normal = NormalRows(prod(self.shape))
        self.rows = buffer(len(job.seeds), self.shape[0], padded_width(self.shape[1] + 1))

    def __call__(self, seeds: torch.Tensor, step: StepIndex) -> Rows:
        """Draw the dataset of a step for each seed."""
        n_items, dim = self.shape
        rows = self.rows[: len(seeds)]
        labels = draws.draw_labels(
            seeds, Purpose.REDRAWN_LABELS, step, n_items, self.task.item_labels
        )
        for seed, of_seed, to in zip(seeds.split(1), labels, rows, strict=True):
            items = self.normal.draw(seed, Purpose.REDRAWN_ITEMS, step)
            self.pack(items.view(n_items, dim), of_seed, 1 / sqrt(dim), to)
        return Rows(rows, labels)


class BatchStep:
    """Forward pass, and a step of plain SGD, of R replicates on B sequences."""

    def __init__(self, job: Job, mlp: "FusedMLP"):
        self.mlp = mlp
        self.decay, sgd = job.optimiser.weight_decay, of_job(job)
        self.of_attention, self.of_mlp = sgd("attention"), sgd("mlp")

    def _forward(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        """Fill the buffers, up to the products of the MLP's second hidden layer."""
        raise NotImplementedError

    def logits(
        self, p: Parameters, tables: Rows, sequences: Sequences, first: int, out: torch.Tensor
    ) -> None:
        """Fill out[:, first : first + B], of logits (R, all)."""
        self._forward(p, tables, sequences, first)
        self.mlp.read_out(p, out, first)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        raise NotImplementedError


class InParts:
    """A forward pass over any number of sequences, in parts whose buffers are kept."""

    def __init__(self, make: Callable[[Shape], BatchStep]):
        self.make, self.made = make, dict[Shape, BatchStep]()

    def part(self, n_replicates: int, n_sequences: int, length: int) -> BatchStep:
        """Return the object that computes a part of this shape, kept until a replicate leaves."""
        shape = n_replicates, n_sequences, length
        if shape not in self.made:
            self.made = {of: part for of, part in self.made.items() if of[0] == n_replicates}
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
            self.part(n_replicates, n, length).logits(parameters, tables, sequences, first, out)
        return out

    def train(self, parameters: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Do one step of SGD on one batch, which is one part."""
        self.part(*sequences.context.shape).step(parameters, tables, sequences)


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
        self.u, self.u_gradient = buffers(2, *rows, width)
        self.labels, self.logit_gradient = buffers(2, *rows)
        self.others = torch.zeros(rows)
        self.hidden1, self.hidden2, self.hidden_gradient = buffers(3, *rows, hidden_dim)

    def forward(self, p: Parameters) -> None:
        """Fill the hidden layers from u."""
        products.multiply(self.u, p["hidden1"].mT, out=self.hidden1)
        run(loops.add_bias_relu, self.hidden1, p["hidden1_bias"])
        products.multiply(self.hidden1, p["hidden2"].mT, out=self.hidden2)

    def read_out(self, p: Parameters, logits: torch.Tensor, first: int) -> None:
        """Fill logits[:, first : first + B] after `forward`."""
        last = p["hidden2_bias"], p["readout"], p["readout_bias"]
        run(loops.read_out, self.hidden2, *last, self.others, first, logits)

    def train(self, p: Parameters, sgd: Descent, pass_on: bool = True) -> None:
        """Update the MLP after `forward`, and fill `u_gradient` if it is to be passed on."""
        last = p["hidden2_bias"], p["readout"], p["readout_bias"]
        numbers = sgd.numbers
        answers = self.labels, self.others, *numbers, self.logit_gradient
        run(loops.train_readout, self.hidden2, *last, *answers)
        products.multiply(self.hidden2, p["hidden2"], out=self.hidden_gradient)
        sgd.hidden_product(p["hidden2"], self.hidden2.mT, self.hidden1)
        run(loops.relu_backward, self.hidden_gradient, self.hidden1, p["hidden1_bias"], *numbers)
        if pass_on:
            products.multiply(self.hidden_gradient, p["hidden1"], out=self.u_gradient)
        sgd.hidden_product(p["hidden1"], self.hidden_gradient.mT, self.u)
