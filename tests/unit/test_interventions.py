"""What a configuration may do to a run: hold a part of the model, and put another in its place."""

import json
from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from example_jobs import CASES, DEFAULTS, alone, experiment, make_job, with_order_parameters
from icl.engine import graphs, steps, training
from icl.experiment.grid import expand
from icl.job import SETTINGS, Held, Hold, Job, Model, Optimiser, Task, WeightDecay, settings_of
from icl.models import MODELS, metrics
from icl.models.loading import network
from icl.models.one_layer import network as one_layer
from icl.store import artifacts
from icl.task import draws
from icl.task.streams import Purpose

CPU = torch.device("cpu")
DIFFERENCE = 1e-6
SIZES = (3, 4, 4, 6, 3, 2)  # item_dim, hidden_dim, context_length, n_items, batch_size, R
OPTIMISER = Optimiser(0.5, 3, WeightDecay(0.05, 0.03, beta=0.04), mlp_learning_rate=0.3)
BOTH = pytest.mark.parametrize(
    "choose", [steps.choose, lambda job, device: steps.plain(job)], ids=["chosen", "plain"]
)


def one_layer_logit(p, items, labels, context, target):
    """Eq. 1 by `reference`, from rows of items."""
    tokens = [reference.token(items[j], labels[j], p) for j in context]
    return reference.logit(p, tokens, reference.token(items[target], None, p), "context_and_self")


ONE_LAYER = Model("one_layer", 3, 4, "context_and_self", True)
OF_CASE = {
    "one_layer": (make_job("minimal", SIZES, model=ONE_LAYER), one_layer_logit),
    **{case: (make_job(case, SIZES), logit) for case, (_, logit) in CASES.items()},
}
# What is held from step 1 on (a value: clamped), by the model.
HELD = [
    *(
        (case, group, None)
        for case in ("one_layer", "chain-context")
        for group in ("attention", "mlp")
    ),
    *(("two_layer-context-affine", group, None) for group in ("attention", "mlp")),
    *(("minimal", group, None) for group in ("beta", "w", "mlp")),
    *(("minimal", group, 1.25) for group in ("beta", "w")),
    ("mlp-normalised", "mlp", None),
]


def holding(job, **groups):
    """The job with some groups held: name = (step, value or None)."""
    hold = Hold(**{group: Held(*of) for group, of in groups.items()})
    return replace(job, optimiser=replace(job.optimiser, hold=hold))


def gradients(logit, p, items, labels, sequences):
    """Central differences of the reference's mean loss, for every entry of every parameter."""

    def loss(q):
        margins = [
            labels[t] * logit(q, items, labels, c, t) for c, t in zip(*sequences, strict=True)
        ]
        return np.mean(np.log1p(np.exp(-np.array(margins))))

    out = {name: np.zeros_like(value) for name, value in p.items()}
    for name, value in p.items():
        for index in np.ndindex(value.shape):
            above, below = np.array(value), np.array(value)
            above[index] += DIFFERENCE
            below[index] -= DIFFERENCE
            rise = loss({**p, name: above}) - loss({**p, name: below})
            out[name][index] = rise / (2 * DIFFERENCE)
    return out


@BOTH
@pytest.mark.parametrize(("case", "group", "value"), HELD)
def test_steps_against_a_transcription(case, group, value, choose, monkeypatch):
    """A step of all, then two in which one group stays and all others move, in float64."""
    monkeypatch.setattr(steps, "choose", choose)
    job, logit = OF_CASE[case]
    job = holding(replace(job, optimiser=OPTIMISER), **{group: (1, value)})
    ensemble = training.Ensemble(job, CPU)
    generator = torch.Generator().manual_seed(0)
    for parameter in ensemble.parameters.values():  # no zero bias or w, no unit gain
        parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    dataset = draws.training_dataset(ensemble.seeds, 6, 3, job.task)
    groups = network(job.model.name).GROUPS
    rates = {"mlp": 0.3}
    decays = {"mlp": 0.03, "beta": 0.04}
    expected = [
        {name: p[r].double().numpy() for name, p in ensemble.parameters.items()} for r in range(2)
    ]
    for step in range(3):
        _, sequences = ensemble.data.batch(ensemble.seeds, Purpose.TRAINING, step, 3)
        ensemble.train_step(step)
        for r, p in enumerate(expected):
            rows = sequences.context[r].tolist(), sequences.target[r].tolist()
            labels = [int(label) for label in dataset.labels[r]]
            of_loss = gradients(logit, p, dataset.items[r].double().numpy(), labels, rows)
            for name, before in p.items():
                rate, decay = rates.get(groups[name], 0.5), decays.get(groups[name], 0.05)
                if step < 1 or groups[name] != group:
                    p[name] = before - rate * (of_loss[name] + decay * before)
                if step == 0 and groups[name] == group and value is not None:
                    p[name] = np.full_like(p[name], value)
                got = ensemble.parameters[name][r].numpy()
                np.testing.assert_allclose(got, p[name], rtol=0, atol=3e-5, err_msg=name)


