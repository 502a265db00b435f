"""Compiled attention of the one-layer model on a CPU: scores, softmax and weighted sums.

Each row is read straight from the token table, so that no (R, B, N, E) tensor is ever written. Rows
are taken four at a time, which keeps four sums in flight, and are asked for some rows ahead,
because their order is random and a large table does not fit in the caches.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from icl.kernels import compile_loop, inline_loop

ROWS_AHEAD = 16
CACHE_LINE = 16  # float32 numbers
NEVER = np.float32(-1e30)  # the score of a row that must not be attended to


@intrinsic
def _prefetch(typing_context, array, offset):
    """Ask for the cache line of a contiguous array's element."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.gep(data, [arguments[1]])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        declared = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, declared, "llvm.prefetch.p0")
        read, keep, data_cache = word(0), word(3), word(1)
        builder.call(function, [builder.bitcast(address, byte), read, keep, data_cache])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@compile_loop
def exponential(x):  # pragma: no cover - compiled
    """Return exp(x) for x <= 0 in float32, in a form that vectorises; 0 below -88."""
    power = (x if x > np.float32(-88) else np.float32(-88)) * np.float32(1.4426950408889634)
    whole = np.floor(power + np.float32(0.5))
    rest = power - whole  # in [-1/2, 1/2]: 2^rest by its polynomial, 2^whole by its bits
    value = np.float32(1.5403530393381608e-4)
    value = value * rest + np.float32(1.3333558146428443e-3)
    value = value * rest + np.float32(9.6181291076284772e-3)
    value = value * rest + np.float32(5.5504108664821580e-2)
    value = value * rest + np.float32(2.4022650695910072e-1)
    value = value * rest + np.float32(6.9314718055994531e-1)
    value = value * rest + np.float32(1.0)
    return value * np.int32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


@inline_loop
def _prefetch_rows(flat_table, base, flat_context, position, width):  # pragma: no cover - compiled
    for m in range(4):
        n = min(position + ROWS_AHEAD + m, flat_context.shape[0] - 1)
        row = base + np.uint64(flat_context[np.uint64(n)]) * np.uint64(width)
        for offset in range(0, width, CACHE_LINE):
            _prefetch(flat_table, row + np.uint64(offset))


@inline_loop
def _offsets(base, context, n, width):  # pragma: no cover - compiled
    """Return where four rows start; beyond the context its last row is repeated."""
    last, size = context.shape[0] - 1, np.uint64(width)
    return (
        base + np.uint64(context[np.uint64(n)]) * size,
        base + np.uint64(context[np.uint64(min(n + 1, last))]) * size,
        base + np.uint64(context[np.uint64(min(n + 2, last))]) * size,
        base + np.uint64(context[np.uint64(min(n + 3, last))]) * size,
    )


@inline_loop
def _dots(flat_table, rows, vector, width):  # pragma: no cover - compiled
    o0, o1, o2, o3 = rows
    s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for i in range(width):
        j = np.uint64(i)
        s0 += flat_table[o0 + j] * vector[j]
        s1 += flat_table[o1 + j] * vector[j]
        s2 += flat_table[o2 + j] * vector[j]
        s3 += flat_table[o3 + j] * vector[j]
    return s0, s1, s2, s3


@inline_loop
def _add_rows(flat_table, rows, factors, out, width):  # pragma: no cover - compiled
    o0, o1, o2, o3 = rows
    a0, a1, a2, a3 = factors
    for i in range(width):
        j = np.uint64(i)
        sum01 = a0 * flat_table[o0 + j] + a1 * flat_table[o1 + j]
        out[j] += sum01 + a2 * flat_table[o2 + j] + a3 * flat_table[o3 + j]


@inline_loop
def _dot(a, b):  # pragma: no cover - compiled
    total = np.float32(0)
    for i in range(a.shape[0]):
        total += a[i] * b[i]
    return total


