"""The random numbers of `kernels.philox`, on a GPU: the same bits, the same normal numbers.

A draw's step is a tensor of one number on the device, so that a CUDA graph which adds one to it
draws anew at each replay.
"""

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 256  # Philox blocks of four words that one program makes


@triton.jit
def _four_words(seeds, step, purpose, r, block):
    seed = tl.load(seeds + r)
    c0 = block.to(tl.uint32)
    c1 = (tl.load(step) + tl.zeros_like(block)).to(tl.uint32)
    c2 = (tl.zeros_like(block) + purpose).to(tl.uint32)
    return tl.philox(seed, c0, c1, c2, tl.zeros_like(c0))


@triton.jit
def _store_word(to, word, index, n):
    tl.store(to + index, word.to(tl.int64), index < n)


@triton.jit
def _words(seeds, step, purpose, out, n, BLOCK: tl.constexpr):
    r = tl.program_id(0)
    block = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    w0, w1, w2, w3 = _four_words(seeds, step, purpose, r, block)
    to = out + r.to(tl.int64) * n
    _store_word(to, w0, 4 * block, n)
    _store_word(to, w1, 4 * block + 1, n)
    _store_word(to, w2, 4 * block + 2, n)
    _store_word(to, w3, 4 * block + 3, n)


@triton.jit
def _store_integer(to, to_last, word, index, n_rows, n_columns, high, high_last):
    row, column = index // (n_columns + 1), index % (n_columns + 1)
    inside, is_last = row < n_rows, column == n_columns
    word = word.to(tl.uint64)
    integer = ((word * high) >> 32).to(tl.int64)
    last = ((word * high_last) >> 32).to(tl.int64)
    tl.store(to + row * n_columns + column, integer, inside & (column < n_columns))
    tl.store(to_last + row, last, inside & is_last)


@triton.jit
def _integer_rows(
    seeds, step, purpose, out, last, n_rows, n_columns, high, high_last, BLOCK: tl.constexpr
):
    r = tl.program_id(0)
    block = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    w0, w1, w2, w3 = _four_words(seeds, step, purpose, r, block)
    to = out + r.to(tl.int64) * n_rows * n_columns
    to_last = last + r * n_rows
    _store_integer(to, to_last, w0, 4 * block, n_rows, n_columns, high, high_last)
    _store_integer(to, to_last, w1, 4 * block + 1, n_rows, n_columns, high, high_last)
    _store_integer(to, to_last, w2, 4 * block + 2, n_rows, n_columns, high, high_last)
    _store_integer(to, to_last, w3, 4 * block + 3, n_rows, n_columns, high, high_last)


@triton.jit
def _logarithm(x):
    """Compute log x of a positive float32 to its rounding (as `philox._logarithm`)."""
    word = x.to(tl.int32, bitcast=True)
    exponent = ((word >> 23) - 126).to(tl.float32)
    mantissa = ((word & 0x7FFFFF) | 0x3F000000).to(tl.float32, bitcast=True)
    small = mantissa < 0.70710678
    exponent -= tl.where(small, 1.0, 0.0)
    m = tl.where(small, mantissa + mantissa, mantissa) - 1.0
    y = 7.0376836292e-2 * m - 1.1514610310e-1
    y = y * m + 1.1676998740e-1
    y = y * m - 1.2420140846e-1
    y = y * m + 1.4249322787e-1
    y = y * m - 1.6668057665e-1
    y = y * m + 2.0000714765e-1
    y = y * m - 2.4999993993e-1
    y = y * m + 3.3333331174e-1
    y = y * m * m * m - 2.12194440e-4 * exponent - 0.5 * m * m
    return m + y + 0.693359375 * exponent


@triton.jit
def _store_pair(to, first, second, pair, n, n_pairs):
    """Store the two normal numbers of two words (as `philox.fill_normal`)."""
    unit = 2.3283064365386963e-10
    log = _logarithm((first.to(tl.float32) + 0.5) * unit)
    radius = tl.sqrt(tl.maximum(-2.0 * log, 0.0))
    turns = (second.to(tl.float32) + 0.5) * unit
    quarter = tl.floor(4.0 * turns + 0.5)
    angle = 6.283185307179586 * (turns - 0.25 * quarter)
    z = angle * angle
    s = (-1.9515295891e-4 * z + 8.3321608736e-3) * z
    s = (s - 1.6666654611e-1) * z * angle + angle
    c = (2.443315711809948e-5 * z - 1.388731625493765e-3) * z
    c = (c + 4.166664568298827e-2) * z * z - 0.5 * z + 1.0
    turn = quarter.to(tl.int32)
    odd, back = (turn & 1) == 1, (turn & 2) == 2
    cosine, sine = tl.where(odd, -s, c), tl.where(odd, c, s)
    cosine, sine = tl.where(back, -cosine, cosine), tl.where(back, -sine, sine)
    inside = pair < n_pairs
    tl.store(to + pair, radius * cosine, inside)
    tl.store(to + n_pairs + pair, radius * sine, inside & (n_pairs + pair < n))


@triton.jit
def _normal(seeds, step, purpose, out, n, n_pairs, SHIFT: tl.constexpr, BLOCK: tl.constexpr):
    r = tl.program_id(0)
    block = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    w0, w1, w2, w3 = _four_words(seeds, step, purpose, r, block)
    # The second word of pair i is n_pairs + i: four of them may straddle two Philox blocks.
    v0, v1, v2, v3 = _four_words(seeds, step, purpose, r, n_pairs // 4 + block)
    if SHIFT > 0:
        u0, u1, u2, _ = _four_words(seeds, step, purpose, r, n_pairs // 4 + block + 1)
        if SHIFT == 1:
            v0, v1, v2, v3 = v1, v2, v3, u0
        elif SHIFT == 2:
            v0, v1, v2, v3 = v2, v3, u0, u1
        else:
            v0, v1, v2, v3 = v3, u0, u1, u2
    to = out + r.to(tl.int64) * n
    _store_pair(to, w0, v0, 4 * block, n, n_pairs)
    _store_pair(to, w1, v1, 4 * block + 1, n, n_pairs)
    _store_pair(to, w2, v2, 4 * block + 2, n, n_pairs)
    _store_pair(to, w3, v3, 4 * block + 3, n, n_pairs)


def _grid(n_seeds: int, n_words: int) -> tuple[int, int]:
    return n_seeds, triton.cdiv(triton.cdiv(n_words, 4), BLOCK)


def fill_words(seeds: Tensor, purpose: int, step: Tensor, out: Tensor) -> None:
    """Fill out (R, n), int64, with the words of seeds (R,) at a step (1,)."""
    n = out.shape[1]
    _words[_grid(len(seeds), n)](seeds, step, purpose, out, n, BLOCK)


def fill_integer_rows(
    seeds: Tensor, purpose: int, step: Tensor, high: int, high_last: int, out: Tensor, last: Tensor
) -> None:
    """Fill out (R, rows, columns) with integers below high, and last (R, rows) below high_last."""
    n_rows, n_columns = out.shape[1:]
    grid = _grid(len(seeds), n_rows * (n_columns + 1))
    sizes = n_rows, n_columns, high, high_last
    _integer_rows[grid](seeds, step, purpose, out, last, *sizes, BLOCK)


def fill_normal(seeds: Tensor, purpose: int, step: Tensor, out: Tensor) -> None:
    """Fill out (R, n), float32, with standard normal numbers."""
    n = out.shape[1]
    n_pairs = -(-n // 2)
    _normal[_grid(len(seeds), n_pairs)](seeds, step, purpose, out, n, n_pairs, n_pairs % 4, BLOCK)
