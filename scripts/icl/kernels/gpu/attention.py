"""Attention of one query to rows that are looked up in a table, on a GPU.

A program has one sequence of one replicate. It reads each row of the context once on the way there
and once on the way back, and keeps nothing of the context in between but the logarithm of the
softmax's denominator.

A normalised token's E components add up to 0, so the table keeps E - 1 of them (`zero_sum`):
t . q is then the sum over those of t_e (q_e - q_E), and a sum of tokens has their negative total as
its last component.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK_N = 32  # rows of the context that are in registers at once


@triton.jit
def _load(vector, columns, inside, WIDTH: tl.constexpr, ZERO_SUM: tl.constexpr):
    x = tl.load(vector + columns, inside, 0.0)
    if ZERO_SUM:
        x = tl.where(inside, x - tl.load(vector + WIDTH), 0.0)
    return x


@triton.jit
def _store(vector, x, columns, inside, WIDTH: tl.constexpr, ZERO_SUM: tl.constexpr):
    tl.store(vector + columns, x, inside)
    if ZERO_SUM:
        tl.store(vector + WIDTH, -tl.sum(x, 0))


@triton.jit
def _context_rows(
    table,
    context,
    first,
    LENGTH: tl.constexpr,
    columns,
    inside,
    WIDTH: tl.constexpr,
    BLOCK_N: tl.constexpr,
):
    n = first + tl.arange(0, BLOCK_N)
    index = tl.load(context + n, n < LENGTH, 0)
    rows = tl.load(table + index[:, None] * WIDTH + columns[None, :], inside[None, :], 0.0)
    return rows, n < LENGTH


@triton.jit
def _sequence(table, context, n_items, LENGTH: tl.constexpr, WIDTH: tl.constexpr):
    """Find a program's sequence: its number, its replicate's table, and its context."""
    r, b = tl.program_id(0), tl.program_id(1)
    at = r.to(tl.int64) * tl.num_programs(1) + b
    return at, table + r.to(tl.int64) * n_items * WIDTH, context + at * LENGTH


@triton.jit
def _forward(
    table,
    context,
    query,
    own,
    read,
    log_sum,
    n_items,
    LENGTH: tl.constexpr,
    WIDTH: tl.constexpr,
    ZERO_SUM: tl.constexpr,
    WITH_SELF: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    at, table, context = _sequence(table, context, n_items, LENGTH, WIDTH)
    columns = tl.arange(0, BLOCK_E)
    inside = columns < WIDTH
    stride = WIDTH + 1 if ZERO_SUM else WIDTH
    q = _load(query + at * stride, columns, inside, WIDTH, ZERO_SUM)
    largest, total = -float("inf"), 0.0
    sum_of_rows = tl.zeros((BLOCK_E,), tl.float32)
    if WITH_SELF:
        sum_of_rows = tl.load(own + at * stride + columns, inside, 0.0)
        largest, total = tl.sum(sum_of_rows * q, 0), 1.0
    for first in range(0, LENGTH, BLOCK_N):
        rows, there = _context_rows(table, context, first, LENGTH, columns, inside, WIDTH, BLOCK_N)
        scores = tl.where(there, tl.sum(rows * q[None, :], 1), -float("inf"))
        new = tl.maximum(largest, tl.max(scores, 0))
        weights, shrink = tl.exp(scores - new), tl.exp(largest - new)
        total = total * shrink + tl.sum(weights, 0)
        sum_of_rows = sum_of_rows * shrink + tl.sum(weights[:, None] * rows, 0)
        largest = new
    _store(read + at * stride, sum_of_rows / total, columns, inside, WIDTH, ZERO_SUM)
    tl.store(log_sum + at, largest + tl.log(total))


@triton.jit
def _backward(
    table,
    context,
    query,
    own,
    read,
    log_sum,
    read_gradient,
    query_gradient,
    n_items,
    LENGTH: tl.constexpr,
    WIDTH: tl.constexpr,
    ZERO_SUM: tl.constexpr,
    WITH_SELF: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_E: tl.constexpr,
):
    at, table, context = _sequence(table, context, n_items, LENGTH, WIDTH)
    columns = tl.arange(0, BLOCK_E)
    inside = columns < WIDTH
    stride = WIDTH + 1 if ZERO_SUM else WIDTH
    q = _load(query + at * stride, columns, inside, WIDTH, ZERO_SUM)
    g = _load(read_gradient + at * stride, columns, inside, WIDTH, ZERO_SUM)
    base = tl.sum(g * tl.load(read + at * stride + columns, inside, 0.0), 0)
    log_total = tl.load(log_sum + at)
    out = tl.zeros((BLOCK_E,), tl.float32)
    if WITH_SELF:
        row = tl.load(own + at * stride + columns, inside, 0.0)
        weight = tl.exp(tl.sum(row * q, 0) - log_total)
        out = weight * (tl.sum(row * g, 0) - base) * row
    for first in range(0, LENGTH, BLOCK_N):
        rows, there = _context_rows(table, context, first, LENGTH, columns, inside, WIDTH, BLOCK_N)
        weights = tl.exp(tl.sum(rows * q[None, :], 1) - log_total)
        of_scores = weights * (tl.sum(rows * g[None, :], 1) - base)
        out += tl.sum(tl.where(there, of_scores, 0.0)[:, None] * rows, 0)
    _store(query_gradient + at * stride, out, columns, inside, WIDTH, ZERO_SUM)


class Attention:
    """softmax(q . rows) and its weighted sum of the rows, there and back.

    Args:
        width: of the table's rows.
        zero_sum: whether a vector has one component more, by which its sum is 0.
        with_self: whether a query attends to a row of its own too.
    """

    def __init__(self, width: int, zero_sum: bool, with_self: bool):
        block_e = triton.next_power_of_2(width)
        self.options = width, zero_sum, with_self, BLOCK_N, block_e
        self.num_warps = 2 if block_e <= 64 else 4

    def forward(
        self, table: Tensor, context: Tensor, query: Tensor, own: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return what is read (R, B, E), and the logarithm of the softmax's denominator (R, B).

        Args: table (R, K, width), context (R, B, N) int64, query and own (R, B, E).
        """
        n_replicates, n_sequences, length = context.shape
        read, log_sum = torch.empty_like(query), query.new_empty(n_replicates, n_sequences)
        _forward[n_replicates, n_sequences](
            *(table, context, query, own, read, log_sum),
            *(table.shape[1], length, *self.options),
            num_warps=self.num_warps,
        )
        return read, log_sum

    def backward(
        self,
        table: Tensor,
        context: Tensor,
        query: Tensor,
        own: Tensor,
        found: tuple[Tensor, Tensor],
        read_gradient: Tensor,
    ) -> Tensor:
        """Return the gradient of the query (R, B, E), from what `forward` found."""
        n_replicates, n_sequences, length = context.shape
        query_gradient = torch.empty_like(query)
        _backward[n_replicates, n_sequences](
            *(table, context, query, own, *found, read_gradient, query_gradient),
            *(table.shape[1], length, *self.options),
            num_warps=self.num_warps,
        )
        return query_gradient
