"""The minimal model on a CPU: hand-written gradients around compiled loops.

The arithmetic is that of `network.logits` and of plain SGD; tests hold them together. The head's
two gradients come out of its forward pass.
"""

import numpy as np
import torch

from icl.job import Job
from icl.kernels import loops
from icl.kernels.attention import attention
from icl.kernels.compiled import padded_width
from icl.models.fast import Rows, buffer
from icl.models.layers import Parameters
from icl.models.mlp.fast import ItemStep, pack, unpack
from icl.task.draws import Sequences

__all__ = ["ItemStep", "Step", "pack", "unpack"]


class Step(ItemStep):
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
        loops.train_head(
            p["w"].numpy(),
            p["beta"].numpy(),
            self.read.numpy(),
            self.read_slope.numpy(),
            self.mlp.logit_gradient.numpy(),
            self.keep_head,
            np.float32(self.rate),
        )
