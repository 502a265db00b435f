"""Tables of tokens on a GPU: made of a dataset's items, and looked up for targets."""

import triton
import triton.language as tl
from torch import Tensor


@triton.jit
def _look_up(table, item_labels, index, tokens, labels, n_items, width, BLOCK_E: tl.constexpr):
    r, b = tl.program_id(0), tl.program_id(1)
    at = r.to(tl.int64) * tl.num_programs(1) + b
    k = r.to(tl.int64) * n_items + tl.load(index + at)
    columns = tl.arange(0, BLOCK_E)
    inside = columns < width
    tl.store(tokens + at * width + columns, tl.load(table + k * width + columns, inside), inside)
    tl.store(labels + at, tl.load(item_labels + k))


def look_up(
    table: Tensor, item_labels: Tensor, index: Tensor, tokens: Tensor, labels: Tensor
) -> None:
    """Fill tokens (R, B, E) and labels (R, B) of the items index (R, B) of a table (R, K, E)."""
    n_items, width = table.shape[1:]
    sizes = n_items, width, triton.next_power_of_2(width)
    _look_up[tuple(index.shape)](table, item_labels, index, tokens, labels, *sizes, num_warps=1)


@triton.jit
def _tokens(
    items,
    labels,
    rows,
    targets,
    n_rows,
    epsilon,
    DIM: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    k = (tl.program_id(0) * ROWS + tl.arange(0, ROWS)).to(tl.int64)[:, None]
    e = tl.arange(0, BLOCK_E)[None, :]
    there, of_item = k < n_rows, e < DIM
    x = tl.load(items + k * DIM + e, there & of_item, 0.0)
    total = tl.sum(x, 1)[:, None]
    positive = tl.load(labels + k, there, 1.0) > 0
    width = DIM + 2.0
    # Without a label: the item and two zeros.
    mean = total / width
    apart = tl.where(of_item, x - mean, 0.0)
    variance = (tl.sum(apart * apart, 1)[:, None] + 2 * mean * mean) / width
    token = tl.where(of_item, x - mean, -mean) / tl.sqrt(variance + epsilon)
    tl.store(targets + k * (DIM + 2) + e, token, there & (e < DIM + 2))
    # With it: one of the two is 1.
    mean = (total + 1.0) / width
    x = tl.where((e == DIM) & positive, 1.0, x)
    apart = tl.where(e < DIM + 1, x - mean, 0.0)
    last = tl.where(positive, 0.0, 1.0) - mean
    variance = (tl.sum(apart * apart, 1)[:, None] + last * last) / width
    token = (x - mean) / tl.sqrt(variance + epsilon)
    tl.store(rows + k * (DIM + 1) + e, token, there & (e < DIM + 1))


def normalise_tokens(
    items: Tensor, labels: Tensor, epsilon: float, rows: Tensor, targets: Tensor
) -> None:
    """Apply LayerNorm to the tokens of items (R, K, D), with their labels (R, K) and without.

    Fills rows (R, K, D + 1), all components but the last, and targets (R, K, D + 2).
    """
    dim, per_program = items.shape[-1], 8
    n_rows, block_e = labels.numel(), triton.next_power_of_2(dim + 2)
    _tokens[(triton.cdiv(n_rows, per_program),)](
        items, labels, rows, targets, n_rows, epsilon, dim, per_program, block_e
    )