@BOTH
@pytest.mark.parametrize(("case", "group"), [(case, group) for case, group, _ in HELD])
def test_what_is_held_keeps_its_bits_and_the_rest_moves(case, group, choose, monkeypatch):
    monkeypatch.setattr(steps, "choose", choose)
    job, _ = OF_CASE[case]
    job = holding(replace(job, optimiser=OPTIMISER), **{group: (3, None)})
    ensemble, groups = training.Ensemble(job, CPU), network(job.model.name).GROUPS
    free = training.Ensemble(replace(job, optimiser=OPTIMISER), CPU)
    for step in range(6):
        before = {name: p.clone() for name, p in ensemble.parameters.items()}
        ensemble.train_step(step)
        free.train_step(step)
        for name, p in ensemble.parameters.items():
            held = step >= 3 and groups[name] == group
            assert torch.equal(p, before[name]) == held, (step, name)
            if step < 3:
                assert torch.equal(p, free.parameters[name]), (step, name)


@BOTH
@pytest.mark.parametrize("case", OF_CASE)
def test_an_mlp_held_from_the_start_is_one_whose_rate_is_0(case, choose, monkeypatch):
    monkeypatch.setattr(steps, "choose", choose)
    job = alone(OF_CASE[case][0]) if case.startswith("mlp") else OF_CASE[case][0]
    still = replace(job, optimiser=replace(OPTIMISER, mlp_learning_rate=0.0))
    expected, got = (
        training.train(still, weights_at=["end"]),
        training.train(
            holding(replace(job, optimiser=OPTIMISER), mlp=(0, None)), weights_at=["end"]
        ),
    )
    for name, values in expected.weights["end"].items():
        np.testing.assert_array_equal(got.weights["end"][name], values)
    for name, values in expected.metrics.items():
        np.testing.assert_array_equal(got.metrics[name], values)


def test_a_clamped_scalar_is_at_its_value_from_its_step_on():
    job = with_order_parameters(make_job("minimal"))
    job = replace(job, evaluation=replace(job.evaluation, every=5))
    free = training.train(job)
    held = training.train(holding(job, beta=(10, -2.5), w=(0, 0.75)))
    assert held.metrics["w"].tolist() == [[0.75] * 5] * 2
    assert held.metrics["beta"][:, 2:].tolist() == [[-2.5] * 3] * 2
    assert held.metrics["beta"][:, 0].tolist() == free.metrics["beta"][:, 0].tolist()
    assert not (held.metrics["beta"][:, 1] == held.metrics["beta"][:, 2]).any()


def test_what_is_held_from_the_last_step_but_one_is_trained_until_then():
    job = make_job("minimal")
    held = training.train(holding(job, mlp=(job.steps - 1, None)), weights_at=["19", "20"])
    free = training.train(job, weights_at=["19", "20"])
    for name, values in held.weights["20"].items():
        as_before = held.weights["19"] if name not in ("beta", "w") else free.weights["20"]
        np.testing.assert_array_equal(values, as_before[name])


