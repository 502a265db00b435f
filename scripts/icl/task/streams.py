"""Stateless random streams: every draw is a function of (seed, purpose, step) and nothing else.

The generator is Philox4x32-10 (Salmon et al., SC 2011), a counter-based generator: the seed is the
key; the draw's index, the step and the purpose are the counter. So a replicate sees the same
numbers whichever others share its job, evaluation never disturbs training, and resuming needs no
generator state. On a CPU the bits come from a compiled loop, elsewhere from the same arithmetic in
tensor operations that never leave the device; both give the same bits.
"""

from enum import IntEnum
from math import prod

import numpy as np
import torch

from icl.kernels.compiled import compile_exactly

ROUNDS = 10
MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
MASK = 0xFFFFFFFF


class Purpose(IntEnum):
    """The purpose of a draw. The numbers are part of every result: never reuse or renumber one."""

    INITIALISATION = 0
    ITEMS = 1
    LABELS = 2
    TRAINING = 3
    REDRAWN_ITEMS = 4
    REDRAWN_LABELS = 5
    NOVEL_ITEMS = 6
    NOVEL_LABELS = 7
    EVALUATE_ICL = 8
    EVALUATE_IWL = 9
    EVALUATE_TRAIN = 10
    UNSEEN_ITEMS = 11
    UNSEEN_LABELS = 12
    INITIAL_BETA = 13
    INITIAL_W = 14


@compile_exactly
def _round(c0, c1, c2, c3, k0, k1):  # pragma: no cover - compiled
    mask, half = np.uint64(MASK), np.uint64(32)
    p0, p1 = np.uint64(MULTIPLIER_0) * c0, np.uint64(MULTIPLIER_1) * c2
    return (p1 >> half) ^ c1 ^ k0, p1 & mask, (p0 >> half) ^ c3 ^ k1, p0 & mask


@compile_exactly
def _key(k0, k1, n):  # pragma: no cover - compiled
    """Return the key of round n."""
    mask, n = np.uint64(MASK), np.uint64(n)
    return (k0 + n * np.uint64(WEYL_0)) & mask, (k1 + n * np.uint64(WEYL_1)) & mask


@compile_exactly
def _philox_loop(seeds, purpose, step, out):  # pragma: no cover - compiled
    """Fill out (R, 4 * blocks), uint32; the rounds are written out so that blocks vectorise."""
    for r in range(out.shape[0]):
        k0, k1 = np.uint64(seeds[r]) & np.uint64(MASK), np.uint64(seeds[r]) >> np.uint64(32)
        a1, b1 = _key(k0, k1, 1)
        a2, b2 = _key(k0, k1, 2)
        a3, b3 = _key(k0, k1, 3)
        a4, b4 = _key(k0, k1, 4)
        a5, b5 = _key(k0, k1, 5)
        a6, b6 = _key(k0, k1, 6)
        a7, b7 = _key(k0, k1, 7)
        a8, b8 = _key(k0, k1, 8)
        a9, b9 = _key(k0, k1, 9)
        words = out[r]
        for block in range(out.shape[1] // 4):
            c0, c1 = np.uint64(block) & np.uint64(MASK), np.uint64(step)
            c0, c1, c2, c3 = _round(c0, c1, np.uint64(purpose), np.uint64(0), k0, k1)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a1, b1)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a2, b2)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a3, b3)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a4, b4)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a5, b5)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a6, b6)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a7, b7)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a8, b8)
            c0, c1, c2, c3 = _round(c0, c1, c2, c3, a9, b9)
            words[4 * block] = c0
            words[4 * block + 1] = c1
            words[4 * block + 2] = c2
            words[4 * block + 3] = c3


