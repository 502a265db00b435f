"""The two-layer transformer on a CPU: hand-written gradients, one replicate after another.

All tokens pass the first layer, so that most of a step is products of matrices; what lies between
them is compiled. A replicate at a time, because its activations alone outgrow the nearer caches.
"""

import numpy as np
import torch

from icl.job import Job
from icl.kernels import loops
from icl.models.fast import FusedMLP, Rows, buffer
from icl.models.layers import Parameters
from icl.models.one_layer.fast import EPSILON, pack, unpack
from icl.models.two_layer.network import TOKEN_MLP
from icl.task.draws import Sequences

__all__ = ["Step", "pack", "unpack"]


class _Weights:
    """Updates one replicate's weights by plain SGD, the gradient being a product."""

    def __init__(self, p: Parameters, keep: float, rate: float):
        self.p, self.keep, self.rate = p, keep, rate

    def product(self, name: str, left: torch.Tensor, right: torch.Tensor) -> None:
        """Train by the gradient left @ right."""
        self.p[name].addmm_(left, right, beta=self.keep, alpha=-self.rate)

    def add(self, name: str, gradient: torch.Tensor) -> None:
        """Train by a gradient."""
        self.p[name].mul_(self.keep).add_(gradient, alpha=-self.rate)

    def query_and_key(self, layer: int, product_gradient: torch.Tensor) -> None:
        """Train Q and K by the gradient G of Q^T K: that of Q is K G^T, that of K is Q G."""
        query, key = f"query{layer}", f"key{layer}"
        key_gradient = self.p[query] @ product_gradient
        self.product(query, self.p[key], product_gradient.mT)
        self.add(key, key_gradient)


