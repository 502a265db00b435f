"""The engine: blocks, repeats, evaluation, stop rules, divergence, controls, golden numbers."""

import json
import logging
import math
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch
from example_jobs import JOB
from icl.engine import steps, training
from icl.job import Evaluation, EvaluationSequences, Stop
from icl.models.loading import network
from icl.models.metrics import METRICS
from icl.record import StopReason
from icl.task import draws

GOLDEN = Path(__file__).with_name("golden.json")
NEVER = Stop("never", None, None, None)
FINITE = replace(JOB, n_items=32, steps=200, optimiser=replace(JOB.optimiser, learning_rate=0.1))


# The arithmetic a CPU takes, and the one of every other device.
BOTH = pytest.mark.parametrize(
    "choose", [steps.choose, lambda job, device: steps.plain(job)], ids=["chosen", "plain"]
)


def evaluated(job, every=None, **changes):
    """The job with other evaluation settings."""
    changes = changes | ({"every": every} if every else {})
    return replace(job, evaluation=replace(job.evaluation, **changes))


def assert_same_bits(first, second):
    assert first.steps.tolist() == second.steps.tolist()
    assert first.stop_step.tolist() == second.stop_step.tolist()
    assert first.stop_reason.tolist() == second.stop_reason.tolist()
    for name in METRICS:
        np.testing.assert_array_equal(first.metrics[name], second.metrics[name], err_msg=name)


def final_parameters(job):
    ensemble = training.Ensemble(job, torch.device("cpu"))
    at = job.evaluation.at(job.steps)
    for step in range(job.steps + 1):
        if step in at:
            ensemble.evaluate(step)
        if step < job.steps:
            ensemble.train_step(step)
    return ensemble.parameters


@pytest.fixture(scope="module")
def acquired():
    return training.train(JOB)


@pytest.mark.parametrize("n_items", [32, inf])
def test_the_block_does_not_matter(n_items):
    """A replicate alone and among five: the same curve, to rounding."""
    job = replace(FINITE, n_items=n_items, seeds=(11, 12, 13, 14, 15))
    block = training.train(job)
    for row in (0, 3):
        alone = training.train(replace(job, seeds=job.seeds[row : row + 1]))
        for name in METRICS:
            tolerance = 0.0021 if name.endswith("accuracy") else 1e-4  # one sequence of 500
            np.testing.assert_allclose(
                alone.metrics[name][0], block.metrics[name][row], atol=tolerance, err_msg=name
            )
    curves = block.metrics["train_loss"]
    assert len({tuple(curve) for curve in curves}) == 5  # no two replicates are the same run


def test_the_same_job_twice_gives_the_same_bits(acquired):
    assert_same_bits(acquired, training.train(JOB))


def test_evaluation_leaves_training_untouched():
    """Evaluated 101 times on many sequences or twice on few: the same parameters, bit for bit."""
    job = replace(FINITE, steps=100)
    often = final_parameters(evaluated(job, every=1, novel_items=300))
    rarely = final_parameters(
        evaluated(job, every=100, sequences=EvaluationSequences(10, 10, 10), novel_items=5)
    )
    for name, p in often.items():
        assert torch.equal(p, rarely[name]), name


def test_the_schedule_does_not_change_what_is_measured():
    often = training.train(evaluated(FINITE, every=10))
    rarely = training.train(evaluated(FINITE, every=100))
    for name in METRICS:
        np.testing.assert_array_equal(often.metrics[name][:, ::10], rarely.metrics[name])


@pytest.mark.parametrize(
    ("schedule", "every", "per_decade", "n_steps", "expected"),
    [
        ("linear", 50, None, 200, (0, 50, 100, 150, 200)),
        ("linear", 80, None, 200, (0, 80, 160, 200)),
        ("linear", 300, None, 200, (0, 200)),
        ("geometric", 10, 1, 1000, (0, 10, 100, 1000)),
        ("geometric", 10, 2, 500, (0, 10, 32, 100, 316, 500)),
        ("geometric", 1, 10, 5, (0, 1, 2, 3, 4, 5)),
        ("geometric", 100, 3, 50, (0, 50)),
    ],
)
def test_schedule(schedule, every, per_decade, n_steps, expected):
    sequences = EvaluationSequences(1, 1, 1)
    assert Evaluation(schedule, every, per_decade, sequences, 1).at(n_steps) == expected


