"""Products with the matrices of an MLP's hidden layers, whose factors a precision rounds first.

Of a float32 number's 24 significant bits tf32 keeps 11 and bfloat16 8. With x3 a factor is split
into two such numbers, its rounded value and its rounded rest, and the three largest products of
parts are added: some 22 and 16 bits count. Products of parts are exact and sums are float32.

Factors are rounded in training's steps alone (`at`), forwards and back; all else is float32.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

import torch
from torch import Tensor


@dataclass(frozen=True)
class Precision:
    """How a factor is rounded."""

    bits: int  # that count, of a part
    parts: int = 1


Scale = float | Tensor  # a number, or one for each replicate, (R,)
FLOAT32 = Precision(24)
PRECISIONS = {
    "float32": FLOAT32,
    "tf32x3": Precision(11, parts=2),
    "tf32": Precision(11),
    "bfloat16x3": Precision(8, parts=2),
    "bfloat16": Precision(8),
}
# The switch by which PyTorch asks oneDNN for products of float32 matrices. "bf16" lets it round
# factors to bfloat16, which it does on a processor with units for such matrices (`machine`).
SWITCH = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]  # the module becomes an object


class _Here:
    """What is so in this process."""

    precision = FLOAT32
    has_units = False  # for matrices of bfloat16, on this processor


here = _Here()


@contextmanager
def at(name: str) -> Iterator[None]:
    """Round factors as a precision of `PRECISIONS` says, while this lasts."""
    before, here.precision = here.precision, PRECISIONS[name]
    try:
        yield
    finally:
        here.precision = before


def rounded(x: Tensor, bits: int) -> Tensor:
    """Round float32 numbers to some significant bits, to even where two are as near."""
    if bits == 8:
        return x.bfloat16().float()
    dropped = 24 - bits
    words = x.view(torch.int32)
    up = (1 << (dropped - 1)) - 1 + ((words >> dropped) & 1)
    # A NaN of all bits, as NVIDIA's cards make it, would be rounded up to -0.
    return torch.where(x.isnan(), x, ((words + up) & -(1 << dropped)).view(torch.float32))


def _split(x: Tensor, precision: Precision, by_units: bool) -> list[Tensor]:
    """Split a factor into numbers of as many bits; units round what they are given."""
    if precision is FLOAT32 or (by_units and precision.parts == 1):
        return [x]
    first = rounded(x, precision.bits)
    if precision.parts == 1:
        return [first]
    rest = x - first
    return [first, rest if by_units else rounded(rest, precision.bits)]


@contextmanager
def _units() -> Iterator[None]:
    """Let units for bfloat16 matrices do the products."""
    before, SWITCH.fp32_precision = SWITCH.fp32_precision, "bf16"
    try:
        yield
    finally:
        SWITCH.fp32_precision = before


def column(scale: Scale, like: Tensor) -> Scale:
    """Shape numbers (R,) so that each scales a replicate of `like` (R, ...)."""
    return scale.view(-1, *[1] * (like.ndim - 1)) if isinstance(scale, Tensor) else scale


def add_product(
    to: Tensor,
    left: Tensor,
    right: Tensor,
    beta: Scale,
    alpha: Scale,
    precision: Precision | None = None,
) -> None:
    """Turn `to` into beta `to` + alpha left @ right, in place; (m, n) or (R, m, n).

    The precision is the step's if none is given.
    """
    precision = precision or here.precision
    if to.device.type == "cuda" and precision is not FLOAT32 and find_spec("triton"):
        gpu = import_module("icl.kernels.gpu.products")
        gpu.add_product(to, left, right, beta, alpha, precision)
        return
    by_units = here.has_units and precision.bits == 8 and not isinstance(alpha, Tensor)
    lefts, rights = (_split(x, precision, by_units) for x in (left, right))
    if isinstance(alpha, Tensor) or isinstance(beta, Tensor):
        to.mul_(column(beta, to))
        lefts = [column(alpha, x) * x for x in lefts]
        beta = alpha = 1
    add = to.addmm_ if to.ndim == 2 else to.baddbmm_
    with _units() if by_units else nullcontext():
        add(lefts[0], rights[0], beta=beta, alpha=alpha)
        if precision.parts == 2:
            add(lefts[0], rights[1], alpha=alpha)
            add(lefts[1], rights[0], alpha=alpha)


def multiply(left: Tensor, right: Tensor, out: Tensor | None = None) -> Tensor:
    """Compute left @ right, of matrices or of R of them, into `out` if it is given."""
    if here.precision is FLOAT32:
        return (torch.mm if left.ndim == 2 else torch.bmm)(left, right, out=out)
    if out is None:
        out = left.new_empty(*left.shape[:-1], right.shape[-1])
    add_product(out, left, right, beta=0, alpha=1)
    return out


class _Product(torch.autograd.Function):
    """A product whose gradients' factors are rounded likewise."""

    @staticmethod
    def forward(ctx, left: Tensor, right: Tensor) -> Tensor:
        ctx.save_for_backward(left, right)
        ctx.precision = here.precision
        return multiply(left, right)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        left, right = ctx.saved_tensors
        assert ctx.precision is here.precision  # a step's backward pass is part of it
        return multiply(gradient, right.mT), multiply(left.mT, gradient)


def differentiable(left: Tensor, right: Tensor) -> Tensor:
    """Compute left @ right, of R matrices, for automatic differentiation."""
    if here.precision is FLOAT32:
        return torch.bmm(left, right)
    return _Product.apply(left, right)
