"""Stateless random streams: every draw is a function of (seed, purpose, step) and nothing else.

The generator is Philox4x32-10 (Salmon et al., SC 2011), a counter-based generator: the seed is the
key; the draw's index, the step and the purpose are the counter. So a replicate sees the same
numbers whichever others share its job, evaluation never disturbs training, and resuming needs no
generator state. On a CPU the bits come from a compiled loop, elsewhere from the same arithmetic in
tensor operations that never leave the device; both give the same bits.
"""

from enum import IntEnum
from math import prod

import numba
import numpy as np
import torch

ROUNDS = 10
MULTIPLIER_0, MULTIPLIER_1 = 0xD2511F53, 0xCD9E8D57
WEYL_0, WEYL_1 = 0x9E3779B9, 0xBB67AE85
MASK = 0xFFFFFFFF


class Purpose(IntEnum):
    """What a draw is for. The numbers are part of every result: never reuse or renumber one."""

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


@numba.njit(cache=True, error_model="numpy")
def _philox_loop(seeds, purpose, step, out):  # pragma: no cover - compiled
    """Fill out (R, 4 * blocks) with 32-bit words, held in int64."""
    m0, m1 = np.uint64(MULTIPLIER_0), np.uint64(MULTIPLIER_1)
    mask, half = np.uint64(MASK), np.uint64(32)
    w0, w1 = np.uint64(WEYL_0), np.uint64(WEYL_1)
    for r in range(out.shape[0]):
        seed = np.uint64(seeds[r])
        for block in range(out.shape[1] // 4):
            k0, k1 = seed & mask, seed >> half
            c0, c1 = np.uint64(block), np.uint64(step)
            c2, c3 = np.uint64(purpose), np.uint64(0)
            for _ in range(ROUNDS):
                p0, p1 = m0 * c0, m1 * c2
                c0, c2 = (p1 >> half) ^ c1 ^ k0, (p0 >> half) ^ c3 ^ k1
                c1, c3 = p1 & mask, p0 & mask
                k0, k1 = (k0 + w0) & mask, (k1 + w1) & mask
            out[r, 4 * block] = c0
            out[r, 4 * block + 1] = c1
            out[r, 4 * block + 2] = c2
            out[r, 4 * block + 3] = c3


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

    Args:
        seeds: (R,) int64, one per replicate, each at least 0.
        purpose: what the draw is for.
        step: the SGD step (or any index that tells draws of one purpose apart), below 2^32.
        n: words per seed.

    Returns:
        (R, n) int64 in [0, 2^32), on the device of seeds.
    """
    n_blocks = -(-n // 4)
    if seeds.device.type == "cpu":
        out = np.empty((len(seeds), 4 * n_blocks), dtype=np.int64)
        _philox_loop(seeds.numpy(), int(purpose), step, out)
        words = torch.from_numpy(out)
    else:
        words = _philox_tensor(seeds, int(purpose), step, n_blocks)
    return words[:, :n]


def integers(
    seeds: torch.Tensor, purpose: Purpose, step: int, shape: tuple[int, ...], high: int
) -> torch.Tensor:
    """Draw integers uniform on [0, high), by multiplication: the bias is under high / 2^32.

    Returns:
        (R, *shape) int64.
    """
    words = bits(seeds, purpose, step, prod(shape))
    return ((words * high) >> 32).view(-1, *shape)


def uniform(
    seeds: torch.Tensor, purpose: Purpose, step: int, shape: tuple[int, ...]
) -> torch.Tensor:
    """Draw numbers uniform on the open unit interval (to float32 rounding).

    Returns:
        (R, *shape) float32.
    """
    words = bits(seeds, purpose, step, prod(shape))
    return ((words.float() + 0.5) / 2.0**32).view(-1, *shape)


def normal(
    seeds: torch.Tensor, purpose: Purpose, step: int, shape: tuple[int, ...]
) -> torch.Tensor:
    """Draw standard normal numbers (Box and Muller's transform of pairs of uniform ones).

    Returns:
        (R, *shape) float32.
    """
    n = prod(shape)
    n_pairs = -(-n // 2)
    radius, angle = uniform(seeds, purpose, step, (2, n_pairs)).unbind(1)
    radius = (-2.0 * radius.log()).sqrt_()
    angle = 2.0 * torch.pi * angle
    return torch.cat((radius * angle.cos(), radius * angle.sin()), dim=1)[:, :n].view(-1, *shape)
