"""Eq. 1 written out a second time, to hold the library against.

Plain Python loops over sequences and tokens, in float64 NumPy: no table, no batch of replicates, no
torch, nothing imported from the library. Gradients are central differences of this loss, so that
they share no derivation with the library's either; at a step of 1e-6 they are good to about 1e-9.
"""

import numpy as np

EPSILON = 1e-5
DIFFERENCE = 1e-6


def token(item, label, parameters):
    """LayerNorm of (x, l): l is +1 -> (1, 0), -1 -> (0, 1), or None for the target's empty one."""
    one_hot = {1: [1.0, 0.0], -1: [0.0, 1.0], None: [0.0, 0.0]}[label]
    t = np.concatenate([item, one_hot])
    t = (t - t.mean()) / np.sqrt(((t - t.mean()) ** 2).mean() + EPSILON)
    if "gain" in parameters:
        t = parameters["gain"] * t + parameters["bias"]
    return t


def logit(parameters, context, target, attend_to):
    """phi(u) of one sequence, from its tokens."""
    p = parameters
    query = p["query"] @ target
    attended = [*context, target] if attend_to == "context_and_self" else context
    exponentials = [np.exp((p["key"] @ t) @ query) for t in attended]
    u = target.copy()
    for t, exponential in zip(attended, exponentials, strict=True):
        u += exponential / sum(exponentials) * (p["value"] @ t)
    h = np.maximum(p["hidden1"] @ u + p["hidden1_bias"], 0)
    h = np.maximum(p["hidden2"] @ h + p["hidden2_bias"], 0)
    return (p["readout"] @ h + p["readout_bias"]).item()


def loss(parameters, items, labels, contexts, targets, attend_to):
    """Mean over sequences of -log sigma(z) for the label (1, 0), -log sigma(-z) for (0, 1).

    Args:
        parameters: name -> array of one replicate.
        items: (K, D).
        labels: K numbers, 1 or -1.
        contexts: B lists of N rows of items.
        targets: B rows of items.
        attend_to: as in the configuration.
    """
    losses = []
    for rows, target in zip(contexts, targets, strict=True):
        context = [token(items[j], labels[j], parameters) for j in rows]
        z = logit(parameters, context, token(items[target], None, parameters), attend_to)
        losses.append(-np.log(1 / (1 + np.exp(-labels[target] * z))))
    return np.mean(losses)


def gradients(parameters, *arguments):
    """Central differences of the loss for every entry of every parameter."""
    out = {}
    for name, p in parameters.items():
        out[name] = np.zeros_like(p)
        for index in np.ndindex(p.shape):
            above, below = p.copy(), p.copy()
            above[index] += DIFFERENCE
            below[index] -= DIFFERENCE
            rise = loss({**parameters, name: above}, *arguments) - loss(
                {**parameters, name: below}, *arguments
            )
            out[name][index] = rise / (2 * DIFFERENCE)
    return out
