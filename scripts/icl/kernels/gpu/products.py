"""Products of matrices whose factors are rounded first, on a GPU's units for matrices.

Factors are rounded and split as they are read, so that memory is asked for nothing more than by a
product in float32.
"""

import triton
import triton.language as tl
from torch import Tensor

from icl.kernels.products import Precision, Scale

BLOCK_M, BLOCK_N, BLOCK_K = 64, 64, 32  # fixed, as other sums would have other last bits


@triton.jit
def own(number, r, EACH: tl.constexpr):
    """Return a number that all replicates share, or that of one."""
    if EACH:  # no two returns: after the first one Triton reads on, and finds two types
        number = tl.load(number + r)
    return number


@triton.jit
def _rounded(x, BITS: tl.constexpr):
    """Do what `icl.kernels.products.rounded` does."""
    DROPPED: tl.constexpr = 24 - BITS
    words = x.to(tl.int32, bitcast=True)
    up = (1 << (DROPPED - 1)) - 1 + ((words >> DROPPED) & 1)
    return tl.where(x == x, ((words + up) & -(1 << DROPPED)).to(tl.float32, bitcast=True), x)


@triton.jit
def _dot(left, right, to, BITS: tl.constexpr, UNITS: tl.constexpr):
    """Add a product of numbers of so many bits, which tf32 can hold too."""
    if BITS == 8 and UNITS:
        to = tl.dot(left.to(tl.bfloat16), right.to(tl.bfloat16), to)
    else:
        to = tl.dot(left, right, to, input_precision="tf32")
    return to


@triton.jit
def _add_product(
    to,
    left,
    right,
    m,
    n,
    k,
    to_r,
    to_m,
    to_n,
    left_r,
    left_m,
    left_k,
    right_r,
    right_k,
    right_n,
    beta,
    alpha,
    BITS: tl.constexpr,
    PARTS: tl.constexpr,
    FRESH: tl.constexpr,
    EACH: tl.constexpr,
    UNITS: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    r = tl.program_id(0).to(tl.int64)
    i = tl.program_id(1) * BLOCK_M + tl.arange(0, BLOCK_M)
    j = tl.program_id(2) * BLOCK_N + tl.arange(0, BLOCK_N)
    found = tl.zeros((BLOCK_M, BLOCK_N), tl.float32)
    for first in range(0, k, BLOCK_K):
        s = first + tl.arange(0, BLOCK_K)
        at = left + r * left_r + i[:, None] * left_m + s * left_k
        a = tl.load(at, (i < m)[:, None] & (s < k), 0.0)
        at = right + r * right_r + s[:, None] * right_k + j * right_n
        b = tl.load(at, (s < k)[:, None] & (j < n), 0.0)
        a1, b1 = _rounded(a, BITS), _rounded(b, BITS)
        if PARTS == 2:
            found = _dot(a1, _rounded(b - b1, BITS), found, BITS, UNITS)
            found = _dot(_rounded(a - a1, BITS), b1, found, BITS, UNITS)
        found = _dot(a1, b1, found, BITS, UNITS)
    at = to + r * to_r + i[:, None] * to_m + j * to_n
    inside = (i < m)[:, None] & (j < n)
    found *= own(alpha, r, EACH)
    if not FRESH:
        found += own(beta, r, EACH) * tl.load(at, inside, 0.0)
    tl.store(at, found, inside)


def add_product(
    to: Tensor, left: Tensor, right: Tensor, beta: Scale, alpha: Scale, precision: Precision
) -> None:
    """Turn `to` into beta `to` + alpha left @ right, in place; (m, n) or (R, m, n)."""
    if to.ndim == 2:
        to, left, right = to[None], left[None], right[None]
    n_replicates, m, n = to.shape
    k = left.shape[-1]
    strides = (*to.stride(), *left.stride(), *right.stride())
    units = to.device.type == "cuda"  # Triton's interpreter has none
    each = isinstance(beta, Tensor)  # and so is alpha
    how = precision.bits, precision.parts, not each and beta == 0, each, units
    grid = n_replicates, triton.cdiv(m, BLOCK_M), triton.cdiv(n, BLOCK_N)
    sizes = BLOCK_M, BLOCK_N, BLOCK_K
    _add_product[grid](to, left, right, m, n, k, *strides, beta, alpha, *how, *sizes)
