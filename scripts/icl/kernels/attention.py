"""Attention on a CPU: scores, softmax and weighted sums, straight from a table of rows.

No (R, B, N, E) tensor is ever written. Rows are prefetched, because their order is random and a
large table does not fit in the caches. D + 1 numbers tell a whole token: the transformer's add up
to 0 (LayerNorm), so its last one is left out; the minimal model's row is an item and its label.

All loops take contiguous arrays: the table (R, K, P), the context (R, all, N) of rows in it, and
the first of the B sequences to compute.
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
    inline_loop,
    prefetch,
    restore_last,
    scratch,
    softmax,
)

ROWS_AHEAD = 12
ROWS_TOGETHER = 32  # of the backward pass: their second reading finds them in the nearest cache


@inline_loop
def _locate(table, context, first, starts):
    """Fill starts (B, n) with the places of a context's rows in a replicate's flat table.

    Beyond the context, up to whole fours, its last row is repeated.
    """
    last, width = context.shape[1] - 1, np.uint64(table.shape[1])
    for b in range(starts.shape[0]):
        for n in range(starts.shape[1]):
            starts[b, n] = np.uint64(context[first + b, min(n, last)]) * width
    return table.reshape(-1), starts.reshape(-1)


@inline_loop
def _four(starts, n):
    n = np.uint64(n)
    return starts[n], starts[n + np.uint64(1)], starts[n + np.uint64(2)], starts[n + np.uint64(3)]


@inline_loop
def _multiply_rows(rows, starts, begin, n_rows, vector, out, width):
    """Fill out[:n_rows] with the products of a vector and the rows at starts[begin:]."""
    for n in range(0, n_rows, 4):
        ahead = min(begin + n + ROWS_AHEAD, starts.shape[0] - 4)
        for start in _four(starts, ahead):
            for offset in range(0, width, LANES):
                prefetch(rows, start + np.uint64(offset))
        dot_rows(rows, _four(starts, begin + n), vector, out, n, width)


@inline_loop
def _add_rows(rows, starts, begin, n_rows, factors, total, width):
    """Add the rows at starts[begin:], times factors[:n_rows], to the total."""
    for n in range(0, n_rows, 4):
        add_rows(rows, _four(starts, begin + n), factors, n, total, width)


@inline_loop
def _attend(scores, length, own):
    """Turn N scores and the last, which becomes `own`, into weights; those between get none."""
    for n in range(length, scores.shape[0] - 1):
        scores[n] = NEVER
    scores[scores.shape[0] - 1] = own
    softmax(scores)


class Attention(NamedTuple):
    """Compiled loops over rows of one width."""

    forward: Callable
    backward: Callable
    head: Callable


@cache
def attention(width: int) -> Attention:
    """Compile the loops for rows of one width, over which they are then unrolled."""
    return Attention(_forward(width), _backward(width), _head(width))


# The closures hold no more than the width, or they could not be cached on disk.


def _forward(width: int) -> Callable:
    @compile_loop
    def forward(table, context, first, tokens, query, with_self, weights, read):
        """Fill the softmax of token . query, and the weighted sum of tokens, read (R, B, E).

        tokens (R, B, E) are the targets' own; query is (R, B, E). weights is (R, B, n + 1), n being
        N rounded up to a multiple of four: the weights from N to n are 0, and the last is that of
        the target's own token (0 unless with_self).
        """
        n_replicates, n_sequences, n_components = tokens.shape
        length, padded, e = context.shape[2], weights.shape[2] - 1, n_components - 1
        q, total = scratch(width), scratch(width)
        places = np.empty((n_sequences, padded), np.uint64)
        for r in range(n_replicates):
            rows, starts = _locate(table[r], context[r], first, places)
            for b in range(n_sequences):
                start, a, own = b * padded, weights[r, b], NEVER
                for i in range(e):
                    q[i] = query[r, b, i] - query[r, b, e]
                if with_self:
                    own = np.float32(0)
                    for i in range(e):
                        own += tokens[r, b, i] * q[i]
                _multiply_rows(rows, starts, start, padded, q, a, width)
                _attend(a, length, own)
                for i in range(e):
                    total[i] = a[padded] * tokens[r, b, i]
                _add_rows(rows, starts, start, padded, a, total, width)
                restore_last(total, read[r, b])

    return forward


def _backward(width: int) -> Callable:
    @compile_loop
    def backward(table, context, first, tokens, weights, read, read_gradient, query_gradient):
        """Fill the query's gradient from that of read.

        The gradient of score n is a_n (da_n - sum_m a_m da_m) with da_n = token_n . read_gradient;
        the sum is read . read_gradient, known beforehand.
        """
        n_replicates, n_sequences, n_components = tokens.shape
        padded, e = weights.shape[2] - 1, n_components - 1
        g, total, factors = scratch(width), scratch(width), scratch(ROWS_TOGETHER)
        places = np.empty((n_sequences, padded), np.uint64)
        for r in range(n_replicates):
            rows, starts = _locate(table[r], context[r], first, places)
            for b in range(n_sequences):
                start, a = b * padded, weights[r, b]
                mean, own = np.float32(0), np.float32(0)
                for i in range(e):
                    g[i] = read_gradient[r, b, i] - read_gradient[r, b, e]
                    mean += read[r, b, i] * g[i]
                    own += tokens[r, b, i] * g[i]
                own = a[padded] * (own - mean)
                for i in range(e):
                    total[i] = own * tokens[r, b, i]
                for n in range(0, padded, ROWS_TOGETHER):
                    n_rows = min(ROWS_TOGETHER, padded - n)
                    _multiply_rows(rows, starts, start + n, n_rows, g, factors, width)
                    for m in range(n_rows):
                        factors[m] = a[n + m] * (factors[m] - mean)
                    _add_rows(rows, starts, start + n, n_rows, factors, total, width)
                restore_last(total, query_gradient[r, b])

    return backward


def _head(width: int) -> Callable:
    @compile_loop
    def head(table, context, first, items, beta, read, read_slope):
        """Fill the minimal model's weighted sum of labels (R, B), and its derivative by beta (R,).

        The weights are the softmax of beta x'_j . x'; items (R, B, D) are the targets'.
        """
        n_replicates, n_sequences, item_dim = items.shape
        length = context.shape[2]
        padded = -(-length // 4) * 4
        x, places = scratch(width), np.empty((n_sequences, padded), np.uint64)
        overlaps, labels, a = scratch(padded), scratch(padded), scratch(padded + 1)
        for r in range(n_replicates):
            rows, starts = _locate(table[r], context[r], first, places)
            for b in range(n_sequences):
                for i in range(item_dim):
                    x[i] = items[r, b, i]
                _multiply_rows(rows, starts, b * padded, padded, x, overlaps, width)
                for n in range(padded):
                    labels[n] = rows[starts[np.uint64(b * padded + n)] + np.uint64(item_dim)]
                    a[n] = beta[r] * overlaps[n]
                _attend(a, length, NEVER)
                answer, overlap, product = np.float32(0), np.float32(0), np.float32(0)
                for n in range(padded):
                    answer += a[n] * labels[n]
                    overlap += a[n] * overlaps[n]
                    product += a[n] * overlaps[n] * labels[n]
                read[r, b] = answer
                read_slope[r, b] = product - answer * overlap

    return head
