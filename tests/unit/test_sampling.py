"""What is trained on: D', Zipf's ranks and redrawn sequences, counted."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from example_jobs import TASKS, make_job
from icl.job import Task
from icl.models.loading import network
from icl.task import draws, sampling, streams
from icl.task.draws import Dataset
from icl.task.sampling import ByLabel, TrainingData
from icl.task.streams import Purpose
from scipy import stats

SEEDS = torch.tensor([5, 6, 7])
N_ITEMS, LENGTH, BATCH = 40, 6, 20_000
SIZES = (SEEDS, Purpose.TRAINING, 9, BATCH, LENGTH)


def chi_square(values, n, expected=None):
    counts = np.bincount(values.flatten().numpy(), minlength=n)
    assert len(counts) == n
    if expected is not None:
        expected = expected / expected.sum() * counts.sum()
    return stats.chisquare(counts, expected).pvalue


def labels_of(dataset, sequences):
    flat = dataset.labels.gather(1, sequences.context.flatten(1))
    return flat.view_as(sequences.context), dataset.labels.gather(1, sequences.target)


def has_copy(sequences):
    return (sequences.context == sequences.target[..., None]).any(-1).all()


# D'. ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dataset():
    dataset = draws.training_dataset(SEEDS, N_ITEMS, 3, Task("random", 8))
    assert dataset.labels.sum(1).tolist() != [0, 0, 0]  # labels that do not balance by themselves
    return dataset


@pytest.fixture(scope="module")
def balanced(dataset):
    return sampling.draw_balanced_sequences(*SIZES, ByLabel.of(dataset.labels))


def test_items_by_label(dataset):
    by_label = ByLabel.of(dataset.labels)
    for r in range(3):
        assert sorted(by_label.items[r].tolist()) == list(range(N_ITEMS))
        n = by_label.n_positive[r]
        assert (dataset.labels[r][by_label.items[r][:n]] > 0).all()
        assert (dataset.labels[r][by_label.items[r][n:]] < 0).all()


def test_the_compiled_loop_of_balanced_sequences_is_the_tensor_operations(dataset, balanced):
    words = streams.bits(*SIZES[:3], BATCH * (2 * LENGTH + 1)).view(-1, BATCH, 2 * LENGTH + 1)
    plain = sampling.arrange_balanced(words, ByLabel.of(dataset.labels))
    assert torch.equal(balanced.context, plain.context)
    assert torch.equal(balanced.target, plain.target)


def test_equal_words_still_choose_half_of_each_label(dataset):
    words = torch.zeros((3, 1, 2 * LENGTH + 1), dtype=torch.int64)
    sequences = sampling.arrange_balanced_on_cpu(words, ByLabel.of(dataset.labels))
    labels = dataset.labels.gather(1, sequences.context[:, 0])
    assert labels.tolist() == [[1.0] * (LENGTH // 2) + [-1.0] * (LENGTH // 2)] * 3


def test_balanced_contexts_hold_half_of_each_label_and_the_target(dataset, balanced):
    context, target = labels_of(dataset, balanced)
    assert not context.sum(-1).any()
    assert has_copy(balanced)
    assert chi_square((target > 0).int(), 2) > 0.01


def test_balanced_contexts_are_in_any_order(dataset, balanced):
    """All 20 places that three labels +1 can take among six are as likely."""
    context, _ = labels_of(dataset, balanced)
    places = (context > 0).int() @ (2 ** torch.arange(LENGTH, dtype=torch.int32))
    codes = sorted(sum(2**i for i in c) for c in combinations(range(LENGTH), LENGTH // 2))
    assert chi_square(torch.searchsorted(torch.tensor(codes), places.long()), 20) > 0.01


def test_balanced_contexts_are_uniform_within_a_label(dataset, balanced):
    for r in range(3):
        context = balanced.context[r]
        for sign in (1, -1):
            items = torch.nonzero(dataset.labels[r] == sign).squeeze(1)
            drawn = context[torch.isin(context, items)]
            assert chi_square(torch.searchsorted(items, drawn), len(items)) > 0.01
        first = balanced.target[r] == context[:, 0]
        assert first.float().mean().item() == pytest.approx(1 / LENGTH, abs=0.03)
    once = (balanced.context == balanced.target[..., None]).sum(-1) == 1
    place = (balanced.context == balanced.target[..., None])[once].int().argmax(-1)
    assert chi_square(place, LENGTH) > 0.01


# Zipf. -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_ranks_follow_zipf(exponent):
    cumulative = sampling.zipf_cumulative(N_ITEMS, exponent, torch.device("cpu"))
    sequences = sampling.draw_ranked_sequences(*SIZES, cumulative)
    expected = np.arange(1, N_ITEMS + 1) ** -exponent
    assert has_copy(sequences)
    for r in range(3):
        assert chi_square(sequences.context[r], N_ITEMS, expected) > 0.01
        assert chi_square(sequences.target[r], N_ITEMS, expected) > 0.01
    assert chi_square(sequences.context[..., 0], N_ITEMS, expected) > 0.01


# Copies and noise. -------------------------------------------------------------------------------


def batch_of(**task):
    """The data of a job, and a batch of many sequences."""
    sizes = (3, 4, LENGTH, N_ITEMS, BATCH, len(SEEDS))
    job = make_job("minimal", sizes, task=Task("random", 8, **task), seeds=(5, 6, 7))
    data = TrainingData(job, SEEDS, network("minimal").embed)
    return data, data.batch(SEEDS, Purpose.TRAINING, 9, BATCH)[1]


@pytest.mark.parametrize("copies", [2, 5])
def test_copies_of_the_target(copies):
    """So many for sure; each other token is one of the K items, and so the target by chance."""
    _, sequences = batch_of(copies=copies)
    found = (sequences.context == sequences.target[..., None]).sum(-1) - copies
    others = LENGTH - copies
    expected = stats.binom.pmf(np.arange(others + 1), others, 1 / N_ITEMS)
    counts = np.bincount(found.flatten().numpy(), minlength=others + 1)[: others + 1]
    frequent = expected * counts.sum() > 1000
    assert counts.sum() == found.numel()
    np.testing.assert_allclose(counts[frequent] / counts.sum(), expected[frequent], rtol=0.1)
    assert chi_square(sequences.target, N_ITEMS) > 1e-3
    assert chi_square(sequences.context[..., copies:], N_ITEMS) > 1e-3


def test_noise_turns_labels_of_tokens_and_the_target_answers_as_its_copy_does():
    data, sequences = batch_of(label_noise=0.25, copies=2)
    turned = (sequences.context >= N_ITEMS).double()
    assert (turned[..., 0] == turned[..., 1]).all()  # copies alike
    independent = turned[..., 1:]
    assert independent.mean().item() == pytest.approx(0.25, abs=0.005)
    correlations = np.corrcoef(independent[0].T.numpy()) - np.eye(LENGTH - 1)
    assert np.abs(correlations).max() < 0.03
    item = sequences.context % N_ITEMS
    assert chi_square(item, N_ITEMS) > 1e-3
    labels, answer = labels_of(Dataset(data.tables.items, data.tables.labels), sequences)
    clean = data.tables.labels[:, :N_ITEMS]
    own = clean.gather(1, item.flatten(1)).view_as(item)
    torch.testing.assert_close(labels, own * (1 - 2 * turned).float())
    assert (answer == labels[..., 0]).all()
    assert has_copy(sequences)
    torch.testing.assert_close(data.tables.items[:, :N_ITEMS], data.tables.items[:, N_ITEMS:])
    again = data.batch(SEEDS, Purpose.EVALUATE_TRAIN, 9, BATCH)[1]
    assert not torch.equal(again.context >= N_ITEMS, sequences.context >= N_ITEMS)


def test_a_frequent_item_is_as_often_copied_and_turned():
    _, sequences = batch_of(label_noise=0.25, zipf_exponent=1.0)
    ranks = np.arange(1, N_ITEMS + 1.0) ** -1
    assert chi_square(sequences.target % N_ITEMS, N_ITEMS, ranks) > 1e-3
    assert (sequences.target >= N_ITEMS).double().mean().item() == pytest.approx(0.25, abs=0.01)


def test_without_them_nothing_is_drawn_otherwise():
    _, plain = batch_of()
    _, same = batch_of(copies=1, label_noise=0.0)
    assert torch.equal(plain.context, same.context)
    assert torch.equal(plain.target, same.target)
    job = make_job("minimal")
    assert "copies" not in job.identity()["task"]
    assert "label_noise" not in job.identity()["task"]


def test_an_exponent_near_zero_is_uniform():
    cumulative = sampling.zipf_cumulative(N_ITEMS, 1e-12, torch.device("cpu"))
    ranked = sampling.draw_ranked_sequences(*SIZES, cumulative)
    uniform = draws.draw_sequences(*SIZES, N_ITEMS)
    assert (ranked.context == uniform.context).float().mean() > 0.9999
    assert torch.equal(cumulative.diff(), cumulative.diff().abs())


# K = infinity, redrawn for every sequence. -------------------------------------------------------


@pytest.mark.parametrize("context_labels", ["random", "balanced"])
def test_redrawn_sequences(context_labels):
    balanced = context_labels == "balanced"
    sizes = (SEEDS, Purpose.TRAINING, 9, 3000, LENGTH)
    dataset, sequences = sampling.redrawn_sequences(*sizes, 4, balanced)
    assert dataset.items.shape == (3, 3000 * LENGTH, 4)
    assert len(sequences.context[0].unique()) == 3000 * LENGTH  # no item twice
    assert len(dataset.items.flatten(0, 1).unique(dim=0)) == 3 * 3000 * LENGTH
    assert has_copy(sequences)
    assert chi_square(sequences.target % LENGTH, LENGTH) > 0.01
    context, target = labels_of(dataset, sequences)
    assert chi_square((target > 0).int(), 2) > 0.01
    n_positive = (context > 0).sum(-1)
    if balanced:
        assert n_positive.eq(LENGTH // 2).all()
        assert chi_square((context[..., 0] > 0).int(), 2) > 0.01
    else:
        binomial = stats.binom.pmf(np.arange(LENGTH + 1), LENGTH, 0.5)
        assert chi_square(n_positive, LENGTH + 1, binomial) > 0.01
    other, _ = sampling.redrawn_sequences(*sizes[:2], 10, *sizes[3:], 4, balanced)
    assert not (other.items == dataset.items).any()


# The whole. --------------------------------------------------------------------------------------


def data_of(name, seeds):
    task, n_items = TASKS[name]
    job = make_job("minimal", task=task, n_items=n_items)
    return TrainingData(job, seeds, lambda dataset: dataset)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_draws_anew_at_every_step_and_again_the_same(name):
    data = data_of(name, SEEDS)
    batches = [data.batch(SEEDS, Purpose.TRAINING, step, 50) for step in (1, 1, 2)]
    drawn = [tables.items.gather(1, s.target[..., None].expand(-1, -1, 5)) for tables, s in batches]
    assert torch.equal(drawn[0], drawn[1])
    assert (drawn[0] == drawn[2]).float().mean() < 0.2
    for tables, sequences in batches:
        assert has_copy(sequences)
        if "balanced" in name:
            assert not labels_of(tables, sequences)[0].sum(-1).any()


@pytest.mark.parametrize("name", TASKS)
def test_a_replicate_sees_the_same_whoever_else_is_there(name):
    together, alone = data_of(name, SEEDS), data_of(name, SEEDS[1:2])
    kept = data_of(name, SEEDS)
    kept.keep(torch.tensor([1]))
    expected = alone.batch(SEEDS[1:2], Purpose.TRAINING, 4, 30)
    for data, seeds, row in ((together, SEEDS, 1), (kept, SEEDS[1:2], 0)):
        tables, sequences = data.batch(seeds, Purpose.TRAINING, 4, 30)
        assert torch.equal(sequences.context[row], expected[1].context[0])
        assert torch.equal(sequences.target[row], expected[1].target[0])
        assert torch.equal(tables.items[row], expected[0].items[0])
        assert torch.equal(tables.labels[row], expected[0].labels[0])


def test_the_standard_task_is_the_one_of_section_2():
    data = data_of("standard", SEEDS)
    _, sequences = data.batch(SEEDS, Purpose.TRAINING, 4, 30)
    expected = draws.draw_sequences(SEEDS, Purpose.TRAINING, 4, 30, 8, 64)
    assert torch.equal(sequences.context, expected.context)
    assert data.probabilities() is None


def test_probabilities():
    probabilities = data_of("zipf", SEEDS).probabilities()
    ranks = torch.arange(1, 65, dtype=torch.float64)
    torch.testing.assert_close(probabilities, 1 / ranks / (1 / ranks).sum())


def test_the_mlp_s_targets_are_those_of_the_model_that_reads_contexts():
    names = ("standard", "balanced", "zipf", "copies", "zipf-copies-noise")
    for task, n_items in map(TASKS.__getitem__, names):
        whole = make_job("minimal", task=task, n_items=n_items)
        alone = replace(make_job("mlp-raw"), task=task, n_items=n_items)
        targets = [
            TrainingData(job, SEEDS, lambda dataset: dataset)
            .batch(SEEDS, Purpose.TRAINING, 3, 20)[1]
            .target
            for job in (whole, alone)
        ]
        assert torch.equal(*targets)


def test_the_answer_against_the_majority_is_right_on_balanced_contexts_alone(dataset, balanced):
    """Why ICL is not evaluated on D': gap 9 of docs/theory.md."""
    free = draws.draw_sequences(*SIZES, N_ITEMS)
    accuracy = []
    for sequences in (balanced, free):
        context, target = labels_of(dataset, sequences)
        others = context.sum(-1) - target  # less the target's copy
        accuracy.append((others * target < 0).float().mean().item())
    assert accuracy[0] == 1
    assert accuracy[1] == pytest.approx(0.5, abs=0.1)
