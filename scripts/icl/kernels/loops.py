"""What the fast steps do between matrix products."""

import numpy as np

from icl.kernels.compiled import compile_loop, restore_last, scratch, softmax


@compile_loop
def pack_tokens(items, labels, scale, epsilon, rows):
    """Fill rows (K, P) with the normalised tokens of items (K, D), times scale, and labels (K,)."""
    n_items, item_dim = items.shape
    width = np.float32(item_dim + 2)
    for k in range(n_items):
        x, to = items[k], rows[k]
        total, square = np.float32(0), np.float32(0)
        for i in range(item_dim):
            total += x[i]
            square += x[i] * x[i]
        mean = (scale * total + np.float32(1)) / width
        # Items have mean 0 but for chance: the mean's square is small, and the difference exact.
        variance = (scale * scale * square + np.float32(1)) / width - mean * mean
        norm = np.float32(1) / np.sqrt(variance + epsilon)
        factor, shift = scale * norm, mean * norm
        for i in range(item_dim):
            to[i] = factor * x[i] - shift
        to[item_dim] = (norm if labels[k] > 0 else np.float32(0)) - shift
        for i in range(item_dim + 1, rows.shape[1]):
            to[i] = 0


@compile_loop
def target_tokens(rows, labels, target, first, epsilon, tokens, target_labels):
    """Fill tokens (R, B, E) of targets (R, all) without their labels, and the labels (R, B).

    Rows (R, K, P) are those of `pack_tokens`. Of a row's two label components one stands for 0 and
    one for 1: they tell what LayerNorm subtracted and by what it scaled, and so the item.
    """
    n_replicates, n_sequences, n_components = tokens.shape
    item_dim, width = n_components - 2, np.float32(n_components)
    for r in range(n_replicates):
        for b in range(n_sequences):
            k = target[r, first + b]
            x, to = rows[r, k], tokens[r, b]
            # All loops run over one component more than an item has: whole vectors where D = 63.
            total = -x[item_dim]
            for i in range(item_dim + 1):
                total += x[i]
            positive = labels[r, k] > 0
            negative_component = -total - x[item_dim]
            zero = negative_component if positive else x[item_dim]
            scale = (x[item_dim] if positive else negative_component) - zero
            mean = (total - np.float32(item_dim) * zero) / width  # of the item, times scale
            shift = zero + mean
            for i in range(item_dim + 1):
                to[i] = x[i] - shift
            to[item_dim] = 0
            square = np.float32(2) * mean * mean
            for i in range(item_dim + 1):
                square += to[i] * to[i]
            norm = np.float32(1) / np.sqrt(square / width + epsilon * scale * scale)
            for i in range(item_dim + 1):
                to[i] *= norm
            to[item_dim] = to[item_dim + 1] = -mean * norm
            target_labels[r, b] = labels[r, k]


@compile_loop
def balanced_sequences(words, items, n_positive, context, target):
    """Fill context and target as `sampling.arrange_balanced` does.

    Items (R, K) are sorted by label; the first n_positive (R,) are labelled +1.
    """
    n_replicates, n_sequences, length = context.shape
    n_items = items.shape[1]
    for r in range(n_replicates):
        n_first = n_positive[r]
        for b in range(n_sequences):
            chosen, to = words[r, b, :length], context[r, b]
            arranged = words[r, b, length : 2 * length]
            for n in range(length):
                larger = 0  # words; the largest half of them mean +1, of equal ones the first
                for m in range(n):
                    larger += arranged[m] >= arranged[n]
                for m in range(n + 1, length):
                    larger += arranged[m] > arranged[n]
                first, n_alike = 0, n_first
                if 2 * larger >= length:
                    first, n_alike = n_first, n_items - n_first
                to[n] = items[r, first + ((chosen[n] * n_alike) >> 32)]
            target[r, b] = to[(words[r, b, 2 * length] * length) >> 32]


