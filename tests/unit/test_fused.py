"""The fused steps against automatic differentiation of the models' own forward passes."""

from dataclasses import fields, replace
from math import inf

import numpy as np
import pytest
import torch
from fused_jobs import MODEL, ONE_LAYER, make_job, make_state
from icl.engine import steps, training
from icl.job import (
    Optimiser,
    Task,
    WeightDecay,
)
from icl.kernels.compiled import exponential, padded_width
from icl.models.one_layer import fast as fused_one_layer
from icl.models.one_layer import network as one_layer
from icl.task import draws, streams
from icl.task.streams import Purpose

CPU = torch.device("cpu")


def changes(step, parameters, tables, sequences):
    """Return what one step changes."""
    trained = {name: p.clone() for name, p in parameters.items()}
    step(trained, tables, sequences)
    return {name: trained[name] - parameters[name] for name in parameters}


def in_float64(parameters, dataset):
    exact = draws.Dataset(dataset.items.double(), dataset.labels.double())
    return {name: p.double() for name, p in parameters.items()}, exact


def logits(arithmetic, job, state):
    parameters, dataset, sequences = state
    return arithmetic.logits(parameters, arithmetic.embed(dataset), sequences, job.model)


@pytest.mark.parametrize("model", MODEL)
@pytest.mark.parametrize("n_seeds", [1, 3])
@pytest.mark.parametrize("context_length", [1, 8, 10, 38])
def test_single_step(model, n_seeds, context_length):
    job = make_job(model, n_seeds, context_length, rate=0.5)
    parameters, dataset, sequences = make_state(job)
    plain, fast = steps.plain(job), steps.choose(job, CPU)
    doubles, exact_dataset = in_float64(parameters, dataset)
    exact = changes(plain.step, doubles, plain.embed(exact_dataset), sequences)
    # Rounding is that of the largest gradients: where the softmax has one row, or one row wins,
    # those of Q and K are small differences of large numbers.
    tolerance = 2e-5 * max(change.abs().max().item() for change in exact.values())
    found = changes(fast.step, parameters, fast.embed(dataset), sequences)
    for name, change in found.items():
        torch.testing.assert_close(
            change.double(), exact[name], rtol=0, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("model", MODEL)
@pytest.mark.parametrize("n_sequences", [32, 520])  # in one part and in several
def test_logits(model, n_sequences):
    job = make_job(model, 3)
    job = replace(job, optimiser=replace(job.optimiser, batch_size=n_sequences))
    parameters, dataset, sequences = make_state(job)
    exact = logits(steps.plain(job), job, (*in_float64(parameters, dataset), sequences))
    z = logits(steps.choose(job, CPU), job, (parameters, dataset, sequences))
    # As near as the plain arithmetic in float32 comes, where the softmax is this sharp.
    torch.testing.assert_close(z.double(), exact, rtol=0, atol=1e-5 * exact.abs().max().item())


@pytest.mark.parametrize("model", ["minimal", "mlp-raw", "mlp-normalised"])
def test_item_logits(model):
    job = make_job(model, 3)
    parameters, dataset, _ = make_state(job)
    index = torch.arange(5, 60).expand(3, -1)
    fast, expected = (
        a.item_logits(parameters, a.embed(dataset), index, job.model)
        for a in (steps.choose(job, CPU), steps.plain(job))
    )
    torch.testing.assert_close(fast, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ONE_LAYER)
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_curve(model, n_seeds, monkeypatch):
    job = make_job(model, n_seeds, rate=0.05)
    curves = training.train(job).metrics
    monkeypatch.setattr(steps, "choose", lambda job, device: steps.plain(job))
    expected = training.train(job).metrics
    for name in training.METRICS:
        # Rounding can turn a sequence whose logit is near 0, not two of 100.
        tolerance = 0.011 if name.endswith("accuracy") else 1e-4
        np.testing.assert_allclose(curves[name], expected[name], atol=tolerance, err_msg=name)
    assert (expected["train_loss"][:, -1] < expected["train_loss"][:, 0] - 0.003).all()


@pytest.mark.parametrize("n_items", [6, 7])
@pytest.mark.parametrize("item_labels", ["random", "balanced"])
def test_rows_hold_what_the_plain_tables_hold(n_items, item_labels):
    task, seeds = Task(item_labels, 8), torch.tensor([3, 4])
    dataset = draws.training_dataset(seeds, n_items, 13, task)
    fast = steps.choose(make_job("context-plain", 2), CPU)
    rows = fast.embed(dataset)
    assert rows.rows.shape == (2, n_items, padded_width(14))
    expected, got = one_layer.embed(dataset), fused_one_layer.unpack(rows, 13)
    for field in fields(expected):
        torch.testing.assert_close(
            getattr(got, field.name), getattr(expected, field.name), rtol=1e-5, atol=2e-6
        )


@pytest.mark.parametrize("model", ["context-plain", "minimal"])
@pytest.mark.parametrize("n_items", [7, 16])
def test_redrawn_rows_are_those_of_the_redrawn_dataset(model, n_items):
    """Also after a replicate has left."""
    job = make_job(model, 3)
    job = replace(job, n_items=inf, task=replace(job.task, redrawn_items=n_items))
    fast = steps.choose(job, CPU)
    for seeds in (torch.tensor(job.seeds), torch.tensor(job.seeds)[1:]):
        dataset = draws.redrawn_dataset(seeds, 5, job.model.item_dim, job.task)
        expected, drawn = fast.embed(dataset), fast.redraw(seeds, 5)
        torch.testing.assert_close(drawn.rows, expected.rows, rtol=1e-5, atol=1e-6)
        assert torch.equal(drawn.labels, expected.labels)


def test_numbers_drawn_row_by_row_are_those_drawn_together():
    seeds, draw = torch.tensor([5, 9]), (Purpose.ITEMS, 4)
    normal = streams.NormalRows(21)
    together = streams.normal(seeds, *draw, (21,))
    for r in range(2):
        assert torch.equal(normal.draw(seeds[r : r + 1], *draw), together[r])


@pytest.mark.parametrize("model", ["context-affine", "minimal", "two_layer-context-affine"])
def test_one_step_serves_a_shrinking_batch(model):
    job = make_job(model, 3)
    parameters, dataset, sequences = make_state(job)
    fast, rows = steps.choose(job, CPU), torch.tensor([0, 2])
    tables = fast.embed(dataset)
    fast.step(parameters, tables, sequences)
    kept = {name: p[rows].contiguous() for name, p in parameters.items()}
    batch = draws.Sequences(sequences.context[rows], sequences.target[rows])
    fast.step(kept, tables.select(rows), batch)
    fast.step(parameters, tables, sequences)
    for name, p in kept.items():
        torch.testing.assert_close(p, parameters[name][rows], rtol=1e-5, atol=1e-6)


def test_choice():
    job = make_job("context-plain", 1)
    assert steps.choose(job, CPU).redraw is not None
    assert steps.choose(job, torch.device("meta")).redraw is None


@pytest.mark.parametrize("name", ["query", "value", "hidden1", "hidden2", "readout_bias"])
def test_nan_is_not_lost(name):
    job = make_job("context-plain", 2)
    state = make_state(job)
    state[0][name][1] = float("nan")
    z = logits(steps.choose(job, CPU), job, state)
    assert z[0].isfinite().all()
    assert z[1].isnan().all()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        *(("minimal", name) for name in ("beta", "w", "hidden1")),
        *(("two_layer-context-plain", name) for name in ("query1", "value2", "token_hidden1")),
    ],
)
def test_nan_is_not_lost_by_other_models(model, name):
    job = make_job(model, 2)
    state = make_state(job)
    state[0][name][1] = float("nan")
    z = logits(steps.choose(job, CPU), job, state)
    assert z[0].isfinite().all()
    assert z[1].isnan().all()


