"""The chain written out a second time, as in `reference`: loops in float64 NumPy."""

import numpy as np
from reference import token


def logit(p, items, labels, context, target, attend_to):
    tokens = [token(items[j], labels[j], p) for j in context]
    last = token(items[target], None, p)
    attended = [*tokens, last] if attend_to == "context_and_self" else tokens
    query = p["query"] @ last
    exponentials = [np.exp((p["key"] @ t) @ query) for t in attended]
    rho = sum(e * (t[-2] - t[-1]) for e, t in zip(exponentials, attended, strict=True))
    answer = p["value"] @ np.array([rho, -rho]) / sum(exponentials) / 2
    hidden = p["hidden2"] @ (p["hidden1"] @ answer / 2) / 2
    return (p["readout"] @ hidden).item()
