"""Compiled attention on a CPU: scores, softmax and weighted sums, straight from a table of rows.

No (R, B, N, E) tensor is ever written. Rows are asked for some rows ahead, because their order is
random and a large table does not fit in the caches.

A row is D + 1 numbers and zeros up to whole vectors (`compiled.padded_width`), for two numbers of
each token tell one: the components of the transformer's token add up to 0 (LayerNorm), so that its
last is left out; the minimal model's row is an item and its label.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from icl.kernels.compiled import (
    LANES,
    NEVER,
    add_rows,
    compile_loop,
    dot_rows,
    exponential,
    inline_loop,
    prefetch,
    scratch,
)

ROWS_AHEAD = 12
ROWS_TOGETHER = 32  # of the backward pass: their second reading finds them in the nearest cache


@inline_loop
def _offset(base, context, first, n, length, width):  # pragma: no cover - compiled
    """Return where row n of a sequence starts; beyond the context its last row is repeated."""
    place = np.uint64(first + min(n, length - 1))
    return base + np.uint64(context[place]) * np.uint64(width)


@inline_loop
def _prefetch_rows(table, base, context, position, width):  # pragma: no cover - compiled
    last = context.shape[0] - 1
    for m in range(4):
        place = np.uint64(min(position + ROWS_AHEAD + m, last))
        row = base + np.uint64(context[place]) * np.uint64(width)
        for offset in range(0, width, LANES):
            prefetch(table, row + np.uint64(offset))


@inline_loop
def _softmax(scores, length, own):  # pragma: no cover - compiled
    """Turn N scores, and the last one, `own`, into weights; those between weigh nothing.

    A score that is not finite makes all weights NaN, which the largest score alone would not.
    """
    n_scores = scores.shape[0]
    scores[n_scores - 1] = own
    for n in range(length, n_scores - 1):
        scores[n] = NEVER
    top, zero = own, np.float32(0) * own
    for n in range(length):
        top = max(top, scores[n])
        zero += np.float32(0) * scores[n]
    total = np.float32(0)
    for n in range(n_scores):
        scores[n] = exponential(scores[n] - top)
        total += scores[n]
    scale = (np.float32(1) + zero) / total
    for n in range(n_scores):
        scores[n] *= scale


class Attention(NamedTuple):
    """The compiled loops over rows of one width P.

    All take the table (R, K, P), the context (R, all, N) of rows in it and the first of the B
    sequences to compute, all contiguous.

    Attributes:
        forward: (table, context, first, tokens, query, with_self, weights, read). Fills the softmax
            and the weighted sum of tokens, read (R, B, E), of the scores token . query, query being
            (R, B, E). tokens (R, B, E) are the targets' own. weights is (R, B, n + 1), n being N
            rounded up to a multiple of four: the rows from N to n weigh nothing, the last weight is
            the target's own token's (nothing unless with_self).
        backward: (table, context, first, tokens, weights, read, read_gradient, query_gradient).
            Fills the last from the one before. The gradient of score n is a_n (da_n - sum_m a_m
            da_m) with da_n = token_n . read_gradient; the sum is read . read_gradient, known
            beforehand.
        head: (table, context, first, items, beta, read, read_slope). Of the minimal model: fills
            the weighted sum of labels (R, B) and its derivative with respect to beta (R,), the
            weights being the softmax of beta x'_j . x'. items (R, B, D) are the targets'.
    """

    forward: Callable
    backward: Callable
    head: Callable


@cache
def attention(width: int) -> Attention:
    """Compile the loops for rows of one width, which are then unrolled in full.

    The closures hold no more than the width, or they could not be cached on disk.
    """

    @compile_loop
    def forward(table, context, first, tokens, query, with_self, weights, read):
        n_replicates, n_sequences, n_components = tokens.shape
        length, padded, e = context.shape[2], weights.shape[2] - 1, n_components - 1
        rows = table.reshape(-1)
        q, total = scratch(width), scratch(width)
        for r in range(n_replicates):
            base = np.uint64(r * table.shape[1] * width)
            places = context[r].reshape(-1)
            for b in range(n_sequences):
                start, a, own = (first + b) * length, weights[r, b], NEVER
                for i in range(e):
                    q[i] = query[r, b, i] - query[r, b, e]
                if with_self:
                    own = np.float32(0)
                    for i in range(e):
                        own += tokens[r, b, i] * q[i]
                for n in range(0, padded, 4):
                    _prefetch_rows(rows, base, places, start + n, width)
                    o0 = _offset(base, places, start, n, length, width)
                    o1 = _offset(base, places, start, n + 1, length, width)
                    o2 = _offset(base, places, start, n + 2, length, width)
                    o3 = _offset(base, places, start, n + 3, length, width)
                    dot_rows(rows, o0, o1, o2, o3, q, a, n, width)
                _softmax(a, length, own)
                for i in range(e):
                    total[i] = a[padded] * tokens[r, b, i]
                for n in range(0, padded, 4):
                    o0 = _offset(base, places, start, n, length, width)
                    o1 = _offset(base, places, start, n + 1, length, width)
                    o2 = _offset(base, places, start, n + 2, length, width)
                    o3 = _offset(base, places, start, n + 3, length, width)
                    add_rows(rows, o0, o1, o2, o3, a, n, total, width)
                last = np.float32(0)
                for i in range(e):
                    read[r, b, i] = total[i]
                    last -= total[i]
                read[r, b, e] = last

    @compile_loop
    def backward(table, context, first, tokens, weights, read, read_gradient, query_gradient):
        n_replicates, n_sequences, n_components = tokens.shape
        length, padded, e = context.shape[2], weights.shape[2] - 1, n_components - 1
        rows = table.reshape(-1)
        g, total = scratch(width), scratch(width)
        factors = scratch(ROWS_TOGETHER)
        for r in range(n_replicates):
            base = np.uint64(r * table.shape[1] * width)
            places = context[r].reshape(-1)
            for b in range(n_sequences):
                start, a = (first + b) * length, weights[r, b]
                mean, own = np.float32(0), np.float32(0)
                for i in range(e):
                    g[i] = read_gradient[r, b, i] - read_gradient[r, b, e]
                    mean += read[r, b, i] * g[i]
                    own += tokens[r, b, i] * g[i]
                own = a[padded] * (own - mean)
                for i in range(e):
                    total[i] = own * tokens[r, b, i]
                for begin in range(0, padded, ROWS_TOGETHER):
                    n_rows = min(ROWS_TOGETHER, padded - begin)
                    for n in range(0, n_rows, 4):
                        _prefetch_rows(rows, base, places, start + begin + n, width)
                        o0 = _offset(base, places, start, begin + n, length, width)
                        o1 = _offset(base, places, start, begin + n + 1, length, width)
                        o2 = _offset(base, places, start, begin + n + 2, length, width)
                        o3 = _offset(base, places, start, begin + n + 3, length, width)
                        dot_rows(rows, o0, o1, o2, o3, g, factors, n, width)
                    for n in range(n_rows):
                        factors[n] = a[begin + n] * (factors[n] - mean)
                    for n in range(0, n_rows, 4):
                        o0 = _offset(base, places, start, begin + n, length, width)
                        o1 = _offset(base, places, start, begin + n + 1, length, width)
                        o2 = _offset(base, places, start, begin + n + 2, length, width)
                        o3 = _offset(base, places, start, begin + n + 3, length, width)
                        add_rows(rows, o0, o1, o2, o3, factors, n, total, width)
                last = np.float32(0)
                for i in range(e):
                    query_gradient[r, b, i] = total[i]
                    last -= total[i]
                query_gradient[r, b, e] = last

    @compile_loop
    def head(table, context, first, items, beta, read, read_slope):
        n_replicates, n_sequences, item_dim = items.shape
        length = context.shape[2]
        padded = -(-length // 4) * 4
        rows = table.reshape(-1)
        x = scratch(width)
        overlaps, labels, a = scratch(padded), scratch(padded), scratch(padded + 1)
        for r in range(n_replicates):
            base = np.uint64(r * table.shape[1] * width)
            places = context[r].reshape(-1)
            for b in range(n_sequences):
                start = (first + b) * length
                for i in range(item_dim):
                    x[i] = items[r, b, i]
                for n in range(0, padded, 4):
                    _prefetch_rows(rows, base, places, start + n, width)
                    o0 = _offset(base, places, start, n, length, width)
                    o1 = _offset(base, places, start, n + 1, length, width)
                    o2 = _offset(base, places, start, n + 2, length, width)
                    o3 = _offset(base, places, start, n + 3, length, width)
                    dot_rows(rows, o0, o1, o2, o3, x, overlaps, n, width)
                    label = np.uint64(item_dim)
                    labels[n], labels[n + 1] = rows[o0 + label], rows[o1 + label]
                    labels[n + 2], labels[n + 3] = rows[o2 + label], rows[o3 + label]
                for n in range(padded):
                    a[n] = beta[r] * overlaps[n]
                _softmax(a, length, NEVER)
                answer, overlap, product = np.float32(0), np.float32(0), np.float32(0)
                for n in range(padded):
                    answer += a[n] * labels[n]
                    overlap += a[n] * overlaps[n]
                    product += a[n] * overlaps[n] * labels[n]
                read[r, b] = answer
                read_slope[r, b] = product - answer * overlap

    return Attention(forward, backward, head)
