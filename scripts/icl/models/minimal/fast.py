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
from icl.models.fast import Rows, Shape, buffers, run
from icl.models.layers import Parameters
from icl.models.mlp.fast import ItemStep, pack, unpack
from icl.task.draws import Sequences

__all__ = ["ItemStep", "Step", "pack", "unpack"]


class Step(ItemStep):
    """Forward pass, and a step of plain SGD, of the minimal model."""

    def __init__(self, job: Job, shape: Shape):
        super().__init__(job, shape)
        self.head = attention(padded_width(job.model.item_dim + 1)).head
        self.read, self.read_slope = buffers(2, *shape[:2])
        decays = self.decay.of("w"), self.decay.of("beta")
        self.keep_head = np.array([1 - self.of_attention.rate * of for of in decays], np.float32)

    def _forward(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        super()._forward(p, tables, sequences, first)
        found = self.read, self.read_slope
        run(self.head, tables.rows, sequences.context, first, self.items, p["beta"], *found)
        torch.mul(p["w"][:, None], self.read, out=self.mlp.others)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        super().step(p, tables, sequences)
        found = self.read, self.read_slope, self.mlp.logit_gradient
        run(
            loops.train_head,
            p["w"],
            p["beta"],
            *found,
            self.keep_head,
            self.of_attention.numbers[1],
        )
