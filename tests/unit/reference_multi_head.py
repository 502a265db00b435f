"""Several heads written out a second time, as in `reference`: loops in float64 NumPy."""

import numpy as np
from reference import token


def logit(p, items, labels, context, target, attend_to, heads):
    tokens = [token(items[j], labels[j], p) for j in context]
    last = token(items[target], None, p)
    attended = [*tokens, last] if attend_to == "context_and_self" else tokens
    u = last.copy()
    for head in range(heads):
        rows = slice(head * len(last), (head + 1) * len(last))
        query, key, value = (p[name][rows] for name in ("query", "key", "value"))
        exponentials = [np.exp((key @ t) @ (query @ last)) for t in attended]
        read = sum(e * t for e, t in zip(exponentials, attended, strict=True))
        u = u + value @ read / sum(exponentials)
    hidden = np.maximum(p["hidden1"] @ u + p["hidden1_bias"], 0)
    hidden = np.maximum(p["hidden2"] @ hidden + p["hidden2_bias"], 0)
    return (p["readout"] @ hidden + p["readout_bias"]).item()