def _words(seeds: torch.Tensor, purpose: int, step: int, n: int) -> np.ndarray:
    """Return at least n words for each seed on a CPU: (R, n rounded up), uint32."""
    out = np.empty((len(seeds), -(-n // 4) * 4), dtype=np.uint32)
    _philox_loop(seeds.numpy(), int(purpose), step, out)
    return out


@compile_exactly
def _integer_loop(words, high, high_last, out, last):  # pragma: no cover - compiled
    """Scale words (R, >= rows * (columns + 1)) to out (R, rows, columns) and last (R, rows)."""
    n_rows, n_columns = out.shape[1:]
    half = np.uint64(32)
    for r in range(out.shape[0]):
        for row in range(n_rows):
            start = row * (n_columns + 1)
            source, to = words[r, start : start + n_columns + 1], out[r, row]
            for column in range(n_columns):
                to[column] = np.int64((np.uint64(source[column]) * np.uint64(high)) >> half)
            last[r, row] = np.int64((np.uint64(source[n_columns]) * np.uint64(high_last)) >> half)


@compile_exactly
def _logarithm(x):  # pragma: no cover - compiled
    """Return log x of a positive float32, to its rounding (Cephes' logf, without branches)."""
    word = np.float32(x).view(np.int32)
    exponent = np.float32((word >> 23) - 126)
    mantissa = np.int32((word & 0x7FFFFF) | 0x3F000000).view(np.float32)  # in [1/2, 1)
    small = mantissa < np.float32(0.70710678)
    exponent -= np.float32(1) if small else np.float32(0)
    m = (mantissa + mantissa if small else mantissa) - np.float32(1)
    y = np.float32(7.0376836292e-2)
    y = y * m - np.float32(1.1514610310e-1)
    y = y * m + np.float32(1.1676998740e-1)
    y = y * m - np.float32(1.2420140846e-1)
    y = y * m + np.float32(1.4249322787e-1)
    y = y * m - np.float32(1.6668057665e-1)
    y = y * m + np.float32(2.0000714765e-1)
    y = y * m - np.float32(2.4999993993e-1)
    y = y * m + np.float32(3.3333331174e-1)
    y = y * m * m * m - np.float32(2.12194440e-4) * exponent - np.float32(0.5) * m * m
    return m + y + np.float32(0.693359375) * exponent


@compile_exactly
def _cos_sin(turns):  # pragma: no cover - compiled
    """Return the cosine and sine of a number of turns in [0, 1], to float32 rounding."""
    quarter = np.floor(np.float32(4) * turns + np.float32(0.5))
    angle = np.float32(2 * np.pi) * (turns - np.float32(0.25) * quarter)  # within pi / 4
    z = angle * angle
    s = (np.float32(-1.9515295891e-4) * z + np.float32(8.3321608736e-3)) * z
    s = (s - np.float32(1.6666654611e-1)) * z * angle + angle
    c = (np.float32(2.443315711809948e-5) * z - np.float32(1.388731625493765e-3)) * z
    c = (c + np.float32(4.166664568298827e-2)) * z * z - np.float32(0.5) * z + np.float32(1)
    turn = np.int32(quarter)
    c, s = (-s, c) if turn & 1 else (c, s)
    return (-c, -s) if turn & 2 else (c, s)


@compile_exactly
def _normal_loop(words, out):  # pragma: no cover - compiled
    """Turn words (R, >= n) into normal numbers (R, n), n even, pair by pair as `normal` does."""
    n_pairs = out.shape[1] // 2
    half, unit = np.float32(0.5), np.float32(1 / 2**32)
    for r in range(out.shape[0]):
        first, second = words[r, :n_pairs], words[r, n_pairs : 2 * n_pairs]
        cosines, sines = out[r, :n_pairs], out[r, n_pairs:]
        for i in range(n_pairs):
            radius = np.sqrt(np.float32(-2) * _logarithm((np.float32(first[i]) + half) * unit))
            c, s = _cos_sin((np.float32(second[i]) + half) * unit)
            cosines[i] = radius * c
            sines[i] = radius * s


def _philox_tensor(seeds, purpose, step, n_blocks):
    """Return the same words as `_philox_loop`, by tensor operations on the seeds' device."""
    shape = (len(seeds), n_blocks)
    c0 = torch.arange(n_blocks, device=seeds.device).expand(shape)
    c1, c2, c3 = (torch.full_like(c0, value) for value in (step, purpose, 0))
    k0, k1 = (seeds & MASK)[:, None], ((seeds >> 32) & MASK)[:, None]
    for _ in range(ROUNDS):
        # A product of two 32-bit words wraps in int64, but its 64 bits are right: shift and mask.
        p0, p1 = c0 * MULTIPLIER_0, c2 * MULTIPLIER_1
        c0, c2 = ((p1 >> 32) & MASK) ^ c1 ^ k0, ((p0 >> 32) & MASK) ^ c3 ^ k1
        c1, c3 = p1 & MASK, p0 & MASK
        k0, k1 = (k0 + WEYL_0) & MASK, (k1 + WEYL_1) & MASK
    return torch.stack((c0, c1, c2, c3), dim=-1).flatten(1)


def bits(seeds: torch.Tensor, purpose: Purpose, step: int, n: int) -> torch.Tensor:
    """Draw n 32-bit words for each seed.

    Returns (R, n) int64 in [0, 2^32), on the device of seeds.

    Args:
        n: words per seed.
    """
    if seeds.device.type == "cpu":
        return torch.from_numpy(_words(seeds, purpose, step, n)[:, :n].astype(np.int64))
    return _philox_tensor(seeds, int(purpose), step, -(-n // 4))[:, :n]


def integers(
    seeds: torch.Tensor, purpose: Purpose, step: int, shape: tuple[int, ...], high: int
) -> torch.Tensor:
    """Draw integers uniform on [0, high), by multiplication: the bias is under high / 2^32.

    Returns (R, *shape) int64.
    """
    words = bits(seeds, purpose, step, prod(shape))
    return ((words * high) >> 32).view(-1, *shape)


def integer_rows(
    seeds: torch.Tensor,
    purpose: Purpose,
    step: int,
    shape: tuple[int, int],
    high: int,
    high_last: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw rows of integers uniform on [0, high), and one more for each row on [0, high_last).

    Returns (R, *shape) and (R, shape[0]), int64.
    """
    n_rows, n_columns = shape
    n = n_rows * (n_columns + 1)
    if seeds.device.type == "cpu":
        out = np.empty((len(seeds), n_rows, n_columns), dtype=np.int64)
        last = np.empty((len(seeds), n_rows), dtype=np.int64)
        _integer_loop(_words(seeds, purpose, step, n), high, high_last, out, last)
        return torch.from_numpy(out), torch.from_numpy(last)
    words = bits(seeds, purpose, step, n).view(len(seeds), n_rows, n_columns + 1)
    return (words[..., :-1] * high) >> 32, (words[..., -1] * high_last) >> 32


@compile_exactly
def _wrap_loop(numbers, high):  # pragma: no cover - compiled
    for i in range(numbers.shape[0]):
        numbers[i] -= high if numbers[i] >= high else 0


def wrap(numbers: torch.Tensor, high: int) -> torch.Tensor:
    """Take integers in [0, 2 high) modulo high; on a CPU in place, where % would take far longer.

    Returns the integers, shaped as numbers.
    """
    if numbers.device.type != "cpu":
        return numbers % high
    _wrap_loop(numbers.view(-1).numpy(), high)
    return numbers


def uniform(
    seeds: torch.Tensor, purpose: Purpose, step: int, shape: tuple[int, ...]
) -> torch.Tensor:
    """Draw numbers uniform on the open unit interval (to float32 rounding).

    Returns (R, *shape) float32.
    """
    words = bits(seeds, purpose, step, prod(shape))
    return ((words.float() + 0.5) / 2.0**32).view(-1, *shape)


def normal(
    seeds: torch.Tensor, purpose: Purpose, step: int, shape: tuple[int, ...]
) -> torch.Tensor:
    """Draw standard normal numbers (Box and Muller's transform of pairs of uniform ones).

    Returns (R, *shape) float32.
    """
    n = prod(shape)
    n_pairs = -(-n // 2)
    if seeds.device.type == "cpu":
        out = np.empty((len(seeds), 2 * n_pairs), dtype=np.float32)
        _normal_loop(_words(seeds, purpose, step, 2 * n_pairs), out)
        numbers = torch.from_numpy(out)
    else:
        numbers = _normal_tensor(uniform(seeds, purpose, step, (2, n_pairs)))
    return numbers[:, :n].view(-1, *shape)


class NormalRows:
    """Draws what `normal` draws of n numbers, one replicate at a time, on a CPU, in kept buffers.

    For draws so large that allocating them would take longer than filling them.
    """

    def __init__(self, n: int):
        n_even = 2 * -(-n // 2)
        self.n = n
        self.words = np.empty((1, -(-n_even // 4) * 4), dtype=np.uint32)
        self.numbers = np.empty((1, n_even), dtype=np.float32)

    def draw(self, seed: torch.Tensor, purpose: Purpose, step: int) -> torch.Tensor:
        """Draw for one seed (1,): (n,) float32, overwritten by the next draw."""
        _philox_loop(seed.numpy(), int(purpose), step, self.words)
        _normal_loop(self.words, self.numbers)
        return torch.from_numpy(self.numbers[0, : self.n])


def _normal_tensor(pairs: torch.Tensor) -> torch.Tensor:
    """Transform uniform numbers (R, 2, P) into normal ones (R, 2 P)."""
    radius, turns = pairs.unbind(1)
    radius = (-2.0 * radius.log()).sqrt_()
    angle = 2.0 * torch.pi * (turns - turns.round())  # a smaller angle is rounded less
    return torch.cat((radius * angle.cos(), radius * angle.sin()), dim=1)
