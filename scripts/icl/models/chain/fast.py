"""The chain on a CPU: hand-written gradients around the one-layer transformer's attention.

The arithmetic is that of `network.logits` and of plain SGD; tests hold them together. The chain is
one number for all sequences, so its own products are of vectors.
"""

import torch

from icl.job import Job
from icl.kernels import products
from icl.models.chain.network import PASSED
from icl.models.fast import Rows, Shape, buffer
from icl.models.layers import Parameters
from icl.models.one_layer import fast as whole
from icl.models.one_layer.fast import pack, unpack
from icl.task.draws import Sequences

__all__ = ["Step", "pack", "unpack"]


class Step(whole.Step):
    """Forward pass, and a step of plain SGD, of R replicates on B sequences.

    Attributes:
        label: (R, B), rho, what attention reads of labels.
        difference: (2, 1), takes V's two columns to what V answers to rho.
    """

    def __init__(self, job: Job, shape: Shape):
        super().__init__(job, shape)
        self.label = buffer(*shape[:2])
        self.difference = torch.tensor([[0.5], [-0.5]])

    def _read(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        self.attend(p, tables, sequences, first)
        torch.sub(self.read[..., -2], self.read[..., -1], out=self.label)

    def _along(self, p: Parameters) -> tuple[torch.Tensor, ...]:
        """Compute V's answer (R, E, 1), what each layer makes of it, and the gain (R, 1)."""
        answer = p["value"] @ self.difference
        hidden1 = PASSED * products.multiply(p["hidden1"], answer)
        hidden2 = PASSED * products.multiply(p["hidden2"], hidden1)
        return answer, hidden1, hidden2, torch.bmm(p["readout"], hidden2)[..., 0]

    def logits(
        self, p: Parameters, tables: Rows, sequences: Sequences, first: int, out: torch.Tensor
    ) -> None:
        """Fill out[:, first : first + B], of logits (R, all)."""
        self._read(p, tables, sequences, first)
        gain = self._along(p)[-1]
        torch.mul(gain, self.label, out=out[:, first : first + self.label.shape[1]])

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        self._read(p, tables, sequences, 0)
        answer, hidden1, hidden2, gain = self._along(p)
        labels = self.mlp.labels
        error = -labels * torch.sigmoid(-labels * gain * self.label) / labels.shape[1]  # (R, B)
        of_readout = (error * self.label).sum(1)[:, None, None]  # gradient of the gain
        of_hidden2 = PASSED * p["readout"].mT * of_readout
        of_hidden1 = PASSED * products.multiply(p["hidden2"].mT, of_hidden2)
        of_answer = products.multiply(p["hidden1"].mT, of_hidden1)
        self.of_mlp.product(p["readout"], of_readout, hidden2.mT)
        self.of_mlp.hidden_product(p["hidden2"], of_hidden2, hidden1.mT)
        self.of_mlp.hidden_product(p["hidden1"], of_hidden1, answer.mT)
        self.of_attention.add(p["value"], of_answer @ self.difference.mT)
        self.read_gradient.zero_()
        self.read_gradient[..., -2] = gain * error
        self.read_gradient[..., -1] = -gain * error
        self._find_query_gradient(tables, sequences)
        self._train_query_and_key(p)
