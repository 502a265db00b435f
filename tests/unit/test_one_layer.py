"""The one-layer model's loss and gradients against the independent transcription of eq. 1."""

import numpy as np
import pytest
import reference
import torch
from icl.engine import steps
from icl.job import Evaluation, EvaluationSequences, Job, Model, Optimiser, Stop, Task, WeightDecay
from icl.models.one_layer import network as one_layer
from icl.task.draws import Dataset, Sequences

# item_dim, hidden_dim, context_length, n_items, batch_size, n_replicates
SIZES = [(3, 4, 5, 6, 3, 2), (5, 3, 1, 4, 4, 1), (5, 5, 6, 20, 2, 3)]


@pytest.fixture(scope="module", params=["context", "context_and_self"])
def attend_to(request):
    return request.param


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "affine"])
def affine(request):
    return request.param


@pytest.fixture(scope="module", params=SIZES, ids=str)
def problem(request, attend_to, affine):
    """A job, and random float64 parameters, dataset and sequences for it."""
    item_dim, hidden_dim, length, n_items, batch_size, n_replicates = request.param
    job = Job(
        model=Model("one_layer", item_dim, hidden_dim, attend_to, affine),
        task=Task("random", 8),
        optimiser=Optimiser(1.0, batch_size, WeightDecay(0.0, 0.0)),
        evaluation=Evaluation("linear", 1, None, EvaluationSequences(1, 1, 1), 8),
        stop=Stop("never", None, None, None),
        steps=1,
        context_length=length,
        n_items=n_items,
        seeds=tuple(range(n_replicates)),
    )
    rng = np.random.default_rng(sum(request.param) + affine)
    parameters = {
        # No zero bias, no unit gain, and no softmax so sharp that differences lose it.
        name: torch.from_numpy(rng.normal(size=p.shape, scale=0.45))
        for name, p in one_layer.initialise(torch.tensor(job.seeds), job.model).items()
    }
    dataset = Dataset(
        torch.from_numpy(rng.normal(size=(n_replicates, n_items, item_dim))),
        torch.from_numpy(rng.choice([-1.0, 1.0], size=(n_replicates, n_items))),
    )
    sequences = Sequences(
        torch.from_numpy(rng.integers(n_items, size=(n_replicates, batch_size, length))),
        torch.from_numpy(rng.integers(n_items, size=(n_replicates, batch_size))),
    )
    return job, parameters, dataset, sequences


def arguments(problem, r):
    """What `reference` takes, of replicate r."""
    job, parameters, dataset, sequences = problem
    return (
        {name: p[r].numpy() for name, p in parameters.items()},
        dataset.items[r].numpy(),
        [int(label) for label in dataset.labels[r]],
        sequences.context[r].tolist(),
        sequences.target[r].tolist(),
        job.model.attend_to,
    )


@pytest.fixture(scope="module")
def expected(problem):
    """The reference's loss and gradients of each replicate."""
    return [
        (reference.loss(*arguments(problem, r)), reference.gradients(*arguments(problem, r)))
        for r in range(len(problem[0].seeds))
    ]


def relative_error(value, expected):
    return np.abs(value - expected).max() / max(np.abs(expected).max(), 1e-8)


def test_loss_and_gradients_in_float64(problem, expected):
    job, parameters, dataset, sequences = problem
    losses, gradients = steps.loss_and_gradients(
        job, parameters, one_layer.embed(dataset), sequences
    )
    assert gradients.keys() == parameters.keys()
    for r, (loss, of_loss) in enumerate(expected):
        assert relative_error(losses[r].numpy(), loss) < 1e-12
        for name, gradient in of_loss.items():
            if np.abs(gradient).max() < 1e-8:  # Q and K, where a context of one leaves no choice
                assert gradients[name][r].abs().max() < 1e-8
            else:
                assert relative_error(gradients[name][r].numpy(), gradient) < 1e-5, name


def test_fused_step_in_float32(problem, expected):
    """At rate 1 and no weight decay, a step's change is minus the gradient."""
    job, parameters, dataset, sequences = problem
    before = {name: p.float() for name, p in parameters.items()}
    after = {name: p.clone() for name, p in before.items()}
    fast = steps.choose(job, torch.device("cpu"))
    tables = fast.embed(Dataset(dataset.items.float(), dataset.labels.float()))
    fast.step(after, tables, sequences)
    for r, (_, of_loss) in enumerate(expected):
        largest = max(np.abs(gradient).max() for gradient in of_loss.values())
        for name, gradient in of_loss.items():
            change = (after[name][r] - before[name][r]).numpy()
            np.testing.assert_allclose(-change, gradient, rtol=0, atol=1e-5 * (1 + largest))


def test_logits_in_float32(problem):
    """What a run computes in float32 is the float64 model to rounding, plain and fused."""
    job, parameters, dataset, sequences = problem
    exact = one_layer.logits(parameters, one_layer.embed(dataset), sequences, job.model)
    single = {name: p.float() for name, p in parameters.items()}
    dataset = Dataset(dataset.items.float(), dataset.labels.float())
    for arithmetic in (steps.plain(job), steps.choose(job, torch.device("cpu"))):
        z = arithmetic.logits(single, arithmetic.embed(dataset), sequences, job.model)
        torch.testing.assert_close(z.double(), exact, rtol=1e-5, atol=1e-5)
