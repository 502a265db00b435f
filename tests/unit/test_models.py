"""Each model's loss and gradients against its independent transcription, in float64."""

import numpy as np
import pytest
import torch
from example_jobs import CASES, make_job
from icl.engine import steps
from icl.job import (
    Model,
    Normal,
    Optimiser,
    Task,
    WeightDecay,
)
from icl.models.loading import network
from icl.models.mlp import network as mlp
from icl.models.one_layer import network as one_layer
from icl.task import draws
from icl.task.draws import Dataset, Sequences
from icl.task.sampling import TrainingData
from icl.task.streams import Purpose

# item_dim, hidden_dim, context_length, n_items, batch_size, n_replicates
SIZES = [(3, 4, 4, 6, 2, 2), (4, 3, 1, 4, 3, 1)]
DIFFERENCE = 1e-6


@pytest.fixture(scope="module", params=SIZES, ids=str)
def sizes(request):
    return request.param


@pytest.fixture(scope="module", params=CASES)
def problem(request, sizes):
    """A job, and random float64 parameters, dataset and sequences for it."""
    item_dim, _, length, n_items, batch_size, n_replicates = sizes
    job = make_job(request.param, sizes)
    rng = np.random.default_rng(sum(sizes))
    initial = network(job.model.name).initialise(torch.tensor(job.seeds), job.model)
    parameters = {
        # No zero bias or w, no unit gain, and no softmax so sharp that differences lose it.
        name: torch.from_numpy(rng.normal(size=p.shape, scale=0.45))
        for name, p in initial.items()
    }
    dataset = Dataset(
        torch.from_numpy(rng.normal(size=(n_replicates, n_items, item_dim))),
        torch.from_numpy(rng.choice([-1.0, 1.0], size=(n_replicates, n_items))),
    )
    sequences = Sequences(
        torch.from_numpy(rng.integers(n_items, size=(n_replicates, batch_size, length))),
        torch.from_numpy(rng.integers(n_items, size=(n_replicates, batch_size))),
    )
    return job, parameters, dataset, sequences, CASES[request.param][1]


def reference_loss(logit, parameters, items, labels, contexts, targets):
    losses = []
    for context, target in zip(contexts, targets, strict=True):
        z = logit(parameters, items, labels, context, target)
        losses.append(-np.log(1 / (1 + np.exp(-labels[target] * z))))
    return np.mean(losses)


def reference_gradients(logit, parameters, *arguments):
    """Central differences of the reference's loss for every entry of every parameter."""
    out = {}
    for name, p in parameters.items():
        out[name] = np.zeros_like(p)
        for index in np.ndindex(p.shape):
            losses = []
            for sign in (1, -1):
                changed = np.array(p)
                changed[index] += sign * DIFFERENCE
                losses.append(reference_loss(logit, {**parameters, name: changed}, *arguments))
            out[name][index] = (losses[0] - losses[1]) / (2 * DIFFERENCE)
    return out


def relative_error(value, expected):
    return np.abs(value - expected).max() / max(np.abs(expected).max(), 1e-8)


def test_loss_and_gradients_in_float64(problem):
    job, parameters, dataset, sequences, logit = problem
    tables = network(job.model.name).embed(dataset)
    losses, gradients = steps.loss_and_gradients(job, parameters, tables, sequences)
    assert gradients.keys() == parameters.keys()
    for r in range(len(job.seeds)):
        arguments = (
            {name: p[r].numpy() for name, p in parameters.items()},
            dataset.items[r].numpy(),
            [int(label) for label in dataset.labels[r]],
            sequences.context[r].tolist(),
            sequences.target[r].tolist(),
        )
        assert relative_error(losses[r].numpy(), reference_loss(logit, *arguments)) < 1e-12
        for name, gradient in reference_gradients(logit, *arguments).items():
            if np.abs(gradient).max() < 1e-8:  # dead units; a context of one leaves no choice
                assert gradients[name][r].abs().max() < 1e-8
            else:
                assert relative_error(gradients[name][r].numpy(), gradient) < 1e-5, name


@pytest.mark.parametrize("case", [case for case in CASES if not case.startswith("two_layer")])
@pytest.mark.parametrize("copies", [1, 3])
def test_a_turned_token_is_read_and_answered_with_the_other_label(case, copies):
    """Sequences written out token by token: each token has an item and a label of its own."""
    task = Task("random", 8, copies=copies, label_noise=0.4)
    job = make_job(case, (3, 4, 4, 6, 30, 2), task=task)
    seeds = torch.tensor(job.seeds)
    data = TrainingData(job, seeds, lambda dataset: dataset)
    dataset, sequences = data.batch(seeds, Purpose.TRAINING, 5, 30)
    clean = draws.training_dataset(seeds, 6, 3, task)
    model = network(job.model.name)
    parameters = {
        name: (p + 0.3).double() for name, p in model.initialise(seeds, job.model).items()
    }
    tables = model.embed(Dataset(dataset.items.double(), dataset.labels.double()))
    losses, _ = steps.loss_and_gradients(job, parameters, tables, sequences)
    for r in range(2):
        p = {name: value[r].numpy() for name, value in parameters.items()}
        expected, turned = [], 0
        for row, answer in zip(sequences.context[r].tolist(), sequences.target[r], strict=True):
            own = [j % 6 for j in row]
            labels = [int(label) for label in clean.labels[r, own]]
            labels = [-of if j >= 6 else of for j, of in zip(row, labels, strict=True)]
            turned += row[0] >= 6
            assert row.count(int(answer)) >= copies
            items = clean.items[r, own].double().numpy()
            z = CASES[case][1](p, items, labels, list(range(4)), 0)
            expected.append(np.log1p(np.exp(-labels[0] * z)))
        assert 0 < turned < 30
        assert losses[r].item() == pytest.approx(np.mean(expected), rel=1e-9)


