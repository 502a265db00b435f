"""The two-layer transformer written out a second time, token by token.

As in `reference`: loops in float64 NumPy, nothing imported from the library.
"""

import numpy as np
from reference import token


def attend(p, layer, tokens, i, attends_to):
    """Token i plus what it reads from the tokens it attends to."""
    query = p[f"query{layer}"] @ tokens[i]
    exponentials = {j: np.exp((p[f"key{layer}"] @ tokens[j]) @ query) for j in attends_to}
    out = tokens[i].copy()
    for j, exponential in exponentials.items():
        out += exponential / sum(exponentials.values()) * (p[f"value{layer}"] @ tokens[j])
    return out


def perceptron(p, prefix, u):
    h = np.maximum(p[prefix + "hidden1"] @ u + p[prefix + "hidden1_bias"], 0)
    h = np.maximum(p[prefix + "hidden2"] @ h + p[prefix + "hidden2_bias"], 0)
    return p[prefix + "readout"] @ h + p[prefix + "readout_bias"]


def logit(p, items, labels, context, target, attend_to):
    tokens = [token(items[j], labels[j], p) for j in context]
    tokens.append(token(items[target], None, p))
    last = len(tokens) - 1
    to_itself = attend_to == "context_and_self"

    def earlier(i):
        return range(i + 1) if i < last or to_itself else range(i)

    tokens = [attend(p, 1, tokens, i, earlier(i)) for i in range(last + 1)]
    tokens = [perceptron(p, "token_", u) for u in tokens]
    return perceptron(p, "", attend(p, 2, tokens, last, earlier(last))).item()
