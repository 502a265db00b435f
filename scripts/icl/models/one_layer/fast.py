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
from icl.models.fast import BatchStep, FusedMLP, Rows, buffer
from icl.models.layers import Parameters
from icl.models.one_layer import network as one_layer
from icl.task.draws import Sequences

EPSILON = np.float32(one_layer.LAYERNORM_EPSILON)


def pack(items: torch.Tensor, labels: torch.Tensor, scale: float, rows: torch.Tensor):
    """Pack one replicate's normalised tokens."""
    loops.pack_tokens(items.numpy(), labels.numpy(), np.float32(scale), EPSILON, rows.numpy())


def unpack(tables: Rows, item_dim: int) -> one_layer.Tables:
    """Turn rows back into the tables of `models.one_layer`."""
    first = tables.rows[..., : item_dim + 1]
    labelled = torch.cat((first, -first.sum(-1, keepdim=True)), dim=-1)
    unlabelled = torch.empty_like(labelled)
    n_replicates, n_items = tables.labels.shape
    every = torch.arange(n_items).repeat(n_replicates, 1)
    loops.target_tokens(
        tables.rows.numpy(),
        tables.labels.numpy(),
        every.numpy(),
        0,
        EPSILON,
        unlabelled.numpy(),
        torch.empty_like(tables.labels).numpy(),
    )
    return one_layer.Tables(labelled, unlabelled, tables.labels)


class Step(BatchStep):
    """Forward pass, and a step of plain SGD, of R replicates on B sequences.

    Attributes (`kernels` sees the same memory through `numpy()`):
        raw: (R, B, E), the targets' tokens before the affine; `token` with it.
        product: (R, E, E), Q^T K, so that token @ product is K^T Q t'.
        query: (R, B, E), token @ product; `scored` with the gain folded in.
        weights: (R, B, n + 1), see `attention.Attention`.
        read: (R, B, E), the weighted sum of tokens; `read_token` with the affine.
        mlp: its input u is that of eq. 1.
    """

    def __init__(self, job: Job, shape: tuple[int, int, int]):
        model = job.model
        n_replicates, n_sequences, context_length = shape
        width, rows = model.item_dim + 2, (n_replicates, n_sequences)
        self.shape = shape
        self.attention = attention(padded_width(model.item_dim + 1))
        self.affine = model.layernorm_affine
        self.with_self = model.attend_to == "context_and_self"
        self.raw, self.query, self.read = (buffer(*rows, width) for _ in range(3))
        self.token, self.scored, self.read_token = self.raw, self.query, self.read
        if self.affine:
            self.token, self.scored, self.read_token = (buffer(*rows, width) for _ in range(3))
        self.product = buffer(n_replicates, width, width)
        self.weights = buffer(*rows, -(-context_length // 4) * 4 + 1)
        self.mlp = FusedMLP(rows, width, model.hidden_dim)
        self.rate = job.optimiser.learning_rate
        decay = job.optimiser.weight_decay
        self.keep_attention = 1 - self.rate * decay.attention
        self.keep_mlp = 1 - self.rate * decay.mlp
        self.read_gradient = None  # made when training

    def _forward(self, p: Parameters, tables: Rows, sequences: Sequences, first: int) -> None:
        """Fill the buffers, up to the products of the second hidden layer."""
        loops.target_tokens(
            tables.rows.numpy(),
            tables.labels.numpy(),
            sequences.target.numpy(),
            first,
            EPSILON,
            self.raw.numpy(),
            self.mlp.labels.numpy(),
        )
        if self.affine:
            gain, bias = p["gain"][:, None, :], p["bias"][:, None, :]
            torch.addcmul(bias, self.raw, gain, out=self.token)
        torch.bmm(p["query"].mT, p["key"], out=self.product)
        torch.bmm(self.token, self.product, out=self.query)
        if self.affine:
            torch.mul(self.query, gain, out=self.scored)
        self.attention.forward(
            tables.rows.numpy(),
            sequences.context.numpy(),
            first,
            self.raw.numpy(),
            self.scored.numpy(),
            self.with_self,
            self.weights.numpy(),
            self.read.numpy(),
        )
        if self.affine:
            torch.addcmul(bias, self.read, gain, out=self.read_token)
        torch.baddbmm(self.token, self.read_token, p["value"].mT, out=self.mlp.u)
        self.mlp.forward(p)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        if self.read_gradient is None:
            self.read_gradient, self.query_gradient = (buffer(*self.raw.shape) for _ in range(2))
            self.product_gradient = buffer(*self.product.shape)
            self.key_gradient = buffer(*self.product.shape)
        self._forward(p, tables, sequences, 0)
        self.mlp.train(p, self.keep_mlp, self.rate)
        self._train_attention(p, tables, sequences)

    def _train_attention(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Update Q, K, V and the affine, from the gradient of u = token + V read_token."""
        keep, rate, u_gradient = self.keep_attention, self.rate, self.mlp.u_gradient
        torch.bmm(u_gradient, p["value"], out=self.read_gradient)
        p["value"].baddbmm_(u_gradient.mT, self.read_token, beta=keep, alpha=-rate)
        if self.affine:
            gain = p["gain"][:, None, :]
            gain_gradient = (self.read_gradient * self.read).sum(1)
            bias_gradient = self.read_gradient.sum(1)
            self.read_gradient.mul_(gain)
        self.attention.backward(
            tables.rows.numpy(),
            sequences.context.numpy(),
            0,
            self.raw.numpy(),
            self.weights.numpy(),
            self.read.numpy(),
            self.read_gradient.numpy(),
            self.query_gradient.numpy(),
        )
        if self.affine:
            gain_gradient += (self.query_gradient * self.query).sum(1)
            self.query_gradient.mul_(gain)
            token_gradient = torch.baddbmm(u_gradient, self.query_gradient, self.product.mT)
            gain_gradient += (token_gradient * self.raw).sum(1)
            bias_gradient += token_gradient.sum(1)
            p["gain"].mul_(keep).add_(gain_gradient, alpha=-rate)
            p["bias"].mul_(keep).add_(bias_gradient, alpha=-rate)
        # The product P = Q^T K has gradient G = token^T dquery; then dQ = K G^T and dK = Q G.
        torch.bmm(self.token.mT, self.query_gradient, out=self.product_gradient)
        torch.bmm(p["query"], self.product_gradient, out=self.key_gradient)
        p["query"].baddbmm_(p["key"], self.product_gradient.mT, beta=keep, alpha=-rate)
        p["key"].mul_(keep).add_(self.key_gradient, alpha=-rate)