def test_a_graph_is_captured_anew_where_a_hold_begins():
    """A stand-in for CUDA's graphs, which go on with what was held when they were captured."""

    class Graph(graphs.Graph):
        captures = 0

        def __call__(self, step):
            if self.left:
                self.left -= 1
            elif self.graph is None:
                self.graph = frozenset(ensemble.held)
                self.captures += 1
            if self.graph is not None:
                ensemble.held = set(self.graph)
            self.step(step)

    job = holding(make_job("minimal"), mlp=(7, None), beta=(9, 2.0), w=(15, None))
    expected, ensemble = training.Ensemble(job, CPU), training.Ensemble(job, CPU)
    ensemble.graph = Graph(ensemble._train_step, CPU)
    for step in range(20):
        expected.train_step(step)
        ensemble.train_step(step)
        for name, p in expected.parameters.items():
            assert torch.equal(ensemble.parameters[name], p), (step, name)
    assert ensemble.graph.captures == 3  # none in the two steps between 7 and 9


# As a configuration has it. -----------------------------------------------------------------------

MINIMAL = {
    "name": "minimal",
    "initial_beta": {"mean": 0, "sd": 0.5},
    "initial_w": {"mean": 0, "sd": 0},
}


def jobs_of(*entries, **settings):
    grid = ({"context_length": 4, "n_items": 16, **entry} for entry in entries)
    return expand(DEFAULTS, experiment(*grid, seeds={"count": 2}, **settings))


@pytest.mark.parametrize("case", CASES)
def test_what_may_be_held_is_what_a_network_groups(case):
    job = make_job(case)
    initial = network(job.model.name).initialise(torch.tensor([0]), job.model)
    groups = network(job.model.name).GROUPS
    assert {groups[name] for name in initial} == set(MODELS[job.model.name].groups)


def test_a_hold_is_part_of_the_identity_where_there_is_one():
    (free,) = jobs_of({})
    (held,) = jobs_of({"optimiser": {"hold": {"mlp": {"from": 30}}}})
    assert jobs_of({"optimiser": {"hold": {}}}) == [free]
    assert "hold" not in free.identity()["optimiser"]
    assert held.identity()["optimiser"]["hold"] == {"mlp": {"from": 30}}
    assert Job.from_identity(json.loads(json.dumps(held.identity()))) == held
    assert held.name != free.name


def test_runs_of_one_dataset_are_told_apart_by_what_is_held():
    scalar = {"optimiser": {"hold": {"beta": {"from": 0, "at": 5}, "w": {"from": 30}}}}
    jobs = jobs_of({}, {"optimiser": {"hold": {"mlp": {"from": 30}}}}, scalar, model=MINIMAL)
    parts = [artifacts.job_dataset(training.train(job), job, {}) for job in jobs]
    joined = artifacts.collect(parts, {})
    assert joined.hold[::2].values.tolist() == [
        "nothing",
        "mlp from 30",
        "beta from 0 at 5.0, w from 30",
    ]
    assert settings_of(jobs[0]).keys() == SETTINGS.keys()


def test_another_model_does_not_inherit_a_hold_of_what_it_lacks():
    hold = {"attention": {"from": 3}, "mlp": {"from": 4}}
    of_entry = {"model": {**MINIMAL, "name": "minimal"}}
    (job,) = jobs_of(of_entry, optimiser={"hold": hold})
    assert job.optimiser.hold == Hold(mlp=Held(4))


# Substitutions. -----------------------------------------------------------------------------------


