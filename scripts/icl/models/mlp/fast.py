"""The MLP alone on a CPU: its step by hand.

The arithmetic is that of `network.logits` and of plain SGD; tests hold them together. Items are
data, so that the gradient of the MLP's input is not needed.
"""

import numpy as np
import torch

from icl.job import Job
from icl.kernels import loops
from icl.models.fast import BatchStep, FusedMLP, Rows, Shape, buffer, run
from icl.models.layers import Parameters
from icl.models.one_layer.network import LAYERNORM_EPSILON
from icl.task.draws import Dataset, Sequences

EPSILON = np.float32(LAYERNORM_EPSILON)


def pack(items: torch.Tensor, labels: torch.Tensor, scale: float, rows: torch.Tensor) -> None:
    """Pack one replicate's items as they are."""
    run(loops.pack_items, items, labels, np.float32(scale), rows)


def unpack(tables: Rows, item_dim: int) -> Dataset:
    """Turn rows back into items."""
    return Dataset(tables.rows[..., :item_dim], tables.labels)


class Step(BatchStep):
    """Forward pass, and a step of plain SGD, of the MLP on the targets' items."""

    def __init__(self, job: Job, shape: Shape):
        rows, dim = shape[:2], job.model.item_dim
        self.normalised = job.model.mlp_input == "normalised"
        super().__init__(job, FusedMLP(rows, dim + 2 * self.normalised, job.model.hidden_dim))
        self.items = buffer(*rows, dim) if self.normalised else self.mlp.u

    def _forward(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        found = self.items, self.mlp.labels
        run(loops.target_items, tables.rows, sequences.target, first, *found)
        if self.normalised:
            run(loops.normalise_items, self.items, EPSILON, self.mlp.u)
        self.mlp.forward(p)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        self._forward(p, tables, sequences, 0)
        self.mlp.train(p, self.of_mlp, pass_on=False)


ItemStep = Step