@compile_loop
def pack_items(items, labels, scale, rows):
    """Fill rows (K, P) with items (K, D), times scale, and labels (K,)."""
    n_items, item_dim = items.shape
    for k in range(n_items):
        for i in range(item_dim):
            rows[k, i] = scale * items[k, i]
        rows[k, item_dim] = labels[k]
        for i in range(item_dim + 1, rows.shape[1]):
            rows[k, i] = 0


@compile_loop
def target_items(rows, target, first, items, target_labels):
    """Look up the targets' items (R, B, D) and labels (R, B) in the rows of `pack_items`."""
    n_replicates, n_sequences, item_dim = items.shape
    for r in range(n_replicates):
        for b in range(n_sequences):
            x = rows[r, target[r, first + b]]
            for i in range(item_dim):
                items[r, b, i] = x[i]
            target_labels[r, b] = x[item_dim]


@compile_loop
def normalise_items(items, epsilon, tokens):
    """Normalise items (R, B, D) with an empty label to tokens (R, B, E)."""
    n_replicates, n_sequences, item_dim = items.shape
    width = np.float32(item_dim + 2)
    for r in range(n_replicates):
        for b in range(n_sequences):
            x, to = items[r, b], tokens[r, b]
            total = np.float32(0)
            for i in range(item_dim):
                total += x[i]
            mean = total / width
            square = np.float32(2) * mean * mean
            for i in range(item_dim):
                to[i] = x[i] - mean
                square += to[i] * to[i]
            norm = np.float32(1) / np.sqrt(square / width + epsilon)
            for i in range(item_dim):
                to[i] *= norm
            to[item_dim] = to[item_dim + 1] = -mean * norm


@compile_loop
def train_head(w, beta, read, read_slope, logit_gradient, keep, rate):
    """Train the minimal model's w and beta (R,) from what `Attention.head` fills, (R, B) each.

    keep holds 1 - rate * weight decay of w, and that of beta.
    """
    for r in range(read.shape[0]):
        by_w, by_beta = np.float32(0), np.float32(0)
        for b in range(read.shape[1]):
            by_w += logit_gradient[r, b] * read[r, b]
            by_beta += logit_gradient[r, b] * read_slope[r, b]
        by_beta *= w[r]
        w[r] = keep[0] * w[r] - rate * by_w
        beta[r] = keep[1] * beta[r] - rate * by_beta


@compile_loop
def add_bias_relu(hidden, bias):
    """Add the bias (R, d) to products (R, B, d) and apply ReLU, in place; NaN stays NaN."""
    for r in range(hidden.shape[0]):
        for b in range(hidden.shape[1]):
            for i in range(hidden.shape[2]):
                value = hidden[r, b, i] + bias[r, i]
                hidden[r, b, i] = np.float32(0) if value < 0 else value


@compile_loop
def relu_backward(gradient, hidden, bias, keep, rate):
    """Take the gradient (R, B, d) back through ReLU, in place, and train the bias (R, d)."""
    total = scratch(bias.shape[1])
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
def read_out(hidden, bias, readout, readout_bias, others, first, logits):
    """Fill logits[:, first : first + B] from the last hidden layer's products (R, B, d)."""
    for r in range(hidden.shape[0]):
        for b in range(hidden.shape[1]):
            logit = readout_bias[r, 0] + others[r, b]
            for i in range(hidden.shape[2]):
                value = hidden[r, b, i] + bias[r, i]
                logit += (np.float32(0) if value < 0 else value) * readout[r, 0, i]
            logits[r, first + b] = logit