def asking(job, *words):
    return replace(job, evaluation=replace(job.evaluation, substitutions=words))


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("attend_to", ["context", "context_and_self"])
def test_substitutions_against_a_transcription(attend_to, affine):
    model, seeds = Model("one_layer", 5, 8, attend_to, affine), torch.tensor([3, 4])
    dataset = draws.novel_dataset(seeds, 30, 5, Task("random", 8))
    sequences = draws.draw_sequences(seeds, Purpose.EVALUATE_ICL, 0, 90, 6, 30)
    generator = torch.Generator().manual_seed(1)
    parameters = {
        name: p + 0.5 * torch.randn(p.shape, generator=generator)
        for name, p in one_layer.initialise(seeds, model).items()
    }
    got = one_layer.substituted(parameters, one_layer.embed(dataset), sequences, model)
    accuracies = []
    for r in range(2):
        p = {name: value[r].double().numpy() for name, value in parameters.items()}
        items, labels = dataset.items[r].double().numpy(), dataset.labels[r].int().tolist()
        right = {"uniform": [], "vote": [], "whole": []}
        for row, last in zip(
            sequences.context[r].tolist(), sequences.target[r].tolist(), strict=True
        ):
            target = reference.token(items[last], None, p)
            context = [reference.token(items[j], labels[j], p) for j in row]
            attended = [*context, target] if attend_to == "context_and_self" else context
            mean = sum(p["value"] @ t for t in attended) / len(attended)
            h = np.maximum(p["hidden1"] @ (target + mean) + p["hidden1_bias"], 0)
            h = np.maximum(p["hidden2"] @ h + p["hidden2_bias"], 0)
            z = (p["readout"] @ h + p["readout_bias"]).item()
            right["uniform"].append(z * labels[last] > 0)
            scores = [np.exp((p["key"] @ t) @ (p["query"] @ target)) for t in context]
            vote = sum(score * labels[j] for score, j in zip(scores, row, strict=True))
            right["vote"].append(vote * labels[last] > 0)
            whole = reference.logit(p, context, target, attend_to)
            right["whole"].append(whole * labels[last] > 0)
        means = {word: np.mean(found) for word, found in right.items()}
        accuracies.append(means)
        for word in ("uniform", "vote"):
            assert got[word][r].item() == pytest.approx(means[word], abs=1e-12)
    assert len({*accuracies[0].values()}) == 3, "each answers otherwise"


def test_a_head_that_copies_needs_no_mlp():
    """Attention all on the target's copy, an MLP that answers +1: the vote alone is right."""
    job = make_job(
        "minimal", (13, 8, 4, 64, 8, 2), model=Model("one_layer", 13, 8, "context", False)
    )
    seeds = torch.tensor(job.seeds)
    parameters = one_layer.initialise(seeds, job.model)
    parameters["query"] = 60 * torch.diag(torch.tensor([1.0] * 13 + [0, 0])).expand(2, 15, 15)
    parameters["key"] = torch.eye(15).expand(2, 15, 15)
    parameters["readout"] = 0 * parameters["readout"]
    parameters["readout_bias"] = 1 + 0 * parameters["readout_bias"]
    dataset = draws.novel_dataset(seeds, 64, 13, job.task)
    sequences = draws.draw_sequences(seeds, Purpose.EVALUATE_ICL, 0, 200, 4, 64)
    tables = one_layer.embed(dataset)
    got = one_layer.substituted(parameters, tables, sequences, job.model)
    assert (got["vote"] > 0.97).all()
    positive = (tables.labels.gather(1, sequences.target) > 0).double().mean(1)
    assert torch.equal(got["uniform"], positive)


def test_substitutions_are_recorded_and_change_nothing_else():
    job = make_job("minimal", model=Model("one_layer", 5, 16, "context_and_self", True))
    plain = training.train(job)
    for words in (("uniform",), ("vote",), ("uniform", "vote")):
        asked = asking(job, *words)
        measured = training.train(asked)
        assert measured.metrics.keys() == metrics.metrics_of(asked).keys()
        new = measured.metrics.keys() - plain.metrics.keys()
        assert new == {f"icl_of_{word}" for word in words}
        assert all(np.isfinite(measured.metrics[name]).all() for name in new)
        for name, values in plain.metrics.items():
            np.testing.assert_array_equal(values, measured.metrics[name])
        assert artifacts.job_dataset(measured, asked, {})[min(new)].attrs["long_name"]
    both = training.train(with_order_parameters(asked))
    for name in (*measured.metrics, "icl_of_beta"):
        assert name in both.metrics


def test_substitutions_are_part_of_the_identity_in_no_order():
    (plain,) = jobs_of({})
    first, second = (
        jobs_of({"evaluation": {"substitutions": words}})[0]
        for words in (["vote", "uniform"], ["uniform", "vote"])
    )
    assert first.name == second.name != plain.name
    assert jobs_of({"evaluation": {"substitutions": []}}) == [plain]
    assert "substitutions" not in plain.identity()["evaluation"]
    assert Job.from_identity(json.loads(json.dumps(first.identity()))) == first
