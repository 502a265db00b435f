"""Datasets and sequences: the task of section 2 of the paper.

A sequence holds indices into a dataset's items, so that no token is copied before it is needed.
"""

from dataclasses import dataclass
from math import sqrt
from typing import Protocol, Self

import torch
from torch import Tensor

from icl.job import Task
from icl.task import streams
from icl.task.streams import Purpose, StepIndex

MANY_ITEMS = 65536  # of these, one replicate is drawn at a time; never a dataset redrawn each step


class Tables(Protocol):
    """What a model made of a dataset (`embed`), in a form of its own."""

    @property
    def labels(self) -> Tensor:
        """Those of the items, (R, K), +1 or -1."""

    def select(self, rows: Tensor, /) -> Self:
        """Keep the replicates in rows."""


@dataclass(frozen=True)
class Dataset:
    """K labelled items for each replicate."""

    items: Tensor  # (R, K, D) float32, components drawn from N(0, 1/D)
    labels: Tensor  # (R, K) float32, +1 or -1

    def select(self, rows: Tensor) -> "Dataset":
        """Keep the replicates in rows."""
        return Dataset(self.items[rows], self.labels[rows])


@dataclass(frozen=True)
class Sequences:
    """A batch of sequences for each replicate, as indices into a dataset's items."""

    context: Tensor  # (R, B, N) int64
    target: Tensor  # (R, B) int64


def draw_dataset(
    seeds: Tensor,
    purposes: tuple[Purpose, Purpose],
    step: StepIndex,
    n_items: int,
    item_dim: int,
    item_labels: str,
) -> Dataset:
    """Draw K items and their labels for each seed (R,); a purpose for each of the two draws."""
    # Of many items, one replicate at a time: its draws need several times its memory.
    some = seeds.split(1) if n_items > MANY_ITEMS else [seeds]
    parts = [streams.normal(part, purposes[0], step, (n_items, item_dim)) for part in some]
    items = torch.cat(parts) if len(parts) > 1 else parts[0]
    items = items.mul_(1 / sqrt(item_dim))
    return Dataset(items, draw_labels(seeds, purposes[1], step, n_items, item_labels))


def draw_labels(
    seeds: Tensor,
    purpose: Purpose,
    step: StepIndex,
    n_items: int,
    item_labels: str,
) -> Tensor:
    """Draw the labels of K items for each seed: (R, K).

    They are "random" (each a fair coin, the paper's section 2) or "balanced" (half of the items
    each, as the authors released; a -1 more where K is odd).
    """
    if item_labels == "balanced":
        # The items are exchangeable, so it does not matter which of them carry +1.
        positive = torch.arange(n_items, device=seeds.device).expand(len(seeds), -1) % 2 == 1
    else:
        positive = streams.integers(seeds, purpose, step, (n_items,), 2) == 1
    return positive.float() * 2 - 1


def training_dataset(seeds: Tensor, n_items: int, item_dim: int, task: Task) -> Dataset:
    """Draw the dataset D of section 2, fixed throughout a run."""
    purposes = (Purpose.ITEMS, Purpose.LABELS)
    return draw_dataset(seeds, purposes, 0, n_items, item_dim, task.item_labels)


def redrawn_dataset(seeds: Tensor, step: StepIndex, item_dim: int, task: Task) -> Dataset:
    """Draw the dataset of one step at K = infinity (section 4: resampled at every iteration)."""
    purposes = (Purpose.REDRAWN_ITEMS, Purpose.REDRAWN_LABELS)
    return draw_dataset(seeds, purposes, step, task.redrawn_items, item_dim, task.item_labels)


def novel_dataset(seeds: Tensor, n_items: int, item_dim: int, task: Task) -> Dataset:
    """Draw D_test, the novel items on which ICL is measured."""
    purposes = (Purpose.NOVEL_ITEMS, Purpose.NOVEL_LABELS)
    return draw_dataset(seeds, purposes, 0, n_items, item_dim, task.item_labels)


def unseen_dataset(seeds: Tensor, n_items: int, item_dim: int, task: Task) -> Dataset:
    """Draw the items of an IWL evaluation at K = infinity, where nothing can be in the weights."""
    purposes = (Purpose.UNSEEN_ITEMS, Purpose.UNSEEN_LABELS)
    return draw_dataset(seeds, purposes, 0, n_items, item_dim, task.item_labels)


def draw_sequences(
    seeds: Tensor,
    purpose: Purpose,
    step: StepIndex,
    batch_size: int,
    context_length: int,
    n_items: int,
) -> Sequences:
    """Draw sequences for training and ICL evaluation, whose context holds the target.

    The context is uniform over the items with replacement; the target is one of the N positions,
    uniformly (section 2).
    """
    shape = (batch_size, context_length)
    context, position = streams.integer_rows(seeds, purpose, step, shape, n_items, context_length)
    return Sequences(context, context.gather(-1, position[..., None]).squeeze(-1))


def draw_sequences_without_copy(
    seeds: Tensor,
    purpose: Purpose,
    step: StepIndex,
    batch_size: int,
    context_length: int,
    n_items: int,
) -> Sequences:
    """Draw sequences for IWL evaluation, whose context holds no copy of the target.

    The target is uniform over the items; the context uniform, with replacement, over the others.
    """
    shape = (batch_size, context_length)
    others, target = streams.integer_rows(seeds, purpose, step, shape, n_items - 1, n_items)
    # Counted from the target on, around the end: 1 to K - 1 items further.
    context = others.add_(target[..., None]).add_(1)
    return Sequences(streams.wrap(context, n_items), target)
