"""The fused step against automatic differentiation of the model's own forward pass."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from icl import fused, steps, tasks, training
from icl.attention import exponential
from icl.config import (
    Evaluation,
    EvaluationSequences,
    Job,
    Model,
    Optimiser,
    Stop,
    Task,
    WeightDecay,
)
from icl.models import one_layer
from icl.streams import Purpose

SETTINGS = [
    pytest.param(attend_to, affine, id=f"{attend_to}-{'affine' if affine else 'plain'}")
    for attend_to in ("context", "context_and_self")
    for affine in (False, True)
]


def make_job(attend_to, affine, n_seeds, context_length=10, rate=0.1):
    return Job(
        model=Model("one_layer", 13, 24, attend_to, affine),
        task=Task("random", 64),
        optimiser=Optimiser(rate, 32, WeightDecay(3e-3, 1e-3)),
        evaluation=Evaluation("linear", 20, None, EvaluationSequences(300, 100, 100), 100),
        stop=Stop("never", None, None, None),
        steps=200,
        context_length=context_length,
        n_items=64,
        seeds=tuple(range(7, 7 + n_seeds)),
    )


def make_state(job):
    """Parameters far from their start (no zero bias, no unit gain), tables and a batch."""
    seeds = torch.tensor(job.seeds)
    generator = torch.Generator().manual_seed(1)
    parameters = {
        name: 2 * p + 0.3 * torch.randn(p.shape, generator=generator)
        for name, p in one_layer.initialise(seeds, job.model).items()
    }
    dataset = tasks.training_dataset(seeds, job.n_items, job.model.item_dim, job.task)
    sizes = (job.optimiser.batch_size, job.context_length, job.n_items)
    sequences = tasks.draw_sequences(seeds, Purpose.TRAINING, 3, *sizes)
    return parameters, one_layer.embed(dataset), sequences


def in_float64(parameters, tables, sequences):
    tables = one_layer.Tables(*(getattr(tables, f.name).double() for f in fields(tables)))
    return {name: p.double() for name, p in parameters.items()}, tables, sequences


def changes(step, parameters, tables, sequences):
    """Return what one step changes."""
    trained = {name: p.clone() for name, p in parameters.items()}
    step(trained, tables, sequences)
    return {name: trained[name] - parameters[name] for name in parameters}


@pytest.mark.parametrize(("attend_to", "affine"), SETTINGS)
@pytest.mark.parametrize("n_seeds", [1, 3])
@pytest.mark.parametrize("context_length", [1, 8, 10])
def test_single_step(attend_to, affine, n_seeds, context_length):
    job = make_job(attend_to, affine, n_seeds, context_length, rate=0.5)
    state = make_state(job)
    exact = changes(steps.autograd_step(job), *in_float64(*state))
    # Rounding is that of the largest gradients: where the softmax has one row, or one row wins,
    # those of Q and K are small differences of large numbers.
    tolerance = 1e-5 * max(change.abs().max().item() for change in exact.values())
    for name, change in changes(fused.FusedStep(job), *state).items():
        torch.testing.assert_close(
            change.double(), exact[name], rtol=0, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize(("attend_to", "affine"), SETTINGS)
def test_logits(attend_to, affine):
    job = make_job(attend_to, affine, 3)
    state = make_state(job)
    torch.testing.assert_close(
        fused.logits(*state, job.model), one_layer.logits(*state, job.model), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(("attend_to", "affine"), SETTINGS)
@pytest.mark.parametrize("n_seeds", [1, 3])
def test_curve(attend_to, affine, n_seeds, monkeypatch):
    job = make_job(attend_to, affine, n_seeds, rate=0.05)
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
def test_embed(n_items, item_labels):
    task, seeds = Task(item_labels, 8), torch.tensor([3, 4])
    dataset = tasks.training_dataset(seeds, n_items, 13, task)
    expected, got = one_layer.embed(dataset), fused.embed(dataset)
    for field in fields(expected):
        torch.testing.assert_close(
            getattr(got, field.name), getattr(expected, field.name), rtol=1e-5, atol=1e-6
        )


def test_one_step_serves_a_shrinking_batch():
    job = make_job("context", True, 3)
    parameters, tables, sequences = make_state(job)
    step, rows = fused.FusedStep(job), torch.tensor([0, 2])
    step(parameters, tables, sequences)
    kept = {name: p[rows].contiguous() for name, p in parameters.items()}
    batch = tasks.Sequences(sequences.context[rows], sequences.target[rows])
    step(kept, tables.select(rows), batch)
    step(parameters, tables, sequences)
    for name, p in kept.items():
        torch.testing.assert_close(p, parameters[name][rows], rtol=1e-5, atol=1e-6)


def test_choice():
    job = make_job("context", False, 1)
    assert isinstance(steps.choose(job, torch.device("cpu")).step, fused.FusedStep)
    assert steps.choose(job, torch.device("meta")).logits is one_layer.logits


@pytest.mark.parametrize("name", ["query", "value", "hidden1", "hidden2", "readout_bias"])
def test_nan_is_not_lost(name):
    job = make_job("context", False, 2)
    parameters, tables, sequences = make_state(job)
    parameters[name][1] = float("nan")
    z = fused.logits(parameters, tables, sequences, job.model)
    assert z[0].isfinite().all()
    assert z[1].isnan().all()


def test_large_scores_do_not_overflow():
    job = make_job("context", False, 1)
    parameters, tables, sequences = make_state(job)
    parameters["key"] *= 1e4
    z = fused.logits(parameters, tables, sequences, job.model)
    torch.testing.assert_close(
        z, one_layer.logits(parameters, tables, sequences, job.model), rtol=1e-4, atol=1e-4
    )


def test_exponential():
    x = -np.concatenate([np.linspace(0, 20, 500), np.linspace(20, 87, 100)]).astype(np.float32)
    got = np.array([exponential(v) for v in x])
    relative = np.abs(got / np.exp(x.astype(float)) - 1)
    assert (relative < 2e-7 + 1.2e-7 * np.abs(x)).all()
    assert exponential(np.float32(-1e30)) == 0


def test_job_without_weight_decay_and_rate_zero_stays():
    job = make_job("context_and_self", True, 2)
    job = replace(job, optimiser=Optimiser(0.0, 32, WeightDecay(0.0, 0.0)))
    state = make_state(job)
    for change in changes(fused.FusedStep(job), *state).values():
        assert not change.any()
