"""The one-layer model on a CPU: hand-written gradients around compiled attention.

The arithmetic is that of `models.one_layer.logits`, which is the place to read it, and of plain
SGD; tests hold the two together. It is faster because attention never leaves the caches
(`attention`), because K^T Q is formed once a step, because weights are updated inside the products
that would have made their gradients, and because every buffer is kept from step to step.
"""

import numpy as np
import torch

from icl import kernels
from icl.attention import attention
from icl.config import Job, Model
from icl.models.layers import Parameters
from icl.models.one_layer import LAYERNORM_EPSILON, Tables
from icl.tasks import Dataset, Sequences


def _buffer(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.float32)


class _Forward:
    """The forward pass of R replicates on B sequences, in buffers that it keeps.

    Attributes (`kernels` sees the same memory through `numpy()`):
        raw: (R, B, E), the targets' tokens as tabled; `token` with the affine.
        product: (R, E, E), Q^T K, so that token @ product is K^T Q t'.
        query: (R, B, E), token @ product; `scored` with the gain folded in.
        weights: (R, B, P + 1), see `attention.Attention`.
        read: (R, B, E), the weighted sum of rows; `read_token` with the affine.
        u: (R, B, E), the MLP's input, eq. 1.
        hidden1: (R, B, d), activations.
        hidden2: (R, B, d), products, before their bias.
    """

    def __init__(self, model: Model, n_replicates: int, n_sequences: int, context_length: int):
        width, d = model.item_dim + 2, model.hidden_dim
        rows = (n_replicates, n_sequences)
        self.attention = attention(width)
        self.affine, self.rows = model.layernorm_affine, rows
        self.with_self = model.attend_to == "context_and_self"
        self.raw, self.query, self.read, self.u = (_buffer(*rows, width) for _ in range(4))
        self.token, self.scored, self.read_token = self.raw, self.query, self.read
        if self.affine:
            self.token, self.scored, self.read_token = (_buffer(*rows, width) for _ in range(3))
        self.product = _buffer(n_replicates, width, width)
        self.weights = _buffer(*rows, -(-context_length // 4) * 4 + 1)
        self.hidden1, self.hidden2 = _buffer(*rows, d), _buffer(*rows, d)
        self.labels = _buffer(*rows)

    def run(self, p: Parameters, tables: Tables, sequences: Sequences) -> None:
        """Fill the buffers, up to the products of the second hidden layer."""
        kernels.gather(
            tables.unlabelled.numpy(),
            tables.labels.numpy(),
            sequences.target.numpy(),
            self.raw.numpy(),
            self.labels.numpy(),
        )
        if self.affine:
            gain, bias = p["gain"][:, None, :], p["bias"][:, None, :]
            torch.addcmul(bias, self.raw, gain, out=self.token)
        torch.bmm(p["query"].mT, p["key"], out=self.product)
        torch.bmm(self.token, self.product, out=self.query)
        if self.affine:
            torch.mul(self.query, gain, out=self.scored)
        self.attention.forward(
            tables.labelled.numpy(),
            sequences.context.numpy(),
            self.raw.numpy(),
            self.scored.numpy(),
            self.with_self,
            self.weights.numpy(),
            self.read.numpy(),
        )
        if self.affine:
            torch.addcmul(bias, self.read, gain, out=self.read_token)
        torch.baddbmm(self.token, self.read_token, p["value"].mT, out=self.u)
        torch.bmm(self.u, p["hidden1"].mT, out=self.hidden1)
        kernels.add_bias_relu(self.hidden1.numpy(), p["hidden1_bias"].numpy())
        torch.bmm(self.hidden1, p["hidden2"].mT, out=self.hidden2)


def embed(dataset: Dataset) -> Tables:
    """Make what `models.one_layer.embed` does, for a dataset that is redrawn at every step."""
    n_replicates, n_items, item_dim = dataset.items.shape
    labelled, unlabelled = (_buffer(n_replicates, n_items, item_dim + 2) for _ in range(2))
    kernels.normalise(
        dataset.items.contiguous().numpy(),
        dataset.labels.contiguous().numpy(),
        np.float32(LAYERNORM_EPSILON),
        labelled.numpy(),
        unlabelled.numpy(),
    )
    return Tables(labelled, unlabelled, dataset.labels)


def logits(
    parameters: Parameters, tables: Tables, sequences: Sequences, model: Model
) -> torch.Tensor:
    """Compute what `models.one_layer.logits` does: (R, B)."""
    forward = _Forward(model, *sequences.context.shape)
    # A part of a larger batch is not contiguous, and the kernels are compiled for what is.
    part = Sequences(sequences.context.contiguous(), sequences.target.contiguous())
    forward.run(parameters, tables, part)
    out = _buffer(*forward.rows)
    kernels.read_out(
        forward.hidden2.numpy(),
        parameters["hidden2_bias"].numpy(),
        parameters["readout"].numpy(),
        parameters["readout_bias"].numpy(),
        out.numpy(),
    )
    return out


class FusedStep:
    """A `Step` of plain SGD for the one-layer model on a CPU."""

    def __init__(self, job: Job):
        self.model = job.model
        self.rate = job.optimiser.learning_rate
        decay = job.optimiser.weight_decay
        self.keep_attention = 1 - self.rate * decay.attention
        self.keep_mlp = 1 - self.rate * decay.mlp
        self.forward = None

    def _fit(self, context_shape: tuple[int, ...]) -> None:
        """Make the buffers, at the first step and whenever a replicate has left the batch."""
        if self.forward is not None and self.forward.rows == context_shape[:2]:
            return
        self.forward = forward = _Forward(self.model, *context_shape)
        self.hidden_gradient = torch.empty_like(forward.hidden1)
        self.u_gradient = torch.empty_like(forward.u)
        self.read_gradient = torch.empty_like(forward.u)
        self.query_gradient = torch.empty_like(forward.u)
        self.product_gradient = torch.empty_like(forward.product)
        self.key_gradient = torch.empty_like(forward.product)

    def __call__(self, parameters: Parameters, tables: Tables, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        self._fit(tuple(sequences.context.shape))
        self.forward.run(parameters, tables, sequences)
        self._train_mlp(parameters)
        self._train_attention(parameters, tables, sequences)

    def _train_mlp(self, p: Parameters) -> None:
        """Update the MLP and leave the gradient of its input in `u_gradient`."""
        f, keep, rate = self.forward, self.keep_mlp, self.rate
        sgd = (np.float32(keep), np.float32(rate))
        kernels.train_readout(
            f.hidden2.numpy(),
            p["hidden2_bias"].numpy(),
            p["readout"].numpy(),
            p["readout_bias"].numpy(),
            f.labels.numpy(),
            *sgd,
        )
        torch.bmm(f.hidden2, p["hidden2"], out=self.hidden_gradient)
        p["hidden2"].baddbmm_(f.hidden2.mT, f.hidden1, beta=keep, alpha=-rate)
        kernels.relu_backward(
            self.hidden_gradient.numpy(), f.hidden1.numpy(), p["hidden1_bias"].numpy(), *sgd
        )
        torch.bmm(self.hidden_gradient, p["hidden1"], out=self.u_gradient)
        p["hidden1"].baddbmm_(self.hidden_gradient.mT, f.u, beta=keep, alpha=-rate)

    def _train_attention(self, p: Parameters, tables: Tables, sequences: Sequences) -> None:
        """Update Q, K, V and the affine, from the gradient of u = token + V read_token."""
        f, keep, rate = self.forward, self.keep_attention, self.rate
        torch.bmm(self.u_gradient, p["value"], out=self.read_gradient)
        p["value"].baddbmm_(self.u_gradient.mT, f.read_token, beta=keep, alpha=-rate)
        if f.affine:
            gain = p["gain"][:, None, :]
            gain_gradient = (self.read_gradient * f.read).sum(1)
            bias_gradient = self.read_gradient.sum(1)
            self.read_gradient.mul_(gain)
        f.attention.backward(
            tables.labelled.numpy(),
            sequences.context.numpy(),
            f.raw.numpy(),
            f.weights.numpy(),
            f.read.numpy(),
            self.read_gradient.numpy(),
            self.query_gradient.numpy(),
        )
        if f.affine:
            gain_gradient += (self.query_gradient * f.query).sum(1)
            self.query_gradient.mul_(gain)
            token_gradient = torch.baddbmm(self.u_gradient, self.query_gradient, f.product.mT)
            gain_gradient += (token_gradient * f.raw).sum(1)
            bias_gradient += token_gradient.sum(1)
            p["gain"].mul_(keep).add_(gain_gradient, alpha=-rate)
            p["bias"].mul_(keep).add_(bias_gradient, alpha=-rate)
        # The product P = Q^T K has gradient G = token^T dquery; then dQ = K G^T and dK = Q G.
        torch.bmm(f.token.mT, self.query_gradient, out=self.product_gradient)
        torch.bmm(p["query"], self.product_gradient, out=self.key_gradient)
        p["query"].baddbmm_(p["key"], self.product_gradient.mT, beta=keep, alpha=-rate)
        p["key"].mul_(keep).add_(self.key_gradient, alpha=-rate)
