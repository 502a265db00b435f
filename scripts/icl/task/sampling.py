"""What a job trains on: the paper's D, its D', Zipf's ranks, copies, noise, and K = infinity.

ICL and IWL are evaluated on D whatever the task (contexts and targets uniform over items, labels as
they fall), so that a curve always means the same. On D' a head that answers against the majority of
the other labels would always be right (docs/theory.md, gap 9).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from icl.job import Job
from icl.kernels import loops
from icl.task import draws, streams
from icl.task.draws import Dataset, Sequences, Tables
from icl.task.streams import Purpose, StepIndex


@dataclass(frozen=True)
class ByLabel:
    """Items sorted by label."""

    items: Tensor  # (R, K) int64: those labelled +1, then those labelled -1
    n_positive: Tensor  # (R,) int64: how many are labelled +1

    @classmethod
    def of(cls, labels: Tensor) -> "ByLabel":
        """Sort items by their labels (R, K)."""
        negative = (labels < 0).to(torch.uint8)
        return cls(negative.argsort(dim=1, stable=True), (labels > 0).sum(dim=1))


def balanced_positions(words: Tensor) -> Tensor:
    """Choose half of each row's positions at random: words (..., N) -> bool."""
    half = words.shape[-1] // 2
    largest = words.topk(half, dim=-1, sorted=False).indices  # half as long as sorting
    return torch.zeros_like(words, dtype=torch.bool).scatter_(-1, largest, True)


def draw_balanced_sequences(
    seeds: Tensor, purpose: Purpose, step: StepIndex, batch_size: int, n: int, by_label: ByLabel
) -> Sequences:
    """Draw sequences of D': those of D on condition that N/2 context tokens carry each label."""
    words = streams.bits(seeds, purpose, step, batch_size * (2 * n + 1))
    words = words.view(-1, batch_size, 2 * n + 1)
    arrange = arrange_balanced_on_cpu if seeds.device.type == "cpu" else arrange_balanced
    return arrange(words, by_label)