@pytest.mark.parametrize(("model", "name"), [("context-plain", "key"), ("minimal", "beta")])
def test_large_scores_do_not_overflow(model, name):
    job = make_job(model, 1)
    state = make_state(job)
    state[0][name] *= 1e4
    torch.testing.assert_close(
        logits(steps.choose(job, CPU), job, state),
        logits(steps.plain(job), job, state),
        rtol=1e-4,
        atol=1e-4,
    )


def test_exponential():
    x = -np.concatenate([np.linspace(0, 20, 500), np.linspace(20, 87, 100)]).astype(np.float32)
    got = np.array([exponential(v) for v in x])
    relative = np.abs(got / np.exp(x.astype(float)) - 1)
    assert (relative < 2e-7 + 1.2e-7 * np.abs(x)).all()
    assert exponential(np.float32(-1e30)) == 0


@pytest.mark.parametrize("model", ["context_and_self-affine", "minimal"])
def test_job_without_weight_decay_and_rate_zero_stays(model):
    job = make_job(model, 2)
    job = replace(job, optimiser=Optimiser(0.0, 32, WeightDecay(0.0, 0.0)))
    parameters, dataset, sequences = make_state(job)
    fast = steps.choose(job, CPU)
    for change in changes(fast.step, parameters, fast.embed(dataset), sequences).values():
        assert not change.any()


def test_the_mlp_s_own_rate_is_another_clock():
    """The MLP alone at a rate of its own trains as at that rate, and I_K is in the clock's time."""
    alone = make_job("mlp-raw", 2)
    faster = replace(alone, optimiser=replace(alone.optimiser, learning_rate=0.3))
    clocked = replace(alone, optimiser=replace(alone.optimiser, mlp_learning_rate=0.3))
    expected, got = training.train(faster), training.train(clocked)
    np.testing.assert_array_equal(got.metrics["c1"], expected.metrics["c1"])
    np.testing.assert_allclose(3 * got.metrics["i_k"], expected.metrics["i_k"], rtol=1e-12)
    assert clocked.name != faster.name != alone.name