class Step:
    """Forward pass, and a step of plain SGD, of R replicates on B sequences.

    Attributes, of one replicate, tokens of all sequences in one dimension where T = B (N + 1):
        raw: (T, E), tokens before the affine; `tokens` with it.
        asked: (T, E), K^T Q t' of the first layer.
        weights: (B, N + 1, N + 1), of the first layer.
        read: (T, E), weighted sums of tokens.
        attended: (T, E), what the MLP between the layers takes.
        hidden1, hidden2: (T, d), its activations.
        outputs: (T, E), what it gives.
        mlp: the last one; its input is the target's.
    """

    def __init__(self, job: Job, shape: tuple[int, int, int]):
        model = job.model
        _, n_sequences, context_length = shape
        n_tokens, width, d = context_length + 1, model.item_dim + 2, model.hidden_dim
        n = n_sequences * n_tokens
        self.by_sequence = (n_sequences, n_tokens, width)
        self.affine = model.layernorm_affine
        self.with_self = model.attend_to == "context_and_self"
        self.raw, self.asked, self.read, self.attended, self.outputs = (
            buffer(n, width) for _ in range(5)
        )
        self.tokens = buffer(n, width) if self.affine else self.raw
        self.weights = buffer(n_sequences, n_tokens, n_tokens)
        self.hidden1, self.hidden2 = buffer(n, d), buffer(n, d)
        self.target, self.asked2, self.read2 = (buffer(1, n_sequences, width) for _ in range(3))
        self.weights2 = buffer(n_sequences, n_tokens)
        self.mlp = FusedMLP((1, n_sequences), width, d)
        self.rate = job.optimiser.learning_rate
        decay = job.optimiser.weight_decay
        self.keep_attention = 1 - self.rate * decay.attention
        self.keep_mlp = 1 - self.rate * decay.mlp
        self.outputs_gradient = None  # made when training

    def _sequences(self, flat: torch.Tensor) -> torch.Tensor:
        return flat.view(self.by_sequence)

    def _forward(
        self, r: int, p: Parameters, tables: Rows, sequences: Sequences, first: int
    ) -> None:
        """Fill the buffers for replicate r, of parameters p."""
        one = slice(r, r + 1)
        loops.target_tokens(
            tables.rows[one].numpy(),
            tables.labels[one].numpy(),
            sequences.target[one].numpy(),
            first,
            EPSILON,
            self.target.numpy(),
            self.mlp.labels.numpy(),
        )
        raw, tokens = self._sequences(self.raw), self._sequences(self.tokens)
        loops.sequences_of_tokens(
            tables.rows[r].numpy(), sequences.context[r].numpy(), first, raw.numpy()
        )
        raw[:, -1] = self.target[0]
        if self.affine:
            torch.addcmul(p["bias"], self.raw, p["gain"], out=self.tokens)
        self.product = p["query1"].mT @ p["key1"]
        torch.mm(self.tokens, self.product, out=self.asked)
        torch.bmm(self._sequences(self.asked), tokens.mT, out=self.weights)
        loops.causal_softmax(self.weights.numpy(), self.with_self)
        torch.bmm(self.weights, tokens, out=self._sequences(self.read))
        torch.addmm(self.tokens, self.read, p["value1"].mT, out=self.attended)
        self._token_mlp(p)
        outputs = self._sequences(self.outputs)
        self.last = outputs[:, -1].contiguous()  # (B, E)
        self.product2 = p["query2"].mT @ p["key2"]
        torch.mm(self.last, self.product2, out=self.asked2[0])
        loops.last_attention(
            outputs.numpy(),
            self.asked2[0].numpy(),
            self.with_self,
            self.weights2.numpy(),
            self.read2[0].numpy(),
        )
        torch.addmm(self.last, self.read2[0], p["value2"].mT, out=self.mlp.u[0])

    def _token_mlp(self, p: Parameters) -> None:
        source = self.attended
        for layer, hidden in (("hidden1", self.hidden1), ("hidden2", self.hidden2)):
            torch.mm(source, p[TOKEN_MLP + layer].mT, out=hidden)
            bias = p[TOKEN_MLP + layer + "_bias"]
            loops.add_bias_relu(hidden[None].numpy(), bias[None].numpy())
            source = hidden
        bias = p[TOKEN_MLP + "readout_bias"]
        torch.addmm(bias, source, p[TOKEN_MLP + "readout"].mT, out=self.outputs)

    def logits(
        self, p: Parameters, tables: Rows, sequences: Sequences, first: int, out: torch.Tensor
    ) -> None:
        """Fill out[:, first : first + B], of logits (R, all)."""
        for r in range(len(out)):
            of_mlp = {name: value[r : r + 1] for name, value in p.items()}
            self._forward(
                r, {name: value[r] for name, value in p.items()}, tables, sequences, first
            )
            self.mlp.forward(of_mlp)
            self.mlp.read_out(of_mlp, out[r : r + 1], first)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        if self.outputs_gradient is None:
            self.outputs_gradient, self.attended_gradient = (
                buffer(*self.raw.shape) for _ in range(2)
            )
            self.hidden1_gradient, self.hidden2_gradient = (
                buffer(*self.hidden1.shape) for _ in range(2)
            )
            self.weights_gradient = buffer(*self.weights.shape)
            self.read2_gradient, self.asked2_gradient = (
                buffer(*self.asked2[0].shape) for _ in range(2)
            )
        for r in range(len(sequences.target)):
            own = {name: value[r] for name, value in p.items()}
            of_mlp = {name: value[r : r + 1] for name, value in p.items()}
            self._forward(r, own, tables, sequences, 0)
            self.mlp.forward(of_mlp)
            self.mlp.train(of_mlp, self.keep_mlp, self.rate)
            attention = _Weights(own, self.keep_attention, self.rate)
            self._train_second_layer(attention)
            self._train_token_mlp(own)
            self._train_first_layer(attention)

    def _train_second_layer(self, weights: _Weights) -> None:
        """Train Q, K and V, and fill the gradient of the tokens."""
        u_gradient, outputs = self.mlp.u_gradient[0], self._sequences(self.outputs)
        torch.mm(u_gradient, weights.p["value2"], out=self.read2_gradient)
        weights.product("value2", u_gradient.mT, self.read2[0])
        gradient = self._sequences(self.outputs_gradient)
        loops.last_attention_backward(
            outputs.numpy(),
            self.asked2[0].numpy(),
            self.weights2.numpy(),
            self.read2[0].numpy(),
            self.read2_gradient.numpy(),
            gradient.numpy(),
            self.asked2_gradient.numpy(),
        )
        gradient[:, -1] += u_gradient + self.asked2_gradient @ self.product2.mT
        weights.query_and_key(2, self.last.mT @ self.asked2_gradient)

    def _train_token_mlp(self, p: Parameters) -> None:
        """Train the MLP between the layers, and fill the gradient of what it takes."""
        weights = _Weights(p, self.keep_mlp, self.rate)
        sgd = np.float32(self.keep_mlp), np.float32(self.rate)
        gradient, readout = self.outputs_gradient, TOKEN_MLP + "readout"
        torch.mm(gradient, p[readout], out=self.hidden2_gradient)
        weights.product(readout, gradient.mT, self.hidden2)
        weights.add(readout + "_bias", gradient.sum(0))
        layers = (
            ("hidden2", self.hidden2_gradient, self.hidden2, self.hidden1, self.hidden1_gradient),
            ("hidden1", self.hidden1_gradient, self.hidden1, self.attended, self.attended_gradient),
        )
        for layer, of_hidden, hidden, source, of_source in layers:
            bias = p[TOKEN_MLP + layer + "_bias"]
            loops.relu_backward(
                of_hidden[None].numpy(), hidden[None].numpy(), bias[None].numpy(), *sgd
            )
            torch.mm(of_hidden, p[TOKEN_MLP + layer], out=of_source)
            weights.product(TOKEN_MLP + layer, of_hidden.mT, source)

    def _train_first_layer(self, weights: _Weights) -> None:
        """Train Q, K, V and the affine, from the gradient of attended = tokens + V read."""
        gradient, tokens = self.attended_gradient, self._sequences(self.tokens)
        # Buffers that have served: of the outputs, and of the read tokens once V is trained.
        read_gradient = torch.mm(gradient, weights.p["value1"], out=self.outputs_gradient)
        weights.product("value1", gradient.mT, self.read)
        by_sequence = self._sequences(read_gradient)
        torch.bmm(by_sequence, tokens.mT, out=self.weights_gradient)
        loops.softmax_backward(self.weights.numpy(), self.weights_gradient.numpy())
        asked_gradient = self.read
        torch.bmm(self.weights_gradient, tokens, out=self._sequences(asked_gradient))
        if self.affine:
            of_tokens = self._sequences(gradient)
            of_tokens.baddbmm_(self.weights.mT, by_sequence)
            of_tokens.baddbmm_(self.weights_gradient.mT, self._sequences(self.asked))
            gradient.addmm_(asked_gradient, self.product.mT)
        weights.query_and_key(1, self.tokens.mT @ asked_gradient)
        if self.affine:
            weights.add("gain", (gradient * self.raw).sum(0))
            weights.add("bias", gradient.sum(0))
