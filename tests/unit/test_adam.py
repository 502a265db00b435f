"""Adam against PyTorch's own on float64 gradients, and how it goes on where it was stopped."""

from dataclasses import replace

import pytest
import torch
from example_jobs import make_job
from fused_jobs import MODEL, make_state
from fused_jobs import make_job as fused_job
from icl.engine import steps, training
from icl.job import Held, Hold, Optimiser, WeightDecay
from icl.models.loading import network
from icl.task import draws
from icl.task.streams import Purpose

CPU = torch.device("cpu")
DECAY = WeightDecay(3e-3, 1e-3)
ADAM = Optimiser(0.003, 16, DECAY, mlp_learning_rate=0.001, method="adam")
SLIP = 3e-3  # of a move: where a gradient is nearly 0, rounding decides its sign


def by_pytorch(job, parameters, dataset, n_steps):
    """Train by torch.optim.Adam on float64 gradients of the model's own forward pass."""
    groups, optimiser = network(job.model.name).GROUPS, job.optimiser
    exact = {name: p.double().requires_grad_() for name, p in parameters.items()}
    adam = torch.optim.Adam(
        [
            {
                "params": [p],
                "lr": optimiser.rate_of(groups[name]),
                "weight_decay": optimiser.weight_decay.of(groups[name]),
            }
            for name, p in exact.items()
        ]
    )
    plain = steps.plain(job)
    tables = plain.embed(draws.Dataset(dataset.items.double(), dataset.labels.double()))
    for step in range(n_steps):
        _, gradients = steps.loss_and_gradients(job, exact, tables, batch(job, step))
        for name, p in exact.items():
            p.grad = gradients[name]
        adam.step()
    return {name: p.detach() for name, p in exact.items()}


def batch(job, step):
    sizes = (job.optimiser.batch_size, job.context_length, job.n_items)
    return draws.draw_sequences(torch.tensor(job.seeds), Purpose.TRAINING, step, *sizes)


@pytest.mark.parametrize("model", MODEL)
def test_it_is_pytorchs(model):
    """Each group at its own rate and decay, step by step, whichever arithmetic is fastest."""
    rates = None if model.startswith("mlp") else ADAM.mlp_learning_rate
    job = fused_job(model, 2)
    job = replace(job, optimiser=replace(ADAM, batch_size=32, mlp_learning_rate=rates))
    start, dataset, _ = make_state(job)
    ensemble = training.Ensemble(job, CPU)
    ensemble.parameters = {name: p.clone() for name, p in start.items()}
    tables = ensemble.arithmetic.embed(dataset)
    for step in range(5):
        ensemble.adam.step(ensemble.parameters, tables, batch(job, step), step)
    exact = by_pytorch(job, start, dataset, 5)
    for name, p in ensemble.parameters.items():
        move = exact[name] - start[name].double()
        assert (p.double() - exact[name]).norm() < SLIP * move.norm(), name


@pytest.mark.parametrize("model", MODEL)
def test_its_gradients_are_those_of_float64(model):
    """Rounding of weights would spoil them if the step from which they are read were short."""
    job = fused_job(model, 2)
    job = replace(job, optimiser=replace(ADAM, batch_size=32, mlp_learning_rate=None))
    start, dataset, sequences = make_state(job)
    ensemble, plain = training.Ensemble(job, CPU), steps.plain(job)
    found = ensemble.adam.gradients(start, ensemble.arithmetic.embed(dataset), sequences)
    exact = {name: p.double() for name, p in start.items()}
    tables = plain.embed(draws.Dataset(dataset.items.double(), dataset.labels.double()))
    _, gradients = steps.loss_and_gradients(job, exact, tables, sequences)
    largest = max(gradient.abs().max().item() for gradient in gradients.values())
    for name, gradient in gradients.items():
        torch.testing.assert_close(found[name].double(), gradient, rtol=0, atol=2e-5 * largest)


def test_it_moves_weights_as_sgd_does_not():
    job = make_job("minimal")
    sgd, adam = (
        training.Ensemble(replace(job, optimiser=replace(ADAM, method=of)), CPU)
        for of in ("sgd", "adam")
    )
    for ensemble in (sgd, adam):
        ensemble.train_step(0)
    start = network("minimal").initialise(torch.tensor(job.seeds), job.model)
    first = (adam.parameters["hidden2"] - start["hidden2"]).abs()
    assert first.median() == pytest.approx(ADAM.mlp_learning_rate, rel=0.01)  # of its first step
    assert (sgd.parameters["hidden2"] - start["hidden2"]).abs().median() < first.median() / 10


def test_what_is_held_does_not_move():
    job = make_job("minimal")
    held = replace(job, optimiser=replace(ADAM, hold=Hold(mlp=Held(2))))
    free, held = (training.Ensemble(of, CPU) for of in (replace(job, optimiser=ADAM), held))
    for step in range(4):
        for ensemble in (free, held):
            ensemble.train_step(step)
        if step == 1:
            kept = {name: p.clone() for name, p in held.parameters.items()}
            for name, p in free.parameters.items():
                assert torch.equal(kept[name], p), name
    for name, p in held.parameters.items():
        assert torch.equal(p, kept[name]) == (name not in ("beta", "w")), name


def test_who_stays_goes_on_as_if_alone():
    """The moments of those that leave go with them."""
    job = replace(make_job("minimal"), optimiser=ADAM, seeds=(0, 1, 2))
    together, alone = (
        training.Ensemble(replace(job, seeds=seeds), CPU) for seeds in ((0, 1, 2), (1,))
    )
    for step in range(3):
        together.train_step(step)
        alone.train_step(step)
    together.keep(torch.tensor([1]).numpy())
    for step in range(3, 6):
        together.train_step(step)
        alone.train_step(step)
    for name, value in together.tensors.items():
        torch.testing.assert_close(value, alone.tensors[name], rtol=1e-4, atol=1e-7)
