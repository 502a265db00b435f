"""The one-layer model on a GPU: hand-written gradients around fused attention.

It is the step of `fast`, with the same names, in a GPU's kernels.
"""

import torch
from torch import Tensor

from icl.job import Job
from icl.kernels.gpu.attention import Attention
from icl.kernels.gpu.tokens import normalise_tokens
from icl.models.gpu import MLP, Rows
from icl.models.layers import Parameters
from icl.models.one_layer import network as one_layer
from icl.models.sgd import Descents
from icl.task.draws import Dataset, Sequences


def embed(dataset: Dataset) -> Rows:
    """Normalise every item's token; of those of contexts, all components but the last are kept."""
    n_replicates, n_items, dim = dataset.items.shape
    rows = dataset.items.new_empty(n_replicates, n_items, dim + 1)
    targets = dataset.items.new_empty(n_replicates, n_items, dim + 2)
    given = dataset.items.contiguous(), dataset.labels.contiguous()
    normalise_tokens(*given, one_layer.LAYERNORM_EPSILON, rows, targets)
    return Rows(rows, targets, dataset.labels)


def unpack(tables: Rows) -> one_layer.Tables:
    """Turn rows back into the tables of `one_layer.network`."""
    labelled = torch.cat((tables.rows, -tables.rows.sum(-1, keepdim=True)), dim=-1)
    return one_layer.Tables(labelled, tables.targets, tables.labels)


class Step:
    """Forward pass, and a step of plain SGD, of R replicates on B sequences."""

    def __init__(self, job: Job, sgd: Descents):
        self.affine = job.model.layernorm_affine
        with_self = job.model.attend_to == "context_and_self"
        self.attention = Attention(job.model.item_dim + 1, zero_sum=True, with_self=with_self)
        self.of_attention = sgd("attention")
        self.mlp = MLP(sgd("mlp"), pass_on=True)

    def _forward(self, p: Parameters, raw: Tensor, tables: Rows, context: Tensor) -> dict:
        """Compute u of eq. 1, and what led to it."""
        token = raw
        if self.affine:
            gain, bias = p["gain"][:, None, :], p["bias"][:, None, :]
            token = torch.addcmul(bias, raw, gain)
        product = torch.bmm(p["query"].mT, p["key"])  # Q^T K: token @ product is K^T Q t'
        query = torch.bmm(token, product)
        scored = query * gain if self.affine else query
        found = self.attention.forward(tables.rows, context, scored, raw)
        read = torch.addcmul(bias, found[0], gain) if self.affine else found[0]
        u = torch.baddbmm(token, read, p["value"].mT)
        return {
            "token": token,
            "product": product,
            "query": query,
            "scored": scored,
            "found": found,
            "read": read,
            "u": u,
        }

    def logits(self, p: Parameters, tables: Rows, sequences: Sequences) -> Tensor:
        """Compute logits (R, B)."""
        raw, _ = tables.look_up(sequences.target)
        return self.mlp.logits(p, self._forward(p, raw, tables, sequences.context)["u"])

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        raw, labels = tables.look_up(sequences.target)
        f = self._forward(p, raw, tables, sequences.context)
        _, u_gradient = self.mlp.train(p, f["u"], labels)
        assert u_gradient is not None  # it is passed on
        sgd = self.of_attention
        read_gradient = torch.bmm(u_gradient, p["value"])
        sgd.product(p["value"], u_gradient.mT, f["read"])
        if self.affine:
            gain = p["gain"][:, None, :]
            gain_gradient = (read_gradient * f["found"][0]).sum(1)
            bias_gradient = read_gradient.sum(1)
            read_gradient = read_gradient * gain
        query_gradient = self.attention.backward(
            tables.rows, sequences.context, f["scored"], raw, f["found"], read_gradient
        )
        if self.affine:
            gain_gradient += (query_gradient * f["query"]).sum(1)
            query_gradient = query_gradient * gain
            token_gradient = torch.baddbmm(u_gradient, query_gradient, f["product"].mT)
            gain_gradient += (token_gradient * raw).sum(1)
            bias_gradient += token_gradient.sum(1)
            sgd.add(p["gain"], gain_gradient)
            sgd.add(p["bias"], bias_gradient)
        product_gradient = torch.bmm(f["token"].mT, query_gradient)
        sgd.query_and_key(p["query"], p["key"], product_gradient, torch.empty_like(p["key"]))