class Attention(NamedTuple):
    """The compiled halves of attention, for tokens of one width E.

    Both take the labelled table (R, K, E), the context (R, B, N) of rows in it and the targets' own
    tokens (R, B, E), all contiguous.

    Attributes:
        forward: (table, context, tokens, query, with_self, weights, read). Fills the softmax and
            the weighted sum, read (R, B, E), of the scores row . query, query being (R, B, E).
            weights is (R, B, P + 1), P being N rounded up to a multiple of four: the rows from N
            to P weigh nothing, the last is the target's own token's (nothing unless with_self).
        backward: (table, context, tokens, weights, read, read_gradient, query_gradient). Fills the
            last from the one before. The gradient of score n is a_n (da_n - sum_m a_m da_m) with
            da_n = row_n . read_gradient; the sum is read . read_gradient, known beforehand, so that
            one pass over the rows is enough.
    """

    forward: Callable
    backward: Callable


@cache
def attention(width: int) -> Attention:
    """Compile attention for one width: its loops over a token are then unrolled in full.

    Rows are read by unsigned offsets into the flat table: a view of each row, or an index that
    might be negative, would cost more than the arithmetic. The closures hold no more than the
    width, or they could not be cached on disk.
    """

    @compile_loop
    def forward(table, context, tokens, query, with_self, weights, read):
        n_replicates, n_sequences, length = context.shape
        padded = weights.shape[2] - 1
        flat_table = table.reshape(-1)
        for r in range(n_replicates):
            base = np.uint64(r * table.shape[1] * width)
            flat_context = context[r].reshape(-1)
            for b in range(n_sequences):
                c, q, a, out = context[r, b], query[r, b], weights[r, b], read[r, b]
                top = _dot(tokens[r, b], q) if with_self else NEVER
                a[padded] = top
                for n in range(0, padded, 4):
                    _prefetch_rows(flat_table, base, flat_context, b * length + n, width)
                    s0, s1, s2, s3 = _dots(flat_table, _offsets(base, c, n, width), q, width)
                    top = max(max(max(s0, s1), max(s2, s3)), top)
                    a[n], a[n + 1], a[n + 2], a[n + 3] = s0, s1, s2, s3
                for n in range(length, padded):
                    a[n] = NEVER
                for n in range(padded + 1):
                    a[n] = exponential(a[n] - top)
                total = np.float32(0)
                for n in range(padded + 1):
                    total += a[n]
                scale = np.float32(1) / total
                for n in range(padded + 1):
                    a[n] *= scale
                for i in range(width):
                    out[i] = a[padded] * tokens[r, b, i]
                for n in range(0, padded, 4):
                    factors = a[n], a[n + 1], a[n + 2], a[n + 3]
                    _add_rows(flat_table, _offsets(base, c, n, width), factors, out, width)

    @compile_loop
    def backward(table, context, tokens, weights, read, read_gradient, query_gradient):
        n_replicates, n_sequences, length = context.shape
        padded = weights.shape[2] - 1
        flat_table = table.reshape(-1)
        for r in range(n_replicates):
            base = np.uint64(r * table.shape[1] * width)
            flat_context = context[r].reshape(-1)
            for b in range(n_sequences):
                c, a, g, out = (
                    context[r, b],
                    weights[r, b],
                    read_gradient[r, b],
                    query_gradient[r, b],
                )
                mean = _dot(read[r, b], g)
                own = a[padded] * (_dot(tokens[r, b], g) - mean)
                for i in range(width):
                    out[i] = own * tokens[r, b, i]
                for n in range(0, padded, 4):
                    _prefetch_rows(flat_table, base, flat_context, b * length + n, width)
                    rows = _offsets(base, c, n, width)
                    s0, s1, s2, s3 = _dots(flat_table, rows, g, width)
                    s0, s1 = a[n] * (s0 - mean), a[n + 1] * (s1 - mean)
                    s2, s3 = a[n + 2] * (s2 - mean), a[n + 3] * (s3 - mean)
                    _add_rows(flat_table, rows, (s0, s1, s2, s3), out, width)

    return Attention(forward, backward)
