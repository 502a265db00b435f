"""Stateless random streams: every draw is a function of (seed, purpose, step) and nothing else.

The generator is Philox4x32-10, a counter-based one: the seed is the key; the draw's index, the step
and the purpose are the counter. So a replicate sees the same numbers whichever others share its
job, evaluation never disturbs training, and resuming needs no generator state. A compiled loop
makes the bits on a CPU, a Triton kernel on a GPU, tensor operations the same bits elsewhere. On a
GPU a step may be a tensor of one number, so that a captured CUDA graph draws anew each time.
"""

from enum import IntEnum
from importlib import import_module
from math import prod
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from icl.kernels import philox
from icl.kernels.philox import MASK, MULTIPLIER_0, MULTIPLIER_1, ROUNDS, WEYL_0, WEYL_1


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
    INITIAL_BETA = 13
    INITIAL_W = 14
    TRAINING_NOISE = 15
    EVALUATE_TRAIN_NOISE = 16


StepIndex = int | Tensor  # an index below 2^32; a tensor (1,) only on a GPU


def _on_gpu() -> ModuleType:
    """Import a GPU's draws; a machine without one need not have Triton."""
    return import_module("icl.kernels.gpu.draws")


def _as_tensor(step: StepIndex, seeds: Tensor) -> Tensor:
    return step if isinstance(step, Tensor) else seeds.new_full((1,), step)


