"""The minimal model on a GPU: a row of its table is an item and its label.

With the query beta x of an item and 0 for the label, the fused attention reads sum_j a_j l_j in the
last component, which is all of it that the logit takes.
"""

import torch
from torch import Tensor
from torch.nn import functional

from icl.job import Job
from icl.kernels.gpu.attention import Attention
from icl.models.gpu import MLP, Rows
from icl.models.layers import Parameters
from icl.models.sgd import Descents
from icl.task.draws import Dataset, Sequences


def embed(dataset: Dataset) -> Rows:
    """Put each item's label behind it, for contexts."""
    rows = torch.cat((dataset.items, dataset.labels[..., None]), dim=-1)
    return Rows(rows, dataset.items, dataset.labels)


def unpack(tables: Rows) -> Dataset:
    """Turn rows back into the dataset."""
    return Dataset(tables.targets, tables.labels)


class Step:
    """Forward pass, and a step of plain SGD, of R replicates on B sequences."""

    def __init__(self, job: Job, sgd: Descents):
        self.attention = Attention(job.model.item_dim + 1, zero_sum=False, with_self=False)
        self.of_beta, self.of_w = sgd("beta"), sgd("w")
        self.mlp = MLP(sgd("mlp"))

    def _attend(
        self, p: Parameters, item: Tensor, tables: Rows, context: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        query = functional.pad(p["beta"][:, None, None] * item, (0, 1))
        return query, self.attention.forward(tables.rows, context, query, query)

    def logits(self, p: Parameters, tables: Rows, sequences: Sequences) -> Tensor:
        """Compute logits (R, B)."""
        item, _ = tables.look_up(sequences.target)
        _, (read, _) = self._attend(p, item, tables, sequences.context)
        return self.mlp.logits(p, item, (p["w"][:, None] * read[..., -1]).contiguous())

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        item, labels = tables.look_up(sequences.target)
        query, found = self._attend(p, item, tables, sequences.context)
        read = found[0][..., -1].contiguous()  # sum_j a_j l_j, (R, B)
        gradient, _ = self.mlp.train(p, item, labels, p["w"][:, None] * read)
        read_gradient = torch.zeros_like(query)
        read_gradient[..., -1] = p["w"][:, None] * gradient
        query_gradient = self.attention.backward(
            tables.rows, sequences.context, query, query, found, read_gradient
        )
        self.of_w.add(p["w"], (gradient * read).sum(1))
        self.of_beta.add(p["beta"], (query_gradient[..., :-1] * item).sum((1, 2)))
