"""Compiled loops for the one-layer model on a CPU: what `fused` does between matrix products.

Floating-point sums may be reordered (so that they vectorise); infinities and NaN keep their
meaning, for they tell that a replicate has diverged.
"""

import numba
import numpy as np

OPTIONS = {"error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
compile_loop = numba.njit(cache=True, **OPTIONS)
inline_loop = numba.njit(inline="always", **OPTIONS)  # for what the innermost loops are made of


@compile_loop
def normalise(items, labels, epsilon, labelled, unlabelled):  # pragma: no cover - compiled
    """Fill the token tables (R, K, E) from items (R, K, D) and labels (R, K): LayerNorm."""
    n_replicates, n_items, item_dim = items.shape
    width = np.float32(item_dim + 2)
    for r in range(n_replicates):
        for k in range(n_items):
            x, to, bare = items[r, k], labelled[r, k], unlabelled[r, k]
            total = np.float32(0)
            for i in range(item_dim):
                total += x[i]
            mean, bare_mean = (total + np.float32(1)) / width, total / width
            square, bare_square = np.float32(0), np.float32(0)
            for i in range(item_dim):
                square += (x[i] - mean) * (x[i] - mean)
                bare_square += (x[i] - bare_mean) * (x[i] - bare_mean)
            square += mean * mean + (np.float32(1) - mean) * (np.float32(1) - mean)
            bare_square += np.float32(2) * bare_mean * bare_mean
            scale = np.float32(1) / np.sqrt(square / width + epsilon)
            bare_scale = np.float32(1) / np.sqrt(bare_square / width + epsilon)
            for i in range(item_dim):
                to[i] = (x[i] - mean) * scale
                bare[i] = (x[i] - bare_mean) * bare_scale
            positive = np.float32(1) if labels[r, k] > 0 else np.float32(0)
            to[item_dim] = (positive - mean) * scale
            to[item_dim + 1] = (np.float32(1) - positive - mean) * scale
            bare[item_dim] = bare[item_dim + 1] = -bare_mean * bare_scale


@compile_loop
def gather(table, labels, target, tokens, target_labels):  # pragma: no cover - compiled
    """Look up the targets' tokens (R, B, E) and labels (R, B)."""
    for r in range(target.shape[0]):
        for b in range(target.shape[1]):
            row = target[r, b]
            target_labels[r, b] = labels[r, row]
            for i in range(table.shape[2]):
                tokens[r, b, i] = table[r, row, i]


@compile_loop
def add_bias_relu(hidden, bias):  # pragma: no cover - compiled
    """Turn a layer's products (R, B, d) into its activations, in place; NaN stays NaN."""
    for r in range(hidden.shape[0]):
        for b in range(hidden.shape[1]):
            for i in range(hidden.shape[2]):
                value = hidden[r, b, i] + bias[r, i]
                hidden[r, b, i] = np.float32(0) if value < 0 else value


@compile_loop
def relu_backward(gradient, hidden, bias, keep, rate):  # pragma: no cover - compiled
    """Mask the gradient (R, B, d) of activations, in place, and train the layer's bias (R, d)."""
    total = np.empty(bias.shape[1], np.float32)
    for r in range(gradient.shape[0]):
        total[:] = 0
        for b in range(gradient.shape[1]):
            for i in range(gradient.shape[2]):
                value = gradient[r, b, i] if hidden[r, b, i] > 0 else np.float32(0)
                gradient[r, b, i] = value
                total[i] += value
        for i in range(gradient.shape[2]):
            bias[r, i] = keep * bias[r, i] - rate * total[i]


@compile_loop
def read_out(hidden, bias, readout, readout_bias, logits):  # pragma: no cover - compiled
    """Fill the logits (R, B) from the second hidden layer's products (R, B, d)."""
    for r in range(hidden.shape[0]):
        for b in range(hidden.shape[1]):
            logit = readout_bias[r, 0]
            for i in range(hidden.shape[2]):
                value = hidden[r, b, i] + bias[r, i]
                logit += (np.float32(0) if value < 0 else value) * readout[r, 0, i]
            logits[r, b] = logit


@compile_loop
def train_readout(
    hidden, bias, readout, readout_bias, labels, keep, rate
):  # pragma: no cover - compiled
    """Train the MLP's last layer, and the bias before it, and pass the gradient on.

    One pass: activations, logit, the loss's gradient -l sigma(-l z) / B, and the layer's gradients.

    Args:
        hidden: (R, B, d) the second hidden layer's products; becomes their gradient.
        bias: (R, d) that layer's bias.
        readout: (R, 1, d).
        readout_bias: (R, 1).
        labels: (R, B) the targets' labels.
        keep: 1 - rate * weight decay.
        rate: the learning rate.
    """
    n_replicates, n_sequences, n_hidden = hidden.shape
    readout_gradient = np.empty(n_hidden, np.float32)
    bias_gradient = np.empty(n_hidden, np.float32)
    for r in range(n_replicates):
        readout_gradient[:] = 0
        bias_gradient[:] = 0
        logit_gradient = np.float32(0)
        w, shift = readout[r, 0], bias[r]
        for b in range(n_sequences):
            h = hidden[r, b]
            logit = readout_bias[r, 0]
            for i in range(n_hidden):
                value = h[i] + shift[i]
                h[i] = np.float32(0) if value < 0 else value
                logit += h[i] * w[i]
            label = labels[r, b]
            g = -label / (np.float32(1) + np.exp(label * logit)) / np.float32(n_sequences)
            logit_gradient += g
            for i in range(n_hidden):
                readout_gradient[i] += g * h[i]
                h[i] = g * w[i] if h[i] > 0 else np.float32(0)
                bias_gradient[i] += h[i]
        for i in range(n_hidden):
            w[i] = keep * w[i] - rate * readout_gradient[i]
            shift[i] = keep * shift[i] - rate * bias_gradient[i]
        readout_bias[r, 0] = keep * readout_bias[r, 0] - rate * logit_gradient