def test_icl_is_acquired_at_infinite_k(acquired):
    """The controls below mean something only because this works."""
    assert (acquired.metrics["icl_accuracy"][:, -1] > 0.97).all()
    assert abs(acquired.metrics["iwl_accuracy"][:, -1].mean() - 0.5) < 0.1
    assert acquired.stop_reason.tolist() == [StopReason.LAST_STEP] * 2
    assert acquired.stop_step.tolist() == [400, 400]


def test_progress_is_told():
    seen = []
    training.train(FINITE, on_progress=lambda done, left: seen.append((done, left)))
    assert seen == [(step, 2) for step in (0, 50, 100, 150, 200)]


# Stop rules. -------------------------------------------------------------------------------------


def curves(**accuracies):
    """A stand-in for `Ensemble.evaluate` that reads accuracies (seed -> curve) off a list."""

    def evaluate(ensemble, step):
        index = step // 10
        out = {name: np.full(len(ensemble.seeds), 0.7) for name in METRICS}
        for name, by_seed in accuracies.items():
            out[name] = np.array([by_seed[seed][index] for seed in ensemble.seeds.tolist()])
        return out

    return evaluate


ICL = {1: [0.5, 0.99, 0.5, 0.99, 0.99, 0.6], 2: [0.5] * 6, 3: [0.5, 0.96, 0.97, 0.5, 0.5, 0.5]}
IWL = {1: [0.5] * 6, 2: [0.5, 0.5, 0.99, 0.995, 1.0, 1.0], 3: [0.5] * 6}
LAST, ACQUIRED, MEMORISED = StopReason.LAST_STEP, StopReason.ACQUIRED, StopReason.MEMORISED


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (NEVER, [(50, LAST)] * 3),
        (Stop("acquired", 0.95, None, 2), [(40, ACQUIRED), (50, LAST), (20, ACQUIRED)]),
        (Stop("acquired", 0.96, None, 1), [(10, ACQUIRED), (50, LAST), (20, ACQUIRED)]),
        (Stop("memorised", None, 0.99, 2), [(50, LAST), (30, MEMORISED), (50, LAST)]),
        (Stop("decided", 0.95, 0.99, 2), [(40, ACQUIRED), (30, MEMORISED), (20, ACQUIRED)]),
        (Stop("decided", 0.95, 0.99, 3), [(50, LAST), (40, MEMORISED), (50, LAST)]),
    ],
)
def test_stop_rules(stop, expected, monkeypatch):
    evaluate = curves(icl_accuracy=ICL, iwl_accuracy=IWL)
    monkeypatch.setattr(training.Ensemble, "evaluate", evaluate)
    job = evaluated(replace(FINITE, seeds=(1, 2, 3), steps=50, stop=stop), every=10)
    record = training.train(job)
    assert list(zip(record.stop_step, record.stop_reason, strict=True)) == expected
    for row, (step, _) in enumerate(expected):
        for name in METRICS:  # measured up to the stop, NaN after it
            expected_nan = record.steps > step
            assert np.isnan(record.metrics[name][row]).tolist() == expected_nan.tolist()


def test_what_is_acquired_and_memorised_at_once_counts_as_acquired(monkeypatch):
    both = {1: [0.5, 0.99, 0.99, 0.99]}
    monkeypatch.setattr(training.Ensemble, "evaluate", curves(icl_accuracy=both, iwl_accuracy=both))
    stop = Stop("decided", 0.95, 0.99, 2)
    job = evaluated(replace(FINITE, seeds=(1,), steps=30, stop=stop), every=10)
    assert training.train(job).stop_reason.tolist() == [ACQUIRED]


