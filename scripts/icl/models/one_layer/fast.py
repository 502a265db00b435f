"""The one-layer model on a CPU: hand-written gradients around compiled attention.

It is fast because attention never leaves the caches (`attention`), because K^T Q is formed once a
step, because weights are updated inside the products that would have made their gradients, and
because every buffer is kept from step to step.
"""

import numpy as np
import torch

from icl.job import Job
from icl.kernels import loops
from icl.kernels.attention import attention
from icl.kernels.compiled import padded_width
from icl.models.fast import BatchStep, FusedMLP, Rows, Shape, buffer, buffers, run
from icl.models.layers import Parameters
from icl.models.one_layer import network as one_layer
from icl.task.draws import Sequences

EPSILON = np.float32(one_layer.LAYERNORM_EPSILON)


def pack(items: torch.Tensor, labels: torch.Tensor, scale: float, rows: torch.Tensor) -> None:
    """Pack one replicate's normalised tokens."""
    run(loops.pack_tokens, items, labels, np.float32(scale), EPSILON, rows)


def look_up_targets(
    tables: Rows, target: torch.Tensor, first: int, tokens: torch.Tensor, labels: torch.Tensor
) -> None:
    """Fill the tokens (R, B, E) and labels (R, B) of the targets (R, all) from `first` on."""
    run(loops.target_tokens, tables.rows, tables.labels, target, first, EPSILON, tokens, labels)


def unpack(tables: Rows, item_dim: int) -> one_layer.Tables:
    """Turn rows back into the tables of `models.one_layer`."""
    kept = tables.rows[..., : item_dim + 1]
    labelled = torch.cat((kept, -kept.sum(-1, keepdim=True)), dim=-1)
    unlabelled, labels = torch.empty_like(labelled), torch.empty_like(tables.labels)
    every = torch.arange(labels.shape[1]).repeat(len(labels), 1)
    look_up_targets(tables, every, 0, unlabelled, labels)
    return one_layer.Tables(labelled, unlabelled, tables.labels)


class Step(BatchStep):
    """Forward pass, and a step of plain SGD, of R replicates on B sequences.

    Attributes:
        raw: (R, B, E), the targets' tokens before the affine; `token` with it.
        product: (R, E, E), Q^T K, so that token @ product is K^T Q t'.
        query: (R, B, E), token @ product; `scored` with the gain folded in.
        weights: (R, B, n + 1), see `attention._forward`.
        read: (R, B, E), the weighted sum of tokens; `read_token` with the affine.
        mlp: its input u is that of eq. 1.
    """

    def __init__(self, job: Job, shape: Shape):
        model = job.model
        n_replicates, n_sequences, context_length = shape
        width, rows = model.item_dim + 2, (n_replicates, n_sequences)
        super().__init__(job, FusedMLP(rows, width, model.hidden_dim))
        self.attention = attention(padded_width(model.item_dim + 1))
        self.affine = model.layernorm_affine
        self.with_self = model.attend_to == "context_and_self"
        self.raw, self.query, self.read = buffers(3, *rows, width)
        self.token, self.scored, self.read_token = self.raw, self.query, self.read
        if self.affine:
            self.token, self.scored, self.read_token = buffers(3, *rows, width)
        self.read_gradient, self.query_gradient = buffers(2, *rows, width)
        squares = buffers(3, n_replicates, width, width)
        self.product, self.product_gradient, self.key_gradient = squares
        self.weights = buffer(*rows, -(-context_length // 4) * 4 + 1)

    def attend(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        """Fill the buffers up to `read`, with the labels of the targets."""
        look_up_targets(tables, sequences.target, first, self.raw, self.mlp.labels)
        if self.affine:
            gain, bias = p["gain"][:, None, :], p["bias"][:, None, :]
            torch.addcmul(bias, self.raw, gain, out=self.token)
        torch.bmm(p["query"].mT, p["key"], out=self.product)
        torch.bmm(self.token, self.product, out=self.query)
        if self.affine:
            torch.mul(self.query, gain, out=self.scored)
        of_target = self.raw, self.scored, self.with_self
        found = self.weights, self.read
        run(self.attention.forward, tables.rows, sequences.context, first, *of_target, *found)

    def _forward(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        self.attend(p, tables, sequences, first)
        if self.affine:
            gain, bias = p["gain"][:, None, :], p["bias"][:, None, :]
            torch.addcmul(bias, self.read, gain, out=self.read_token)
        torch.baddbmm(self.token, self.read_token, p["value"].mT, out=self.mlp.u)
        self.mlp.forward(p)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        self._forward(p, tables, sequences, 0)
        self.mlp.train(p, self.of_mlp)
        self.train_attention(p, tables, sequences)

    def train_attention(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Update Q, K, V and the affine, from the gradient of u = token + V read_token."""
        sgd, u_gradient = self.of_attention, self.mlp.u_gradient
        torch.bmm(u_gradient, p["value"], out=self.read_gradient)
        sgd.product(p["value"], u_gradient.mT, self.read_token)
        if self.affine:
            gain = p["gain"][:, None, :]
            gain_gradient = (self.read_gradient * self.read).sum(1)
            bias_gradient = self.read_gradient.sum(1)
            self.read_gradient.mul_(gain)
        self._find_query_gradient(tables, sequences)
        if self.affine:
            gain_gradient += (self.query_gradient * self.query).sum(1)
            self.query_gradient.mul_(gain)
            token_gradient = torch.baddbmm(u_gradient, self.query_gradient, self.product.mT)
            gain_gradient += (token_gradient * self.raw).sum(1)
            bias_gradient += token_gradient.sum(1)
            sgd.add(p["gain"], gain_gradient)
            sgd.add(p["bias"], bias_gradient)
        self._train_query_and_key(p)

    def _find_query_gradient(self, tables: Rows, sequences: Sequences) -> None:
        found = self.raw, self.weights, self.read, self.read_gradient, self.query_gradient
        run(self.attention.backward, tables.rows, sequences.context, 0, *found)

    def _train_query_and_key(self, p: Parameters) -> None:
        torch.bmm(self.token.mT, self.query_gradient, out=self.product_gradient)
        gradients = self.product_gradient, self.key_gradient
        self.of_attention.query_and_key(p["query"], p["key"], *gradients)
