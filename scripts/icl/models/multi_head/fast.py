"""The one-layer model with several heads on a CPU: that of one head, once for each."""

import torch

from icl.job import Job
from icl.models.fast import BatchStep, Rows, Shape
from icl.models.layers import Parameters
from icl.models.multi_head.network import of_heads
from icl.models.one_layer import fast as one_layer
from icl.models.one_layer.fast import pack, unpack
from icl.task.draws import Sequences

__all__ = ["Step", "pack", "unpack"]


class Step(BatchStep):
    """Forward pass, and a step of plain SGD, of R replicates on B sequences.

    Attributes:
        heads: a step of the one-layer model each, which share one MLP.
    """

    def __init__(self, job: Job, shape: Shape):
        self.heads = [one_layer.Step(job, shape) for _ in range(job.model.heads)]
        super().__init__(job, self.heads[0].mlp)
        for head in self.heads:
            head.mlp = self.mlp

    def _forward(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        residual = self.heads[0].token
        for head, own in zip(self.heads, of_heads(p, len(self.heads)), strict=True):
            head.attend(own, tables, sequences, first)
            torch.baddbmm(residual, head.read_token, own["value"].mT, out=self.mlp.u)
            residual = self.mlp.u
        self.mlp.forward(p)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        self._forward(p, tables, sequences, 0)
        self.mlp.train(p, self.of_mlp)
        for head, own in zip(self.heads, of_heads(p, len(self.heads)), strict=True):
            head.train_attention(own, tables, sequences)