def test_the_rest_go_on_unchanged_when_a_replicate_stops(monkeypatch):
    """Seed 1 leaves at step 20; the others' parameters are those of a run without the stop."""
    job = evaluated(replace(FINITE, seeds=(1, 2, 3), steps=100), every=20)
    whole = training.train(job)
    evaluate = training.Ensemble.evaluate

    def evaluate_and_acquire(ensemble, step):
        measured = evaluate(ensemble, step)
        if step == 20:
            measured["icl_accuracy"][ensemble.seeds.numpy() == 1] = 1.0
        return measured

    monkeypatch.setattr(training.Ensemble, "evaluate", evaluate_and_acquire)
    stopped = training.train(replace(job, stop=Stop("acquired", 0.999, None, 1)))
    assert stopped.stop_step.tolist() == [20, 100, 100]
    for name in METRICS:
        tolerance = 0.0021 if name.endswith("accuracy") else 1e-5
        rest, expected = stopped.metrics[name][1:], whole.metrics[name][1:]
        np.testing.assert_allclose(rest, expected, atol=tolerance, err_msg=name)
        assert np.isnan(stopped.metrics[name][0, 2:]).all()


# Divergence and devices. -------------------------------------------------------------------------


@BOTH
def test_a_huge_rate_diverges(choose, monkeypatch, caplog):
    monkeypatch.setattr(steps, "choose", choose)
    job = replace(FINITE, optimiser=replace(FINITE.optimiser, learning_rate=1e12))
    with caplog.at_level(logging.WARNING):
        record = training.train(job)
    assert record.stop_reason.tolist() == [StopReason.DIVERGED] * 2
    assert record.stop_step.tolist() == [50, 50]
    for name in METRICS:
        assert np.isfinite(record.metrics[name][:, 0]).all()
        assert np.isnan(record.metrics[name][:, 1:]).all()
    for seed in job.seeds:
        assert f"seed {seed} diverged" in caplog.text


def test_a_diverged_replicate_does_not_touch_the_others(monkeypatch, caplog):
    job = replace(FINITE, seeds=(3, 4, 5), steps=100)
    healthy = training.train(job)
    initialise = network("one_layer").initialise

    def poisoned(seeds, model):
        parameters = initialise(seeds, model)
        parameters["hidden2"][1, 0, 0] = float("inf")
        return parameters

    monkeypatch.setattr(network("one_layer"), "initialise", poisoned)
    with caplog.at_level(logging.WARNING):
        record = training.train(job)
    assert record.stop_reason.tolist() == [LAST, StopReason.DIVERGED, LAST]
    assert "seed 4 diverged" in caplog.text
    assert "seed 3" not in caplog.text
    for name in METRICS:
        assert np.isnan(record.metrics[name][1]).all()
        tolerance = 0.0021 if name.endswith("accuracy") else 1e-5
        np.testing.assert_allclose(
            record.metrics[name][[0, 2]], healthy.metrics[name][[0, 2]], atol=tolerance
        )


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(training.DeviceError, match="no CUDA device"):
        training.resolve_device("cuda")
    assert training.resolve_device("auto") == training.resolve_device("cpu") == torch.device("cpu")


