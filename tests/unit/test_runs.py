"""Whole runs of every model and task: what they record, and that replicates are alone in them."""

import json
from dataclasses import replace
from math import inf
from pathlib import Path

import numpy as np
import pytest
import torch
from example_jobs import CASES, EVERY, TASKS, alone, make_job, with_order_parameters
from icl.engine import steps, training
from icl.job import Model, Optimiser, Stop, Task, WeightDecay
from icl.models import metrics
from icl.models.one_layer import HEAD, SELF
from icl.record import StopReason
from icl.store import artifacts

GOLDEN = Path(__file__).with_name("golden_models.json")


@pytest.mark.parametrize(
    ("case", "n_items"),
    [(case, k) for case in CASES for k in (16, inf) if k < inf or not case.startswith("mlp")],
)
def test_a_run_measures_what_it_says(case, n_items):
    job = make_job(case, n_items=n_items)
    if case.startswith("mlp"):
        job = alone(job)
    if case == "minimal":
        job = with_order_parameters(job)
    record = training.train(job)
    assert record.metrics.keys() == metrics.metrics_of(job).keys()
    assert all(np.isfinite(values).all() for values in record.metrics.values())
    dataset = artifacts.job_dataset(record, job, {})
    for variable in dataset.data_vars.values():
        assert variable.attrs["long_name"]
    collected = artifacts.collect([dataset], {})
    assert set(record.metrics) | set(record.summaries) <= set(collected.data_vars)


def test_order_parameters_of_the_transformer_are_recorded_and_change_nothing_else():
    model = Model("one_layer", 5, 16, "context_and_self", True)
    job = make_job("minimal", model=model)
    plain, measured = training.train(job), training.train(with_order_parameters(job))
    for name, values in plain.metrics.items():
        np.testing.assert_array_equal(values, measured.metrics[name])
    assert measured.metrics.keys() - plain.metrics.keys() == {
        *HEAD,
        *SELF,
    }
    assert measured.metrics.keys() == metrics.metrics_of(with_order_parameters(job)).keys()


def memorising_job(**settings):
    sizes = (15, 64, 1, 32, 32, 2)
    job = make_job("mlp-raw", sizes, optimiser=Optimiser(0.5, 32, WeightDecay(0.0, 0.0)))
    evaluation = replace(
        job.evaluation, schedule="geometric", every=1, per_decade=20, novel_items=0
    )
    return replace(job, evaluation=evaluation, steps=3000, **settings)


def test_the_mlp_memorises_and_stops_when_c1_is_small():
    job = memorising_job(stop=Stop("memorised", None, None, 2, c1=0.02))
    record = training.train(job)
    assert (record.stop_reason == StopReason.MEMORISED).all()
    for row, stop in enumerate(record.stop_step):
        last = record.steps.tolist().index(stop)
        c1 = record.metrics["c1"][row]
        assert (c1[last - 1 : last + 1] <= 0.02).all()
        assert (c1[: last - 1] > 0.02).any()
        assert np.isnan(c1[last + 1 :]).all()
        assert record.metrics["item_accuracy"][row, last] == 1
        assert record.summaries["i_recorded"][row] == record.metrics["i_k"][row, last]
    assert (record.summaries["i_error"] < 0.02 * record.summaries["i_recorded"]).all()
    assert (record.summaries["i_tail_bound"] > 0).all()


def test_memorisation_ignores_icl_until_it_is_acquired():
    """Eq. 6: the minimal model's c1 is that of the MLP alone on the same targets."""
    sizes = (15, 64, 16, 256, 64, 2)
    rate = Optimiser(0.2, 64, WeightDecay(0.0, 0.0))
    whole = with_order_parameters(make_job("minimal", sizes, optimiser=rate, steps=100))
    mlp = alone(make_job("mlp-raw", sizes, optimiser=rate, steps=100))
    curves = [training.train(job).metrics["c1"] for job in (whole, mlp)]
    np.testing.assert_allclose(*curves, rtol=0.05)
    assert not np.array_equal(*curves)


@pytest.mark.parametrize("name", EVERY)
def test_a_replicate_is_the_same_among_others_and_when_others_leave(name, monkeypatch):
    job = replace(EVERY[name], seeds=(7, 8, 9), steps=30)
    if name.startswith("mlp"):
        job = alone(job)
    block, single = training.train(job), training.train(replace(job, seeds=(9,)))
    evaluate = training.Ensemble.evaluate

    def first_stops(ensemble, step):
        measured = evaluate(ensemble, step)
        if step == 10:
            loss = "item_loss" if name.startswith("mlp") else "icl_loss"
            measured[loss][ensemble.seeds.numpy() == 7] = np.nan
        return measured

    monkeypatch.setattr(training.Ensemble, "evaluate", first_stops)
    shrunk = training.train(job)
    assert shrunk.stop_step.tolist() == [10, 30, 30]
    for metric, values in block.metrics.items():
        tolerance = 0.021 if metric.endswith("accuracy") else 1e-5
        np.testing.assert_allclose(values[2], single.metrics[metric][0], atol=tolerance)
        np.testing.assert_allclose(values[2], shrunk.metrics[metric][2], atol=tolerance)
        if metric.endswith("loss"):
            assert not np.array_equal(values[1], values[2])


