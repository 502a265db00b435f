"""The minimal model and the MLP alone on a CPU: hand-written gradients around compiled loops.

The arithmetic is that of `models.minimal.logits` and `models.mlp.logits`, and of plain SGD; tests
hold them together. Items are data, so that neither needs the gradient of the MLP's input, and the
head's two gradients come out of its forward pass.
"""

import numpy as np
import torch

from icl import kernels
from icl.attention import attention
from icl.compiled import padded_width
from icl.config import Job
from icl.fused import FusedMLP, Rows, buffer
from icl.models.layers import Parameters
from icl.models.one_layer import LAYERNORM_EPSILON
from icl.tasks import Sequences

EPSILON = np.float32(LAYERNORM_EPSILON)


def pack_items(items: torch.Tensor, labels: torch.Tensor, scale: float, rows: torch.Tensor):
    """Pack one replicate's items as they are."""
    kernels.pack_items(items.numpy(), labels.numpy(), np.float32(scale), rows.numpy())


class _OfItems:
    """What the two models share: the MLP on the targets' items."""

    def __init__(self, job: Job, shape: tuple[int, int, int]):
        rows = shape[:2]
        normalised = job.model.mlp_input == "normalised"
        self.mlp = FusedMLP(rows, job.model.item_dim + 2 * normalised, job.model.hidden_dim)
        self.items = buffer(*rows, job.model.item_dim) if normalised else self.mlp.u
        self.rate = job.optimiser.learning_rate
        self.decay = job.optimiser.weight_decay
        self.keep_mlp = 1 - self.rate * self.decay.mlp

    def _forward(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        """Fill the MLP's buffers."""
        kernels.target_items(
            tables.rows.numpy(),
            sequences.target.numpy(),
            first,
            self.items.numpy(),
            self.mlp.labels.numpy(),
        )
        if self.items is not self.mlp.u:
            kernels.normalise_items(self.items.numpy(), EPSILON, self.mlp.u.numpy())
        self.mlp.forward(p)

    def logits(
        self, p: Parameters, tables: Rows, sequences: Sequences, first: int, out: torch.Tensor
    ) -> None:
        """Fill out[:, first : first + B], of logits (R, all)."""
        self._forward(p, tables, sequences, first)
        self.mlp.read_out(p, out, first)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        self._forward(p, tables, sequences, 0)
        self.mlp.train(p, self.keep_mlp, self.rate, pass_on=False)


class MLPAlone(_OfItems):
    """Forward pass, and a step of plain SGD, of the MLP alone."""


class Minimal(_OfItems):
    """Forward pass, and a step of plain SGD, of the minimal model."""

    def __init__(self, job: Job, shape: tuple[int, int, int]):
        super().__init__(job, shape)
        self.head = attention(padded_width(job.model.item_dim + 1)).head
        self.read, self.read_slope = buffer(*shape[:2]), buffer(*shape[:2])
        decays = self.decay.of("w"), self.decay.of("beta")
        self.keep_head = np.array([1 - self.rate * decay for decay in decays], np.float32)

    def _forward(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        super()._forward(p, tables, sequences, first)
        self.head(
            tables.rows.numpy(),
            sequences.context.numpy(),
            first,
            self.items.numpy(),
            p["beta"].numpy(),
            self.read.numpy(),
            self.read_slope.numpy(),
        )
        torch.mul(p["w"][:, None], self.read, out=self.mlp.others)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        super().step(p, tables, sequences)
        kernels.train_head(
            p["w"].numpy(),
            p["beta"].numpy(),
            self.read.numpy(),
            self.read_slope.numpy(),
            self.mlp.logit_gradient.numpy(),
            self.keep_head,
            np.float32(self.rate),
        )
