"""The MLP alone on a CPU: its step by hand.

The arithmetic is that of `network.logits` and of plain SGD; tests hold them together. Items are
data, so that the gradient of the MLP's input is not needed.
"""

import numpy as np
import torch

from icl.job import Job
from icl.kernels import loops
from icl.models.fast import BatchStep, FusedMLP, Rows, buffer
from icl.models.layers import Parameters
from icl.models.one_layer.network import LAYERNORM_EPSILON
from icl.task.draws import Dataset, Sequences

EPSILON = np.float32(LAYERNORM_EPSILON)


def pack(items: torch.Tensor, labels: torch.Tensor, scale: float, rows: torch.Tensor):
    """Pack one replicate's items as they are."""
    loops.pack_items(items.numpy(), labels.numpy(), np.float32(scale), rows.numpy())


def unpack(tables: Rows, item_dim: int) -> Dataset:
    """Turn rows back into items."""
    return Dataset(tables.rows[..., :item_dim], tables.labels)


class Step(BatchStep):
    """Forward pass, and a step of plain SGD, of the MLP on the targets' items."""

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
        loops.target_items(
            tables.rows.numpy(),
            sequences.target.numpy(),
            first,
            self.items.numpy(),
            self.mlp.labels.numpy(),
        )
        if self.items is not self.mlp.u:
            loops.normalise_items(self.items.numpy(), EPSILON, self.mlp.u.numpy())
        self.mlp.forward(p)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        self._forward(p, tables, sequences, 0)
        self.mlp.train(p, self.keep_mlp, self.rate, pass_on=False)


ItemStep = Step