def arrange_balanced_on_cpu(words: Tensor, by_label: ByLabel) -> Sequences:
    """Arrange sequences as `arrange_balanced` does, by a compiled loop."""
    shape = (*words.shape[:2], words.shape[-1] // 2)
    context = torch.empty(shape, dtype=torch.int64)
    target = torch.empty(shape[:2], dtype=torch.int64)
    arrays = (words, by_label.items, by_label.n_positive, context, target)
    loops.balanced_sequences(*(array.numpy() for array in arrays))
    return Sequences(context, target)


def arrange_balanced(words: Tensor, by_label: ByLabel) -> Sequences:
    """Turn words (R, B, 2 N + 1) into sequences of D', by tensor operations on any device."""
    n = words.shape[-1] // 2
    chosen, arranged, last = words.split((n, n, 1), dim=-1)
    positive = balanced_positions(arranged)  # (R, B, N)
    n_positive = by_label.n_positive[:, None, None]
    n_alike = torch.where(positive, n_positive, by_label.items.shape[1] - n_positive)
    place = ((chosen * n_alike) >> 32) + torch.where(positive, 0, n_positive)
    context = by_label.items.gather(1, place.flatten(1)).view_as(place)
    return Sequences(context, context.gather(-1, (last * n) >> 32).squeeze(-1))


def zipf_cumulative(n_items: int, exponent: float, device: torch.device) -> Tensor:
    """Compute the cumulative probabilities of items as likely as k^-alpha: (K,) float64."""
    ranks = torch.arange(1, n_items + 1, dtype=torch.float64, device=device)
    cumulative = ranks.pow(-exponent).cumsum(0)
    return cumulative / cumulative[-1]


def draw_ranked_sequences(
    seeds: Tensor, purpose: Purpose, step: StepIndex, batch_size: int, n: int, cumulative: Tensor
) -> Sequences:
    """Draw sequences of items that are not equally likely; the target is one of the context's.

    Item k has rank k + 1: items are exchangeable, so it does not matter which is frequent.
    """
    words = streams.bits(seeds, purpose, step, batch_size * (n + 1)).view(-1, batch_size, n + 1)
    chosen, last = words.split((n, 1), dim=-1)
    unit = (chosen.double() + 0.5) / 2.0**32
    context = torch.searchsorted(cumulative, unit, right=True).clamp_(max=len(cumulative) - 1)
    return Sequences(context, context.gather(-1, (last * n) >> 32).squeeze(-1))


def redrawn_sequences(
    seeds: Tensor,
    purpose: Purpose,
    step: StepIndex,
    batch_size: int,
    n: int,
    item_dim: int,
    balanced: bool,
) -> tuple[Dataset, Sequences]:
    """Draw B N items, and sequences that share none; labels are fair coins or N/2 of each."""
    n_items = batch_size * n
    purposes = (Purpose.REDRAWN_ITEMS, Purpose.REDRAWN_LABELS)
    dataset = draws.draw_dataset(seeds, purposes, step, n_items, item_dim, "random")
    if balanced:
        words = streams.bits(seeds, Purpose.REDRAWN_LABELS, step, n_items)
        positive = balanced_positions(words.view(-1, batch_size, n))
        dataset = Dataset(dataset.items, positive.flatten(1).float() * 2 - 1)
    context = torch.arange(n_items, device=seeds.device).view(1, batch_size, n)
    position = streams.integers(seeds, purpose, step, (batch_size, 1), n)
    context = context.expand(len(seeds), -1, -1)
    return dataset, Sequences(context.contiguous(), context.gather(-1, position).squeeze(-1))


def with_copies(sequences: Sequences, copies: int) -> Sequences:
    """Make the target the first item of the context, and so the next `copies` - 1.

    The law of the other tokens is what it was. A model that reads the order of a context could tell
    the target by its place, so validation refuses it.
    """
    context = sequences.context.clone()
    context[..., :copies] = context[..., :1]
    return Sequences(context, context[..., 0].contiguous())


NOISE = {
    Purpose.TRAINING: Purpose.TRAINING_NOISE,
    Purpose.EVALUATE_TRAIN: Purpose.EVALUATE_TRAIN_NOISE,
}


def with_noise(
    seeds: Tensor, purpose: Purpose, step: StepIndex, sequences: Sequences, noise: float, k: int
) -> Sequences:
    """Let each token carry the other label with a probability: item i + K is item i with that.

    The target is to be that of a token of the context: see `with_copies`.
    """
    words = streams.bits(seeds, NOISE[purpose], step, sequences.context[0].numel())
    other = words.view(sequences.context.shape) < round(noise * 2**32)
    return Sequences(sequences.context + k * other, sequences.target)


def with_other_labels(dataset: Dataset) -> Dataset:
    """Append every item once more, with the other label: (R, 2 K, D)."""
    items, labels = dataset.items, dataset.labels
    return Dataset(torch.cat((items, items), dim=1), torch.cat((labels, -labels), dim=1))


class TrainingData:
    """The training data of a job's replicates.

    `tables` are of the dataset D, and with noise of D once more, with the other labels; at
    K = infinity, of items never trained on, on which IWL is evaluated.
    """

    def __init__(
        self,
        job: Job,
        seeds: Tensor,
        embed: Callable[[Dataset], Tables],
        redraw: Callable[[Tensor, StepIndex], Tables] | None = None,
    ):
        self.job, self.embed, self.redraw = job, embed, redraw or self._redraw
        draw = draws.unseen_dataset if job.is_redrawn else draws.training_dataset
        dataset = draw(seeds, job.dataset_size, job.model.item_dim, job.task)
        if job.task.label_noise > 0:
            dataset = with_other_labels(dataset)
        self.tables = self.embed(dataset)
        self.by_label: ByLabel | None = None
        self.cumulative: Tensor | None = None
        if not job.is_redrawn and job.task.context_labels == "balanced":
            self.by_label = ByLabel.of(self.tables.labels)
        if job.task.zipf_exponent > 0:
            exponent = job.task.zipf_exponent
            self.cumulative = zipf_cumulative(job.dataset_size, exponent, seeds.device)

    def _redraw(self, seeds: Tensor, step: StepIndex) -> Tables:
        dataset = draws.redrawn_dataset(seeds, step, self.job.model.item_dim, self.job.task)
        return self.embed(dataset)

    def batch(
        self, seeds: Tensor, purpose: Purpose, step: StepIndex, batch_size: int
    ) -> tuple[Tables, Sequences]:
        """Draw the sequences of a step, and the tables that they index."""
        job, task = self.job, self.job.task
        sizes = (seeds, purpose, step, batch_size, job.context_length)
        balanced = task.context_labels == "balanced"
        if job.is_redrawn and task.redraw == "sequence":
            dataset, sequences = redrawn_sequences(*sizes, job.model.item_dim, balanced)
            return self.embed(dataset), sequences
        tables, by_label = self.tables, self.by_label
        if job.is_redrawn:
            tables = self.redraw(seeds, step)
        if balanced:
            by_label = by_label or ByLabel.of(tables.labels)
            return tables, draw_balanced_sequences(*sizes, by_label)
        if self.cumulative is not None:
            sequences = draw_ranked_sequences(*sizes, self.cumulative)
        else:
            sequences = draws.draw_sequences(*sizes, job.dataset_size)
        if task.label_noise > 0:
            noise = task.label_noise, job.dataset_size
            sequences = with_noise(seeds, purpose, step, sequences, *noise)
        if task.copies > 1 or task.label_noise > 0:
            sequences = with_copies(sequences, task.copies)
        return tables, sequences

    def probabilities(self) -> Tensor | None:
        """Return each labelled item's probability as a target, float64; None if all are alike.

        (K,), or (2 K,) with noise.
        """
        noise, k = self.job.task.label_noise, self.job.dataset_size
        if self.cumulative is None:
            if noise == 0:
                return None
            alike = torch.full((k,), 1 / k, dtype=torch.float64, device=self.tables.labels.device)
        else:
            alike = self.cumulative.diff(prepend=self.cumulative.new_zeros(1))
        return alike if noise == 0 else torch.cat(((1 - noise) * alike, noise * alike))

    def keep(self, rows: Tensor) -> None:
        """Keep the replicates in rows."""
        self.tables = self.tables.select(rows)
        if self.by_label is not None:
            self.by_label = ByLabel(self.by_label.items[rows], self.by_label.n_positive[rows])
