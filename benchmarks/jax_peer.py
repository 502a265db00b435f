"""The same training in JAX: jit, scan over steps, vmap over replicates. An optional extra."""

import jax
import jax.numpy as jnp
from icl.models.one_layer import network as one_layer


class JaxPeer:
    """All replicates in JAX, from the same start on the same token tables."""

    def __init__(self, problem, rate: float, decay: float):
        self.n_replicates = problem.size.n_replicates
        self.parameters = {name: jnp.asarray(p.numpy()) for name, p in problem.start.items()}
        tables = one_layer.embed(problem.dataset)
        self.tables = tuple(
            jnp.asarray(t.numpy()) for t in (tables.labelled, tables.unlabelled, tables.labels)
        )
        gradient = jax.vmap(jax.value_and_grad(self._loss))

        def step(parameters, batch):
            losses, gradients = gradient(parameters, *self.tables, *batch)
            trained = jax.tree.map(
                lambda p, g: p * (1 - rate * decay) - rate * g, parameters, gradients
            )
            return trained, losses[0]

        self._scan = jax.jit(lambda parameters, batches: jax.lax.scan(step, parameters, batches))

    @staticmethod
    def _loss(p, labelled, unlabelled, labels, context, target):
        token, rows = unlabelled[target], labelled[context]  # (B, E), (B, N, E)
        rows = jnp.concatenate((rows, token[:, None]), axis=1)
        query = token @ p["query"].T @ p["key"]
        attention = jax.nn.softmax(jnp.einsum("bne,be->bn", rows, query))
        u = token + jnp.einsum("bn,bne->be", attention, rows) @ p["value"].T
        hidden = jax.nn.relu(u @ p["hidden1"].T + p["hidden1_bias"])
        hidden = jax.nn.relu(hidden @ p["hidden2"].T + p["hidden2_bias"])
        logits = (hidden @ p["readout"].T + p["readout_bias"])[:, 0]
        return jax.nn.softplus(-labels[target] * logits).mean()

    def _run(self, many_sequences):
        batches = tuple(
            jnp.stack([jnp.asarray(getattr(s, part).numpy()) for s in many_sequences])
            for part in ("context", "target")
        )
        self.parameters, losses = self._scan(self.parameters, batches)
        return losses.block_until_ready()

    def step(self, sequences) -> float:
        """Train on one batch; return the first replicate's loss."""
        return float(self._run([sequences])[0])

    def train(self, batches) -> None:
        """Train on all batches in one call, as JAX is meant to be used."""
        self._run(batches)