def _words(seeds: Tensor, purpose: int, step: StepIndex, n: int) -> np.ndarray:
    """Draw at least n words for each seed on a CPU: (R, n rounded up to four), uint32."""
    out = np.empty((len(seeds), -(-n // 4) * 4), dtype=np.uint32)
    philox.fill_words(seeds.numpy(), int(purpose), int(step), out)
    return out


def _philox_tensor(seeds: Tensor, purpose: int, step: StepIndex, n_blocks: int) -> Tensor:
    """Draw the words of `philox.fill_words` by tensor operations on the seeds' device."""
    shape = (len(seeds), n_blocks)
    c0 = torch.arange(n_blocks, device=seeds.device).expand(shape)
    c1, c2, c3 = (torch.full_like(c0, value) for value in (int(step), purpose, 0))
    k0, k1 = (seeds & MASK)[:, None], ((seeds >> 32) & MASK)[:, None]
    for _ in range(ROUNDS):
        # A product of two 32-bit words wraps in int64, but its 64 bits are right: shift and mask.
        p0, p1 = c0 * MULTIPLIER_0, c2 * MULTIPLIER_1
        c0, c2 = ((p1 >> 32) & MASK) ^ c1 ^ k0, ((p0 >> 32) & MASK) ^ c3 ^ k1
        c1, c3 = p1 & MASK, p0 & MASK
        k0, k1 = (k0 + WEYL_0) & MASK, (k1 + WEYL_1) & MASK
    return torch.stack((c0, c1, c2, c3), dim=-1).flatten(1)


def bits(seeds: Tensor, purpose: Purpose, step: StepIndex, n: int) -> Tensor:
    """Draw n 32-bit words for each seed (R,), int64 from 0 on: (R, n) int64 in [0, 2^32).

    The step is any index below 2^32 that tells draws of one purpose apart.
    """
    if seeds.device.type == "cpu":
        return torch.from_numpy(_words(seeds, purpose, step, n)[:, :n].astype(np.int64))
    if seeds.device.type == "cuda":
        out = seeds.new_empty(len(seeds), n)
        _on_gpu().fill_words(seeds, int(purpose), _as_tensor(step, seeds), out)
        return out
    return _philox_tensor(seeds, int(purpose), step, -(-n // 4))[:, :n]


def integers(
    seeds: Tensor,
    purpose: Purpose,
    step: StepIndex,
    shape: tuple[int, ...],
    high: int,
) -> Tensor:
    """Draw integers uniform on [0, high), with a bias under high / 2^32: (R, *shape) int64."""
    words = bits(seeds, purpose, step, prod(shape))
    return ((words * high) >> 32).view(-1, *shape)


def integer_rows(
    seeds: Tensor,
    purpose: Purpose,
    step: StepIndex,
    shape: tuple[int, int],
    high: int,
    high_last: int,
) -> tuple[Tensor, Tensor]:
    """Draw rows of integers uniform on [0, high), and one more for each row on [0, high_last).

    Returns (R, *shape) and (R, shape[0]), int64.
    """
    n_rows, n_columns = shape
    n = n_rows * (n_columns + 1)
    if seeds.device.type == "cuda":
        context, one = seeds.new_empty(len(seeds), *shape), seeds.new_empty(len(seeds), n_rows)
        at = _as_tensor(step, seeds)
        _on_gpu().fill_integer_rows(seeds, int(purpose), at, high, high_last, context, one)
        return context, one
    if seeds.device.type == "cpu":
        out = np.empty((len(seeds), n_rows, n_columns), dtype=np.int64)
        last = np.empty((len(seeds), n_rows), dtype=np.int64)
        philox.scale_words(_words(seeds, purpose, step, n), high, high_last, out, last)
        return torch.from_numpy(out), torch.from_numpy(last)
    words = bits(seeds, purpose, step, n).view(len(seeds), n_rows, n_columns + 1)
    return (words[..., :-1] * high) >> 32, (words[..., -1] * high_last) >> 32


def wrap(numbers: Tensor, high: int) -> Tensor:
    """Take integers in [0, 2 high) modulo high; on a CPU in place, for % takes far longer."""
    if numbers.device.type != "cpu":
        return numbers % high
    philox.wrap(numbers.view(-1).numpy(), high)
    return numbers


def uniform(seeds: Tensor, purpose: Purpose, step: StepIndex, shape: tuple[int, ...]) -> Tensor:
    """Draw numbers uniform on the open unit interval, to rounding: (R, *shape) float32."""
    words = bits(seeds, purpose, step, prod(shape))
    return ((words.float() + 0.5) / 2.0**32).view(-1, *shape)


def normal(seeds: Tensor, purpose: Purpose, step: StepIndex, shape: tuple[int, ...]) -> Tensor:
    """Draw standard normal numbers, by Box and Muller's transform: (R, *shape) float32."""
    n = prod(shape)
    n_pairs = -(-n // 2)
    if seeds.device.type == "cpu":
        out = np.empty((len(seeds), 2 * n_pairs), dtype=np.float32)
        philox.fill_normal(_words(seeds, purpose, step, 2 * n_pairs), out)
        numbers = torch.from_numpy(out)
    elif seeds.device.type == "cuda":
        numbers = torch.empty(len(seeds), n, device=seeds.device)
        _on_gpu().fill_normal(seeds, int(purpose), _as_tensor(step, seeds), numbers)
    else:
        numbers = _normal_tensor(uniform(seeds, purpose, step, (2, n_pairs)))
    return numbers[:, :n].contiguous().view(-1, *shape)  # of an odd n, a slice has gaps


class NormalRows:
    """Draws what `normal` draws on a CPU, one replicate at a time, into buffers that it keeps.

    It is for draws so large that allocating them would take longer than filling them.
    """

    def __init__(self, n: int):
        n_even = 2 * -(-n // 2)
        self.n = n
        self.words = np.empty((1, -(-n_even // 4) * 4), dtype=np.uint32)
        self.numbers = np.empty((1, n_even), dtype=np.float32)

    def draw(self, seed: Tensor, purpose: Purpose, step: StepIndex) -> Tensor:
        """Draw for one seed (1,): (n,) float32, overwritten by the next draw."""
        philox.fill_words(seed.numpy(), int(purpose), int(step), self.words)
        philox.fill_normal(self.words, self.numbers)
        return torch.from_numpy(self.numbers[0, : self.n])


def _normal_tensor(pairs: Tensor) -> Tensor:
    """Transform uniform numbers (R, 2, n) into normal ones (R, 2 n)."""
    radius, turns = pairs.unbind(1)
    radius = (-2.0 * radius.log()).sqrt_()
    angle = 2.0 * torch.pi * (turns - turns.round())  # a smaller angle is rounded less
    return torch.cat((radius * angle.cos(), radius * angle.sin()), dim=1)
