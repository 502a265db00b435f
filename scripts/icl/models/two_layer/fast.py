"""The two-layer transformer on a CPU: hand-written gradients, one replicate after another.

All tokens pass the first layer, so that most of a step is products of matrices; what lies between
them is compiled. A replicate at a time, because its activations alone outgrow the nearer caches.
"""

import torch

from icl.job import Job
from icl.kernels import loops, products
from icl.models.fast import BatchStep, FusedMLP, Rows, Shape, buffer, buffers, run
from icl.models.layers import Parameters
from icl.models.one_layer.fast import look_up_targets, pack, unpack
from icl.models.two_layer.network import TOKEN_MLP
from icl.task.draws import Sequences

__all__ = ["Step", "pack", "unpack"]


class Step(BatchStep):
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

    def __init__(self, job: Job, shape: Shape):
        model = job.model
        _, n_sequences, context_length = shape
        n_tokens, width, d = context_length + 1, model.item_dim + 2, model.hidden_dim
        super().__init__(job, FusedMLP((1, n_sequences), width, d))
        n = n_sequences * n_tokens
        self.by_sequence = (n_sequences, n_tokens, width)
        self.affine = model.layernorm_affine
        self.with_self = model.attend_to == "context_and_self"
        self.raw, self.asked, self.read, self.attended, self.outputs = buffers(5, n, width)
        self.outputs_gradient, self.attended_gradient = buffers(2, n, width)
        self.tokens = buffer(n, width) if self.affine else self.raw
        self.weights, self.weights_gradient = buffers(2, n_sequences, n_tokens, n_tokens)
        self.hidden1, self.hidden2 = buffers(2, n, d)
        self.hidden1_gradient, self.hidden2_gradient = buffers(2, n, d)
        self.target = buffer(1, n_sequences, width)
        self.last, self.asked2, self.read2 = buffers(3, n_sequences, width)
        self.read2_gradient, self.asked2_gradient = buffers(2, n_sequences, width)
        self.weights2 = buffer(n_sequences, n_tokens)
        self.product1, self.product2, self.key_gradient = buffers(3, width, width)

    def _sequences(self, flat: torch.Tensor) -> torch.Tensor:
        return flat.view(self.by_sequence)

    def _forward_one(
        self, r: int, p: Parameters, tables: Rows, sequences: Sequences, first: int
    ) -> None:
        """Fill the buffers for replicate r, of parameters p, up to the last MLP's input."""
        one = Rows(tables.rows[r : r + 1], tables.labels[r : r + 1])
        target = sequences.target[r : r + 1]
        look_up_targets(one, target, first, self.target, self.mlp.labels)
        raw, tokens = self._sequences(self.raw), self._sequences(self.tokens)
        run(loops.sequences_of_tokens, tables.rows[r], sequences.context[r], first, raw)
        raw[:, -1] = self.target[0]
        if self.affine:
            torch.addcmul(p["bias"], self.raw, p["gain"], out=self.tokens)
        torch.mm(p["query1"].mT, p["key1"], out=self.product1)
        torch.mm(self.tokens, self.product1, out=self.asked)
        torch.bmm(self._sequences(self.asked), tokens.mT, out=self.weights)
        run(loops.causal_softmax, self.weights, self.with_self)
        torch.bmm(self.weights, tokens, out=self._sequences(self.read))
        torch.addmm(self.tokens, self.read, p["value1"].mT, out=self.attended)
        self._token_mlp(p)
        outputs = self._sequences(self.outputs)
        self.last.copy_(outputs[:, -1])
        torch.mm(p["query2"].mT, p["key2"], out=self.product2)
        torch.mm(self.last, self.product2, out=self.asked2)
        found = self.weights2, self.read2
        run(loops.last_attention, outputs, self.asked2, self.with_self, *found)
        torch.addmm(self.last, self.read2, p["value2"].mT, out=self.mlp.u[0])

    def _token_mlp(self, p: Parameters) -> None:
        source = self.attended
        for layer, hidden in (("hidden1", self.hidden1), ("hidden2", self.hidden2)):
            products.multiply(source, p[TOKEN_MLP + layer].mT, out=hidden)
            run(loops.add_bias_relu, hidden[None], p[TOKEN_MLP + layer + "_bias"][None])
            source = hidden
        bias = p[TOKEN_MLP + "readout_bias"]
        torch.addmm(bias, source, p[TOKEN_MLP + "readout"].mT, out=self.outputs)

    def logits(
        self, p: Parameters, tables: Rows, sequences: Sequences, first: int, out: torch.Tensor
    ) -> None:
        """Fill out[:, first : first + B], of logits (R, all)."""
        for r in range(len(out)):
            of_mlp = self._forward_to_mlp(r, p, tables, sequences, first)[1]
            self.mlp.read_out(of_mlp, out[r : r + 1], first)

    def step(self, p: Parameters, tables: Rows, sequences: Sequences) -> None:
        """Train the parameters on one batch, in place."""
        for r in range(len(sequences.target)):
            own, of_mlp = self._forward_to_mlp(r, p, tables, sequences, 0)
            self.mlp.train(of_mlp, self.of_mlp)
            self._train_second_layer(own)
            self._train_token_mlp(own)
            self._train_first_layer(own)

    def _forward_to_mlp(
        self, r: int, p: Parameters, tables: Rows, sequences: Sequences, first: int
    ) -> tuple[Parameters, Parameters]:
        """Fill all buffers; return replicate r's parameters, alone and in a batch of one."""
        own = {name: value[r] for name, value in p.items()}
        in_batch = {name: value[r : r + 1] for name, value in p.items()}
        self._forward_one(r, own, tables, sequences, first)
        self.mlp.forward(in_batch)
        return own, in_batch

    def _train_second_layer(self, p: Parameters) -> None:
        """Train Q, K and V, and fill the gradient of the tokens."""
        sgd, u_gradient = self.of_attention, self.mlp.u_gradient[0]
        torch.mm(u_gradient, p["value2"], out=self.read2_gradient)
        sgd.product(p["value2"], u_gradient.mT, self.read2)
        outputs, gradient = map(self._sequences, (self.outputs, self.outputs_gradient))
        found = self.asked2, self.weights2, self.read2, self.read2_gradient
        run(loops.last_attention_backward, outputs, *found, gradient, self.asked2_gradient)
        gradient[:, -1] += u_gradient + self.asked2_gradient @ self.product2.mT
        of_product = self.last.mT @ self.asked2_gradient
        sgd.query_and_key(p["query2"], p["key2"], of_product, self.key_gradient)

    def _train_token_mlp(self, p: Parameters) -> None:
        """Train the MLP between the layers, and fill the gradient of what it takes."""
        sgd, gradient, readout = self.of_mlp, self.outputs_gradient, TOKEN_MLP + "readout"
        torch.mm(gradient, p[readout], out=self.hidden2_gradient)
        sgd.product(p[readout], gradient.mT, self.hidden2)
        sgd.add(p[readout + "_bias"], gradient.sum(0))
        for layer, of_hidden, hidden, source, of_source in (
            ("hidden2", self.hidden2_gradient, self.hidden2, self.hidden1, self.hidden1_gradient),
            ("hidden1", self.hidden1_gradient, self.hidden1, self.attended, self.attended_gradient),
        ):
            weight, bias = p[TOKEN_MLP + layer], p[TOKEN_MLP + layer + "_bias"]
            run(loops.relu_backward, of_hidden[None], hidden[None], bias[None], *sgd.numbers)
            products.multiply(of_hidden, weight, out=of_source)
            sgd.hidden_product(weight, of_hidden.mT, source)

    def _train_first_layer(self, p: Parameters) -> None:
        """Train Q, K, V and the affine, from the gradient of attended = tokens + V read."""
        sgd, gradient, tokens = self.of_attention, self.attended_gradient, self.tokens
        in_sequences = self._sequences(tokens)
        # Two buffers serve again: of the outputs, and, once V is trained, of the read tokens.
        read_gradient = torch.mm(gradient, p["value1"], out=self.outputs_gradient)
        sgd.product(p["value1"], gradient.mT, self.read)
        by_sequence = self._sequences(read_gradient)
        torch.bmm(by_sequence, in_sequences.mT, out=self.weights_gradient)
        run(loops.softmax_backward, self.weights, self.weights_gradient)
        asked_gradient = self.read
        torch.bmm(self.weights_gradient, in_sequences, out=self._sequences(asked_gradient))
        if self.affine:
            of_tokens = self._sequences(gradient)
            of_tokens.baddbmm_(self.weights.mT, by_sequence)
            of_tokens.baddbmm_(self.weights_gradient.mT, self._sequences(self.asked))
            gradient.addmm_(asked_gradient, self.product1.mT)
        of_product = tokens.mT @ asked_gradient
        sgd.query_and_key(p["query1"], p["key1"], of_product, self.key_gradient)
        if self.affine:
            sgd.add(p["gain"], (gradient * self.raw).sum(0))
            sgd.add(p["bias"], gradient.sum(0))