@pytest.mark.parametrize("case", ["mlp-raw", "minimal"])
def test_what_is_left_to_memorise_is_weighed_as_in_training(case):
    """c1 of eq. 29 averages over the items as they are drawn: by Zipf's ranks, k^-alpha."""
    job = with_order_parameters(make_job(case, task=TASKS["zipf"][0], n_items=64))
    ensemble = training.Ensemble(job, torch.device("cpu"))
    index = torch.arange(64).expand(len(job.seeds), -1)
    logits = ensemble.arithmetic.item_logits(
        ensemble.parameters, ensemble.data.tables, index, job.model
    )
    wrong = torch.sigmoid(-ensemble.data.tables.labels * logits).double().numpy()
    weights = 1 / np.arange(1, 65)
    expected = wrong @ weights / weights.sum()
    assert not np.allclose(expected, wrong.mean(axis=1), rtol=1e-3)
    np.testing.assert_allclose(ensemble.evaluate(0)["c1"], expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["copies", "noise", "zipf-copies-noise", "infinite-copies"])
def test_evaluations_are_those_of_d_on_every_task(name):
    """At step 0 all weights are alike, so that only what is evaluated may tell tasks apart."""
    task, n_items = TASKS[name]
    job = with_order_parameters(make_job("minimal", task=task, n_items=n_items))
    of_d = replace(job, task=Task("random", task.redrawn_items))
    own, plain = (training.Ensemble(of, torch.device("cpu")).evaluate(0) for of in (job, of_d))
    assert own.keys() == plain.keys()
    of_training = {"train_loss"}
    if task.label_noise or task.zipf_exponent:
        of_training |= {"c1", "c2", "c3"}
    for metric, values in plain.items():
        assert np.array_equal(own[metric], values) == (metric not in of_training), metric


def test_what_is_left_to_memorise_is_weighed_with_the_labels_noise():
    job = with_order_parameters(make_job("minimal", task=TASKS["noise"][0], n_items=64))
    ensemble = training.Ensemble(job, torch.device("cpu"))
    labels = ensemble.data.tables.labels[:, :64]
    index = torch.arange(64).expand(len(labels), -1)
    logits = ensemble.arithmetic.item_logits(
        ensemble.parameters, ensemble.data.tables, index, job.model
    )
    wrong = torch.sigmoid(-labels * logits).double().numpy()
    expected = (0.75 * wrong + 0.25 * (1 - wrong)).mean(axis=1)
    assert not np.allclose(expected, wrong.mean(axis=1), rtol=1e-3)
    np.testing.assert_allclose(ensemble.evaluate(0)["c1"], expected, rtol=1e-5)


def test_a_memory_of_noisy_labels_is_of_the_items_own():
    """It comes to have them right, with a loss above that of the noise and a c1 that stays."""
    job = replace(memorising_job(), task=Task("random", 32, label_noise=0.1), steps=2000)
    metrics = training.train(job).metrics
    assert (metrics["item_accuracy"][:, -1] == 1).all()
    np.testing.assert_allclose(metrics["c1"][:, -1], 2 * 0.1 * 0.9, rtol=0.25)


def test_uniform_ranks_are_the_standard_task():
    job = make_job("minimal")
    plain = training.train(job)
    ranked = training.train(replace(job, task=replace(job.task, zipf_exponent=1e-12)))
    for name, values in plain.metrics.items():
        np.testing.assert_allclose(values, ranked.metrics[name], atol=1e-5)


@pytest.mark.parametrize("name", TASKS)
def test_the_fused_step_on_every_task(name, monkeypatch):
    """Tables of other sizes, contexts drawn otherwise: the same curves as by autograd."""
    task, n_items = TASKS[name]
    model = Model("one_layer", 13, 16, "context", False)
    job = make_job("minimal", (13, 16, 8, 64, 32, 2), model=model, task=task)
    job = replace(job, n_items=n_items, steps=40)
    fused = training.train(job)
    monkeypatch.setattr(steps, "choose", lambda job, device: steps.plain(job))
    for metric, expected in training.train(job).metrics.items():
        tolerance = 0.021 if metric.endswith("accuracy") else 1e-4
        np.testing.assert_allclose(fused.metrics[metric], expected, atol=tolerance)


# Golden trajectories, as `test_training` has one of the one-layer model. -------------------------


def golden_record(name):
    job = EVERY[name]
    record = training.train(alone(job) if name.startswith("mlp") else job)
    return {metric: values for metric, values in record.metrics.items() if "accuracy" not in metric}


@pytest.mark.parametrize("name", EVERY)
def test_golden_trajectories(name):
    """The numbers of every model and task are those they were.

    If this fails by intention, raise NUMERICS_VERSION in config.py and write the new numbers:

        PYTHONPATH=scripts python tests/unit/test_runs.py
    """
    golden, measured = json.loads(GOLDEN.read_text())[name], golden_record(name)
    assert golden.keys() == measured.keys()
    for metric, expected in golden.items():
        np.testing.assert_allclose(measured[metric], expected, atol=1e-4, err_msg=metric)
        np.testing.assert_allclose(
            measured[metric][:, 0], np.array(expected)[:, 0], atol=1e-6, err_msg=metric
        )


if __name__ == "__main__":
    golden = {
        name: {metric: values.tolist() for metric, values in golden_record(name).items()}
        for name in EVERY
    }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")