@compile_loop
def train_readout(hidden, bias, readout, readout_bias, labels, others, keep, rate, logit_gradient):
    """Train the MLP's last layer, and the bias before it, and pass the gradient on.

    One pass gives activations, logit (with `others` added), the loss's gradient -l sigma(-l z) / B,
    which fills logit_gradient (R, B), and the layer's gradients. hidden (R, B, d), the last hidden
    layer's products, becomes their gradient. keep is 1 - rate * weight decay.
    """
    n_replicates, n_sequences, n_hidden = hidden.shape
    readout_gradient, bias_gradient = scratch(n_hidden), scratch(n_hidden)
    for r in range(n_replicates):
        readout_gradient[:] = 0
        bias_gradient[:] = 0
        by_bias = np.float32(0)
        w, shift = readout[r, 0], bias[r]
        for b in range(n_sequences):
            h = hidden[r, b]
            logit = readout_bias[r, 0] + others[r, b]
            for i in range(n_hidden):
                value = h[i] + shift[i]
                h[i] = np.float32(0) if value < 0 else value
                logit += h[i] * w[i]
            label = labels[r, b]
            g = -label / (np.float32(1) + np.exp(label * logit)) / np.float32(n_sequences)
            logit_gradient[r, b] = g
            by_bias += g
            for i in range(n_hidden):
                readout_gradient[i] += g * h[i]
                h[i] = g * w[i] if h[i] > 0 else np.float32(0)
                bias_gradient[i] += h[i]
        for i in range(n_hidden):
            w[i] = keep * w[i] - rate * readout_gradient[i]
            shift[i] = keep * shift[i] - rate * bias_gradient[i]
        readout_bias[r, 0] = keep * readout_bias[r, 0] - rate * by_bias


@compile_loop
def sequences_of_tokens(rows, context, first, tokens):
    """Fill the context's tokens, tokens[:, :-1] of (B, N + 1, E), for one replicate."""
    for b in range(tokens.shape[0]):
        for n in range(tokens.shape[1] - 1):
            restore_last(rows[context[first + b, n]], tokens[b, n])


@compile_loop
def causal_softmax(scores, with_self):
    """Turn scores (B, N + 1, N + 1) into weights; the last token attends to itself or not."""
    n_tokens = scores.shape[1]
    for b in range(scores.shape[0]):
        for i in range(n_tokens):
            row = scores[b, i]
            length = i + 1 if with_self or i < n_tokens - 1 else i
            softmax(row[:length])
            row[length:] = 0


@compile_loop
def softmax_backward(weights, gradient):
    """Turn the gradient of the weights (B, N + 1, N + 1) into that of the scores, in place."""
    for b in range(weights.shape[0]):
        for i in range(weights.shape[1]):
            a, g = weights[b, i], gradient[b, i]
            mean = np.float32(0)
            for j in range(weights.shape[2]):
                mean += a[j] * g[j]
            for j in range(weights.shape[2]):
                g[j] = a[j] * (g[j] - mean)


@compile_loop
def last_attention(tokens, query, with_self, weights, read):
    """Let the last token attend to tokens (B, N + 1, E): fill weights (B, N + 1), read (B, E)."""
    n_sequences, n_tokens, width = tokens.shape
    length = n_tokens if with_self else n_tokens - 1
    for b in range(n_sequences):
        q, a, out = query[b], weights[b], read[b]
        for n in range(n_tokens):
            score = np.float32(0)
            for i in range(width):
                score += tokens[b, n, i] * q[i]
            a[n] = score
        softmax(a[:length])
        a[length:] = 0
        for i in range(width):
            out[i] = 0
        for n in range(length):
            for i in range(width):
                out[i] += a[n] * tokens[b, n, i]


@compile_loop
def last_attention_backward(
    tokens, query, weights, read, read_gradient, tokens_gradient, query_gradient
):
    """Fill the gradients of tokens and query of `last_attention` from that of read."""
    n_sequences, n_tokens, width = tokens.shape
    for b in range(n_sequences):
        q, g, out = query[b], read_gradient[b], query_gradient[b]
        mean = np.float32(0)
        for i in range(width):
            mean += read[b, i] * g[i]
            out[i] = 0
        for n in range(n_tokens):
            x, to, weight = tokens[b, n], tokens_gradient[b, n], weights[b, n]
            weight_gradient = np.float32(0)
            for i in range(width):
                weight_gradient += x[i] * g[i]
            score_gradient = weight * (weight_gradient - mean)
            for i in range(width):
                out[i] += score_gradient * x[i]
                to[i] = weight * g[i] + score_gradient * q[i]
