"""What the MLP computes beside its products of matrices, on a GPU: biases, ReLU, the readout."""

import triton
import triton.language as tl
from torch import Tensor

from icl.kernels.gpu.products import own
from icl.kernels.products import Scale

BLOCK_B, BLOCK_D = 32, 64


@triton.jit
def _add_bias_relu(hidden, bias, n, d, BLOCK: tl.constexpr):
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside, r = at < n, tl.program_id(0).to(tl.int64)
    x = tl.load(hidden + r * n + at, inside) + tl.load(bias + r * d + at % d, inside)
    tl.store(hidden + r * n + at, tl.maximum(x, 0.0), inside)


@triton.jit
def _read_out(
    hidden,
    bias,
    readout,
    readout_bias,
    others,
    labels,
    logits,
    gradient,
    N_SEQUENCES: tl.constexpr,
    D: tl.constexpr,
    HAS_OTHERS: tl.constexpr,
    TRAIN: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    r = tl.program_id(0).to(tl.int64)
    b = tl.program_id(1) * BLOCK_B + tl.arange(0, BLOCK_B)
    there = b < N_SEQUENCES
    at = r * N_SEQUENCES + b
    z = tl.zeros((BLOCK_B,), tl.float32) + tl.load(readout_bias + r)
    if HAS_OTHERS:
        z += tl.load(others + at, there, 0.0)
    for first in range(0, D, BLOCK_D):
        i = first + tl.arange(0, BLOCK_D)
        inside = i < D
        x = tl.load(hidden + at[:, None] * D + i, there[:, None] & inside, 0.0)
        h = tl.maximum(x + tl.load(bias + r * D + i, inside, 0.0), 0.0)
        z += tl.sum(h * tl.load(readout + r * D + i, inside, 0.0), 1)
    if TRAIN:
        # Of -log sigma(l z), averaged over B: -l sigma(-l z) / B.
        label = tl.load(labels + at, there, 1.0)
        tl.store(gradient + at, -label / (1.0 + tl.exp(label * z)) / N_SEQUENCES, there)
    else:
        tl.store(logits + at, z, there)


@triton.jit
def _read_out_backward(
    hidden,
    bias,
    readout,
    readout_bias,
    gradient,
    keep,
    rate,
    N_SEQUENCES: tl.constexpr,
    D: tl.constexpr,
    EACH: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    r = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    inside = i < D
    own_bias = tl.load(bias + r * D + i, inside, 0.0)
    weight = tl.load(readout + r * D + i, inside, 0.0)
    of_weight, of_bias = tl.zeros((BLOCK_D,), tl.float32), tl.zeros((BLOCK_D,), tl.float32)
    of_readout_bias = 0.0
    for first in range(0, N_SEQUENCES, BLOCK_B):
        b = first + tl.arange(0, BLOCK_B)
        there = (b < N_SEQUENCES)[:, None] & inside
        g = tl.load(gradient + r * N_SEQUENCES + b, b < N_SEQUENCES, 0.0)
        at = hidden + (r * N_SEQUENCES + b)[:, None] * D + i
        h = tl.maximum(tl.load(at, there, 0.0) + own_bias, 0.0)
        of_hidden = tl.where(h > 0, g[:, None] * weight, 0.0)
        tl.store(at, of_hidden, there)
        of_weight += tl.sum(g[:, None] * h, 0)
        of_bias += tl.sum(of_hidden, 0)
        of_readout_bias += tl.sum(g, 0)
    k, s = own(keep, r, EACH), own(rate, r, EACH)
    tl.store(readout + r * D + i, k * weight - s * of_weight, inside)
    tl.store(bias + r * D + i, k * own_bias - s * of_bias, inside)
    if tl.program_id(1) == 0:
        tl.store(readout_bias + r, k * tl.load(readout_bias + r) - s * of_readout_bias)


@triton.jit
def _relu_backward(
    gradient,
    hidden,
    bias,
    keep,
    rate,
    N_SEQUENCES: tl.constexpr,
    D: tl.constexpr,
    EACH: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    r = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * BLOCK_D + tl.arange(0, BLOCK_D)
    inside = i < D
    of_bias = tl.zeros((BLOCK_D,), tl.float32)
    for first in range(0, N_SEQUENCES, BLOCK_B):
        b = first + tl.arange(0, BLOCK_B)
        there = (b < N_SEQUENCES)[:, None] & inside
        at = (r * N_SEQUENCES + b)[:, None] * D + i
        g = tl.where(tl.load(hidden + at, there, 0.0) > 0, tl.load(gradient + at, there, 0.0), 0.0)
        tl.store(gradient + at, g, there)
        of_bias += tl.sum(g, 0)
    before = tl.load(bias + r * D + i, inside, 0.0)
    k, s = own(keep, r, EACH), own(rate, r, EACH)
    tl.store(bias + r * D + i, k * before - s * of_bias, inside)


def add_bias_relu(hidden: Tensor, bias: Tensor) -> None:
    """Turn products (R, B, d) into activations, in place."""
    n_replicates, n_sequences, d = hidden.shape
    n, block = n_sequences * d, 1024
    _add_bias_relu[n_replicates, triton.cdiv(n, block)](hidden, bias, n, d, block)


def read_out(
    hidden: Tensor,
    last: tuple[Tensor, Tensor, Tensor],
    others: Tensor | None,
    labels: Tensor | None,
    out: Tensor,
) -> None:
    """Fill out (R, B) with logits or, if there are labels, with the gradients of their mean loss.

    Args:
        hidden: (R, B, d), products of the second hidden layer, before their bias.
        last: that bias (R, d), the readout (R, 1, d) and its bias (R, 1).
        others: (R, B), what else adds to the logits.
    """
    n_replicates, n_sequences, d = hidden.shape
    train, has_others = labels is not None, others is not None
    unused = out
    tensors = (others if has_others else unused, labels if train else unused, out, out)
    sizes = n_sequences, d, has_others, train, 16, 64
    _read_out[n_replicates, triton.cdiv(n_sequences, 16)](hidden, *last, *tensors, *sizes)


def read_out_backward(
    hidden: Tensor,
    last: tuple[Tensor, Tensor, Tensor],
    gradient: Tensor,
    keep: Scale,
    rate: Scale,
) -> None:
    """Turn products into their gradients, in place, and train the readout and both biases."""
    n_replicates, n_sequences, d = hidden.shape
    sizes = n_sequences, d, isinstance(keep, Tensor), BLOCK_B, BLOCK_D
    _read_out_backward[n_replicates, triton.cdiv(d, BLOCK_D)](
        hidden, *last, gradient, keep, rate, *sizes
    )


def relu_backward(gradient: Tensor, hidden: Tensor, bias: Tensor, keep: Scale, rate: Scale) -> None:
    """Set gradients (R, B, d) to 0 where activations are 0, and train the bias (R, d)."""
    n_replicates, n_sequences, d = hidden.shape
    sizes = n_sequences, d, isinstance(keep, Tensor), BLOCK_B, BLOCK_D
    _relu_backward[n_replicates, triton.cdiv(d, BLOCK_D)](
        gradient, hidden, bias, keep, rate, *sizes
    )
