"""How numba compiles loops for the CPU, and the vector instructions that they are written with.

A row is a run of float32 numbers in a flat table, its width a multiple of `LANES`. Rows are taken
four at a time, which keeps four sums in flight.
"""

import functools
import hashlib
from pathlib import Path
from typing import Any

import llvmlite.binding
import numba
import numpy as np
from llvmlite import ir
from numba.core import caching, cgutils, types
from numba.extending import intrinsic

LANES = 16  # float32 numbers of a cache line, and of the widest vectors
# Left free around what loops write: a loop whose arrays lie closer together than its steps is not
# vectorised, and would round its sums otherwise than in the next run.
MARGIN = 256
NEVER = np.float32(-1e30)  # the score of a row that must not be attended to
# Sums may be reordered, so that they vectorise; infinities and NaN, by which a divergence is seen,
# keep their meaning.
FAST = ("reassoc", "contract", "nsz", "arcp")


def _use_wide_vectors() -> None:
    """Let the compiler use the processor's widest vectors, which it avoids by default."""
    features = llvmlite.binding.get_host_cpu_features()
    if config.CPU_FEATURES is None and features.get("avx512f"):
        config.CPU_FEATURES = features.flatten() + ",-prefer-256-bit"


config: Any = numba.config  # its settings are made while it is imported: no type tells them
# Those with compiled loops; `products` has none.
MODULES = [p for p in sorted(Path(__file__).parent.glob("*.py")) if p.stem != "products"]


@functools.cache
def _digest_of_modules() -> str:
    return hashlib.sha256(b"".join(module.read_bytes() for module in MODULES)).hexdigest()


class _Together:
    """Drops a loop from the disk when any module of this folder changes.

    numba looks at a loop's own module alone, but a loop holds what it calls in the others.
    """

    def get_source_stamp(self):
        return _digest_of_modules()


class UserProvided(_Together, caching.UserProvidedCacheLocator):
    """Keeps loops where NUMBA_CACHE_DIR says, if it says so."""


class InTree(_Together, caching.InTreeCacheLocator):
    """Keeps loops in __pycache__."""


class UserWide(_Together, caching.UserWideCacheLocator):
    """Keeps loops in the user's cache, where __pycache__ cannot be written."""


_use_wide_vectors()
config.CACHE_LOCATOR_CLASSES = ", ".join(
    f"{__name__}.{where.__name__}" for where in (UserProvided, InTree, UserWide)
)
compile_loop = numba.njit(cache=True, error_model="numpy", fastmath=set(FAST))
# Where every rounding counts: multiplication and addition may be contracted, no more.
compile_exactly = numba.njit(cache=True, error_model="numpy", fastmath={"contract"})
inline_loop = numba.njit(inline="always", error_model="numpy", fastmath=set(FAST))


def padded_width(n: int) -> int:
    """Round the width of a row up to whole vectors."""
    return -(-n // LANES) * LANES


@inline_loop
def scratch(n):
    """Make n zeros with a margin around them."""
    return np.zeros(n + 2 * MARGIN, np.float32)[MARGIN : MARGIN + n]


def _vector(n: int) -> ir.VectorType:
    return ir.VectorType(ir.FloatType(), n)


def _word(value: int) -> ir.Constant:
    return ir.IntType(64)(value)


def _address(context, builder, array_type, array, offset=None):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [_word(0) if offset is None else offset])


def _row_addresses(context, builder, table_type, table, offsets):
    return [
        _address(context, builder, table_type, table, offset)
        for offset in cgutils.unpack_tuple(builder, offsets)
    ]


def _load(builder, address, first):
    address = builder.gep(address, [_word(first)])
    return builder.load(builder.bitcast(address, _vector(LANES).as_pointer()), align=4)


def _store(builder, value, address):
    builder.store(value, builder.bitcast(address, value.type.as_pointer()), align=4)


def _add_shuffled(builder, a, b, left, right):
    """Add two choices of the elements of a and b."""

    def choose(places):
        kind = ir.VectorType(ir.IntType(32), len(places))
        return builder.shuffle_vector(a, b, ir.Constant(kind, list(places)))

    return builder.fadd(choose(left), choose(right), flags=FAST)


