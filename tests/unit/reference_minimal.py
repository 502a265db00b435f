"""Eq. 3 and 17, and the MLP alone, written out a second time, to hold the library against.

As in `reference`: loops in float64 NumPy, nothing imported from the library.
"""

import numpy as np

EPSILON = 1e-5


def phi(p, x):
    """Three layers with ReLU between, entry by entry."""
    for weight, bias in (("hidden1", "hidden1_bias"), ("hidden2", "hidden2_bias")):
        x = [max(sum(row * x) + b, 0.0) for row, b in zip(p[weight], p[bias], strict=True)]
        x = np.array(x)
    return sum(p["readout"][0] * x) + p["readout_bias"][0]


def normalised(item):
    """LayerNorm of an item with an empty label."""
    t = np.append(item, [0.0, 0.0])
    mean = sum(t) / len(t)
    return (t - mean) / np.sqrt(sum((t - mean) ** 2) / len(t) + EPSILON)


def minimal_logit(p, items, labels, context, target):
    """z_MLP + z_ATT of one sequence, the sums of eq. 17 over the context's N tokens."""
    x = items[target]
    total = sum(np.exp(p["beta"] * sum(items[k] * x)) for k in context)
    z_att = 0.0
    for j in context:
        z_att += np.exp(p["beta"] * sum(items[j] * x)) / total * p["w"] * labels[j]
    return phi(p, x) + z_att


def raw_mlp_logit(p, items, labels, context, target):
    return phi(p, items[target])


def normalised_mlp_logit(p, items, labels, context, target):
    return phi(p, normalised(items[target]))
