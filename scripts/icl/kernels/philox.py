"""The generator Philox4x32-10 (Salmon et al., SC 2011) and the numbers made of its words, on a CPU.

`task.streams` draws with these, and does the same elsewhere by tensor operations.
"""

import numpy as np

from icl.kernels.compiled import compile_exactly

ROUNDS = 10
MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
MASK = 0xFFFFFFFF


@compile_exactly
def _round(c0, c1, c2, c3, k0, k1):
    mask, half = np.uint64(MASK), np.uint64(32)
    p0, p1 = np.uint64(MULTIPLIER_0) * c0, np.uint64(MULTIPLIER_1) * c2
    return (p1 >> half) ^ c1 ^ k0, p1 & mask, (p0 >> half) ^ c3 ^ k1, p0 & mask


@compile_exactly
def _key(k0, k1, n):
    """Return the key of round n."""
    mask, n = np.uint64(MASK), np.uint64(n)
    return (k0 + n * np.uint64(WEYL_0)) & mask, (k1 + n * np.uint64(WEYL_1)) & mask


@compile_exactly
def fill_words(seeds, purpose, step, out):
    """Fill out (R, 4 * blocks), uint32."""
    for r in range(out.shape[0]):
        k0, k1 = np.uint64(seeds[r]) & np.uint64(MASK), np.uint64(seeds[r]) >> np.uint64(32)
        words = out[r]
        for block in range(out.shape[1] // 4):
            c0, c1 = np.uint64(block) & np.uint64(MASK), np.uint64(step)
            c2, c3 = np.uint64(purpose), np.uint64(0)
            for n in range(ROUNDS):
                key0, key1 = _key(k0, k1, n)
                c0, c1, c2, c3 = _round(c0, c1, c2, c3, key0, key1)
            words[4 * block] = c0
            words[4 * block + 1] = c1
            words[4 * block + 2] = c2
            words[4 * block + 3] = c3


@compile_exactly
def scale_words(words, high, high_last, out, last):
    """Scale words to integers below high, out (R, rows, columns), and high_last, last (R, rows)."""
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
def _logarithm(x):
    """Compute log x of a positive float32 to its rounding (Cephes' logf, without branches)."""
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
def _cos_sin(turns):
    """Compute the cosine and sine of a number of turns in [0, 1], to float32 rounding."""
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
def fill_normal(words, out):
    """Turn words (R, >= n) pair by pair into normal numbers (R, n), n even."""
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


@compile_exactly
def wrap(numbers, high):
    """Take integers in [0, 2 high) modulo high, in place."""
    for i in range(numbers.shape[0]):
        numbers[i] -= high if numbers[i] >= high else 0