@intrinsic
def prefetch(typing_context, array, offset):
    """Ask for the cache line of a contiguous array's element."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], *arguments)
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        declared = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, declared, "llvm.prefetch.p0")
        read, keep, data_cache = word(0), word(3), word(1)
        builder.call(function, [builder.bitcast(address, byte), read, keep, data_cache])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


FOUR_OFFSETS = types.UniTuple(types.uint64, 4)


@intrinsic(prefer_literal=True)
def dot_rows(typing_context, table, offsets, vector, out, place, width):
    """Multiply four rows, which start at the offsets, by a vector: to out[place : place + 4]."""
    n = width.literal_value

    def generate(context, builder, signature, arguments):
        kinds = signature.args
        rows = _row_addresses(context, builder, kinds[0], *arguments[:2])
        by = _address(context, builder, kinds[2], arguments[2])
        sums = [None] * 4
        for i in range(0, n, LANES):
            factor = _load(builder, by, i)
            for m, row in enumerate(rows):
                product = builder.fmul(_load(builder, row, i), factor, flags=FAST)
                sums[m] = product if i == 0 else builder.fadd(sums[m], product, flags=FAST)
        # Each sum of 16 lanes to 4, then the four by four of them to their four totals.
        for half in (8, 4):
            halves = range(half), range(half, 2 * half)
            sums = [_add_shuffled(builder, s, s, *halves) for s in sums]
        pairs = [
            _add_shuffled(builder, *two, (0, 4, 2, 6), (1, 5, 3, 7)) for two in (sums[:2], sums[2:])
        ]
        totals = _add_shuffled(builder, *pairs, (0, 1, 4, 5), (2, 3, 6, 7))
        _store(builder, totals, _address(context, builder, kinds[3], *arguments[3:5]))
        return context.get_dummy_value()

    return types.void(table, FOUR_OFFSETS, vector, out, types.intp, width), generate


@intrinsic(prefer_literal=True)
def add_rows(typing_context, table, offsets, factors, place, out, width):
    """Add four rows, which start at the offsets, times factors[place : place + 4], to out."""
    n = width.literal_value

    def generate(context, builder, signature, arguments):
        kinds = signature.args
        rows = _row_addresses(context, builder, kinds[0], *arguments[:2])
        factor = _address(context, builder, kinds[2], *arguments[2:4])
        to = _address(context, builder, kinds[4], arguments[4])
        every = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        spread = []
        for m in range(4):
            value = builder.load(builder.gep(factor, [_word(m)]))
            first = builder.insert_element(
                ir.Constant(_vector(LANES), ir.Undefined), value, ir.IntType(32)(0)
            )
            spread.append(builder.shuffle_vector(first, first, every))
        for i in range(0, n, LANES):
            total = _load(builder, to, i)
            for row, value in zip(rows, spread, strict=True):
                product = builder.fmul(_load(builder, row, i), value, flags=FAST)
                total = builder.fadd(total, product, flags=FAST)
            _store(builder, total, builder.gep(to, [_word(i)]))
        return context.get_dummy_value()

    return types.void(table, FOUR_OFFSETS, factors, types.intp, out, width), generate


@compile_loop
def exponential(x):
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
def softmax(scores):
    """Turn scores into weights, in place.

    One score that is not finite makes all of them NaN, which the largest alone would not.
    """
    top, zero, total = scores[0], np.float32(0), np.float32(0)
    for n in range(scores.shape[0]):
        top = max(top, scores[n])
        zero += np.float32(0) * scores[n]
    for n in range(scores.shape[0]):
        scores[n] = exponential(scores[n] - top)
        total += scores[n]
    scale = (np.float32(1) + zero) / total
    for n in range(scores.shape[0]):
        scores[n] *= scale


@inline_loop
def restore_last(source, token):
    """Copy all components of a token but the last, and restore that: they add up to 0."""
    last = np.float32(0)
    for i in range(token.shape[0] - 1):
        token[i] = source[i]
        last -= source[i]
    token[token.shape[0] - 1] = last