def test_logits_in_float32(problem):
    job, parameters, dataset, sequences, _ = problem
    model = network(job.model.name)
    exact = model.logits(parameters, model.embed(dataset), sequences, job.model)
    single = {name: p.float() for name, p in parameters.items()}
    tables = model.embed(Dataset(dataset.items.float(), dataset.labels.float()))
    z = model.logits(single, tables, sequences, job.model)
    torch.testing.assert_close(z.double(), exact, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_every_parameter_has_a_group_and_a_stream_of_its_own(case):
    job = make_job(case)
    model = network(job.model.name)
    many = model.initialise(torch.tensor([1, 2, 3]), job.model)
    alone = model.initialise(torch.tensor([2]), job.model)
    for name, p in many.items():
        assert model.GROUPS[name] in ("attention", "mlp", "beta", "w")
        assert torch.equal(p[1:2], alone[name]), name
        assert p.dtype == torch.float32
        assert not p.requires_grad
    weights = [p[0].flatten()[:3] for name, p in many.items() if p[0].numel() > 16]
    assert len({tuple(weight.tolist()) for weight in weights}) == len(weights)


def test_initial_scalars_are_normal_over_seeds_or_fixed():
    seeds = torch.arange(4000)
    initial = {"initial_beta": Normal(-0.5, 0.25), "initial_w": Normal(0.125, 0.0)}
    drawn = network("minimal").initialise(seeds, Model("minimal", 2, 2, **initial))
    assert drawn["w"].eq(0.125).all()
    beta = drawn["beta"].double()
    assert beta.mean().item() == pytest.approx(-0.5, abs=4 * 0.25 / 4000**0.5)
    assert beta.std().item() == pytest.approx(0.25, rel=4 / 8000**0.5)


def test_weight_decay_by_group():
    """At gradient 0 (no learning to speak of) each group shrinks at its own rate."""
    decay = WeightDecay(attention=0.5, mlp=0.25)
    for given, of_beta, of_w in (
        (decay, 0.5, 0.5),
        (WeightDecay(0.0, 0.25, w=0.125), 0.0, 0.125),
        (WeightDecay(0.5, 0.25, beta=0.0), 0.0, 0.5),
    ):
        job = make_job("minimal", optimiser=Optimiser(0.1, 4, given))
        seeds = torch.tensor(job.seeds)
        before = network("minimal").initialise(seeds, job.model)
        dataset = draws.training_dataset(seeds, 16, 5, job.task)
        sequences = draws.draw_sequences(seeds, Purpose.TRAINING, 0, 4, 8, 16)
        _, gradients = steps.loss_and_gradients(job, before, dataset, sequences)
        after = {name: p.clone() for name, p in before.items()}
        steps.plain(job).step(after, dataset, sequences)
        for name, p in after.items():
            rate = {"beta": of_beta, "w": of_w}.get(name, 0.25)
            expected = (1 - 0.1 * rate) * before[name] - 0.1 * gradients[name]
            torch.testing.assert_close(p, expected)


def test_decay_by_group_in_the_two_layer_model():
    job = make_job("two_layer-context-affine", optimiser=Optimiser(1.0, 4, WeightDecay(0.5, 0.0)))
    model = network("two_layer")
    before = model.initialise(torch.tensor(job.seeds), job.model)
    decayed = {name for name in before if job.optimiser.weight_decay.of(model.GROUPS[name])}
    squares = {f"{name}{layer}" for name in ("query", "key", "value") for layer in (1, 2)}
    assert decayed == squares | {"gain", "bias"}


def test_the_mlp_alone_is_the_minimal_model_without_its_head():
    alone, whole = make_job("mlp-raw"), make_job("minimal")
    seeds = torch.tensor(whole.seeds)
    dataset = draws.training_dataset(seeds, 16, 5, whole.task)
    sequences = draws.draw_sequences(seeds, Purpose.TRAINING, 0, 4, 8, 16)
    parameters = network("minimal").initialise(seeds, whole.model)
    parameters["w"] = torch.zeros(2)
    by_itself = mlp.initialise(seeds, alone.model)
    for name, p in by_itself.items():
        assert torch.equal(p, parameters[name])
    torch.testing.assert_close(
        mlp.logits(by_itself, dataset, sequences, alone.model),
        network("minimal").logits(parameters, dataset, sequences, whole.model),
    )


def test_the_mlp_alone_is_the_transformer_whose_attention_reads_nothing():
    alone = make_job("mlp-normalised")
    seeds = torch.tensor(alone.seeds)
    model = Model("one_layer", 5, 16, "context", False)
    dataset = draws.training_dataset(seeds, 16, 5, alone.task)
    sequences = draws.draw_sequences(seeds, Purpose.TRAINING, 0, 4, 8, 16)
    parameters = one_layer.initialise(seeds, model)
    parameters["value"] = torch.zeros(2, 7, 7)
    by_itself = mlp.initialise(seeds, alone.model)
    for name, p in by_itself.items():
        assert torch.equal(p, parameters[name])
    torch.testing.assert_close(
        mlp.logits(by_itself, dataset, sequences, alone.model),
        one_layer.logits(parameters, one_layer.embed(dataset), sequences, model),
    )
