"""Datasets and sequences: what section 2 of the paper says of them, counted."""

import pytest
import torch
from icl.job import Task
from icl.task import draws
from icl.task.streams import Purpose
from scipy import stats

SEEDS = torch.tensor([5, 6, 7])
N_ITEMS, LENGTH, BATCH = 40, 8, 20_000
SIZES = (BATCH, LENGTH, N_ITEMS)


def chi_square(values, n):
    counts = torch.bincount(values.flatten(), minlength=n)
    assert len(counts) == n
    return stats.chisquare(counts).pvalue


@pytest.mark.parametrize("purpose", [Purpose.TRAINING, Purpose.EVALUATE_ICL])
def test_sequences_with_a_copy(purpose):
    sequences = draws.draw_sequences(SEEDS, purpose, 9, *SIZES)
    assert sequences.context.shape == (3, BATCH, LENGTH)
    here = sequences.context == sequences.target[..., None]
    assert here.any(-1).all()
    once = here.sum(-1) == 1  # where the target's place is known
    position = here[once].int().argmax(-1)
    assert chi_square(position, LENGTH) > 0.01
    for r in range(3):
        assert chi_square(sequences.context[r], N_ITEMS) > 0.01
        assert chi_square(sequences.target[r], N_ITEMS) > 0.01
    # With replacement: the first two tokens agree in one of K sequences.
    pairs = (sequences.context[..., 0] == sequences.context[..., 1]).float().mean()
    assert pairs.item() == pytest.approx(1 / N_ITEMS, abs=4 * (1 / N_ITEMS / (3 * BATCH)) ** 0.5)


def test_context_is_uniform_at_every_position():
    context = draws.draw_sequences(SEEDS, Purpose.TRAINING, 0, *SIZES).context
    assert min(chi_square(context[..., n], N_ITEMS) for n in range(LENGTH)) > 0.001


def test_sequences_without_a_copy():
    sequences = draws.draw_sequences_without_copy(SEEDS, Purpose.EVALUATE_IWL, 9, *SIZES)
    assert not (sequences.context == sequences.target[..., None]).any()
    assert sequences.context.min() == 0
    assert sequences.context.max() == N_ITEMS - 1
    assert chi_square(sequences.target, N_ITEMS) > 0.01
    distance = (sequences.context - sequences.target[..., None]) % N_ITEMS - 1
    assert chi_square(distance, N_ITEMS - 1) > 0.01
    assert chi_square(sequences.context[..., 0], N_ITEMS) > 0.01


def test_two_items_are_enough_for_both_evaluations():
    with_copy = draws.draw_sequences(SEEDS, Purpose.EVALUATE_ICL, 0, 50, 3, 2)
    assert with_copy.context.unique().tolist() == [0, 1]
    without = draws.draw_sequences_without_copy(SEEDS, Purpose.EVALUATE_IWL, 0, 50, 3, 2)
    assert torch.equal(without.context, (1 - without.target)[..., None].expand(-1, -1, 3))


def test_every_step_draws_anew_and_again_the_same():
    sizes = (50, LENGTH, N_ITEMS)
    first, again, other = (
        draws.draw_sequences(SEEDS, Purpose.TRAINING, step, *sizes) for step in (1, 1, 2)
    )
    assert torch.equal(first.context, again.context)
    assert (first.context == other.context).float().mean() < 0.1


def test_items_have_the_paper_s_variance():
    items = draws.training_dataset(SEEDS, 3000, 63, Task("random", 8)).items
    assert items.shape == (3, 3000, 63)
    assert (items.square().sum(-1).mean(1) - 1).abs().max() < 0.01
    assert items.mean().abs() < 4 / (items.numel() * 63) ** 0.5


def test_datasets_share_no_item():
    task, n, dim = Task("random", 300), 300, 5
    datasets = [
        draw(SEEDS, n, dim, task)
        for draw in (draws.training_dataset, draws.novel_dataset, draws.unseen_dataset)
    ]
    datasets.append(draws.redrawn_dataset(SEEDS, 0, dim, task))
    items = torch.cat([dataset.items.flatten(0, 1) for dataset in datasets])
    assert len(items.unique(dim=0)) == 4 * 3 * n


def test_items_are_drawn_alike_however_many_are_drawn_at_once():
    task = Task("random", 8)
    many = draws.training_dataset(SEEDS, 4097, 4, task).items
    alone = draws.training_dataset(SEEDS[1:2], 4097, 4, task).items
    assert torch.equal(many[1:2], alone)


def test_replicates_that_are_drawn_one_by_one_are_drawn_alike(monkeypatch):
    task = Task("balanced", 8)
    together = draws.training_dataset(SEEDS, 9, 4, task)
    monkeypatch.setattr(draws, "MANY_ITEMS", 8)
    one_by_one = draws.training_dataset(SEEDS, 9, 4, task)
    assert torch.equal(together.items, one_by_one.items)
    assert torch.equal(together.labels, one_by_one.labels)


def test_labels():
    random = draws.training_dataset(SEEDS, 4001, 3, Task("random", 8)).labels
    assert random.abs().eq(1).all()
    assert random.mean(1).abs().max() < 4 / 4001**0.5
    assert random.mean(1).abs().min() > 0  # a fair coin each: an odd number cannot balance
    assert not torch.equal(random[0], random[1])
    for n, total in ((4000, 0), (4001, -1)):
        balanced = draws.training_dataset(SEEDS, n, 3, Task("balanced", 8)).labels
        assert balanced.sum(1).tolist() == [total] * 3


def test_redrawn_datasets_differ_by_step():
    task = Task("random", 200)
    first, again, other = (draws.redrawn_dataset(SEEDS, step, 7, task) for step in (3, 3, 4))
    assert torch.equal(first.items, again.items)
    assert torch.equal(first.labels, again.labels)
    assert not (first.items == other.items).any()
    assert 0.3 < (first.labels == other.labels).float().mean() < 0.7


def test_select_keeps_the_named_replicates():
    dataset = draws.training_dataset(SEEDS, 9, 3, Task("random", 8))
    kept = dataset.select(torch.tensor([0, 2]))
    assert torch.equal(kept.items, dataset.items[[0, 2]])
    assert torch.equal(kept.labels, dataset.labels[[0, 2]])