def test_auto_takes_cuda_where_there_is_one(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert training.resolve_device("auto").type == training.resolve_device("cuda").type == "cuda"
    assert training.resolve_device("cpu").type == "cpu"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_cpu_s_curve():
    here, there = training.train(FINITE), training.train(FINITE, "cuda")
    for name in METRICS:
        tolerance = 0.005 if name.endswith("accuracy") else 1e-3
        np.testing.assert_allclose(here.metrics[name], there.metrics[name], atol=tolerance)


# Controls: what must not be learnt is not learnt. ------------------------------------------------


def with_embed(monkeypatch, change):
    """Let a change come between the token tables and everything that reads them.

    The tables are those of the plain arithmetic: the fast one makes targets' tokens as it reads.
    """

    def changed(job, device):
        arithmetic = steps.plain(job)
        return replace(arithmetic, embed=lambda dataset: change(arithmetic.embed, dataset))

    monkeypatch.setattr(steps, "choose", changed)


def assert_chance(accuracies, n_sequences):
    """All evaluations after the first, within five standard errors (items are shared)."""
    assert np.abs(accuracies[:, 1:].mean(1) - 0.5).max() < 5 * 0.5 / math.sqrt(n_sequences)


def test_icl_stays_at_chance_when_context_labels_say_nothing(monkeypatch):
    """The context shows labels drawn afresh; the loss and the accuracy keep the true ones."""
    generator = torch.Generator().manual_seed(0)

    def shuffled(embed, dataset):
        shown = torch.randint(2, dataset.labels.shape, generator=generator).float() * 2 - 1
        return replace(embed(draws.Dataset(dataset.items, shown)), labels=dataset.labels)

    with_embed(monkeypatch, shuffled)
    metrics = training.train(JOB).metrics
    assert_chance(metrics["icl_accuracy"], 1000)
    assert metrics["train_loss"].min() > 0.6  # nothing better than ln 2 to be had


def test_icl_stays_at_chance_without_attention_while_the_weights_learn(monkeypatch):
    """Attention reads nothing: all it can look up is zero."""

    def nothing_to_read(embed, dataset):
        tables = embed(dataset)
        return replace(tables, labelled=torch.zeros_like(tables.labelled))

    with_embed(monkeypatch, nothing_to_read)
    metrics = training.train(replace(JOB, n_items=16, seeds=tuple(range(6)))).metrics
    assert (metrics["iwl_accuracy"][:, -1] > 0.95).all()
    # A fixed function of the item guesses the labels of 200 novel items: chance, give or take.
    assert abs(metrics["icl_accuracy"][:, -1].mean() - 0.5) < 5 * 0.5 / math.sqrt(200 * 6)


def test_a_leak_would_be_seen(monkeypatch):
    """The two controls above can fail: with its label on the target's token, all is known."""

    def leaking(embed, dataset):
        tables = embed(dataset)
        return replace(
            tables, labelled=torch.zeros_like(tables.labelled), unlabelled=tables.labelled
        )

    with_embed(monkeypatch, leaking)
    assert (training.train(JOB).metrics["icl_accuracy"][:, -1] > 0.97).all()


def test_iwl_stays_at_chance_at_infinite_k(acquired):
    """No item is ever seen again, so that nothing can be in the weights."""
    assert np.abs(acquired.metrics["iwl_accuracy"] - 0.5).max() < 0.15


# Golden trajectory. ------------------------------------------------------------------------------


def golden_job():
    """300 steps of a tiny run in which ICL begins; evaluated on enough to see any change."""
    return evaluated(replace(JOB, n_items=64, steps=300), every=100)


@BOTH
def test_golden_trajectory(choose, monkeypatch):
    """The engine's numbers are those they were.

    If this fails by intention, raise NUMERICS_VERSION in config.py, so that old artifacts are not
    taken for new, and write the new numbers:

        PYTHONPATH=scripts python tests/unit/test_training.py

    Matrix products round differently on another processor, hence the tolerances: a change of the
    numbers that matters is far larger after 300 steps.
    """
    monkeypatch.setattr(steps, "choose", choose)
    golden, record = json.loads(GOLDEN.read_text()), training.train(golden_job())
    assert record.steps.tolist() == golden["steps"]
    assert golden["metrics"].keys() == METRICS.keys()
    for name, expected in golden["metrics"].items():
        # At step 0 there is nothing yet for rounding to grow in: the streams alone decide.
        first, tolerance = record.metrics[name][:, 0], 1e-6
        np.testing.assert_allclose(first, np.array(expected)[:, 0], atol=tolerance, err_msg=name)
        tolerance = 0.0021 if name.endswith("accuracy") else 1e-4
        np.testing.assert_allclose(record.metrics[name], expected, atol=tolerance, err_msg=name)


if __name__ == "__main__":
    record = training.train(golden_job())
    values = {name: record.metrics[name].tolist() for name in METRICS}
    golden = {"steps": record.steps.tolist(), "metrics": values}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
