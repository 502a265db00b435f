"""Order parameters: exact where eq. 2 holds, and against loops elsewhere."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from example_jobs import make_job
from icl.engine import memorised, order_parameters, training
from icl.job import Model, Task
from icl.models.loading import network
from icl.models.one_layer import network as one_layer
from icl.record import StopReason
from icl.task import draws
from icl.task.sampling import TrainingData
from icl.task.streams import Purpose
from icl.theory import landscape
from reference import token

SEEDS = torch.tensor([3, 4])
DIM = 5


# The head of the one-layer transformer. ----------------------------------------------------------


@pytest.fixture(params=["context", "context_and_self"])
def model(request):
    return Model("one_layer", DIM, 8, request.param, True)


@pytest.fixture
def novel():
    dataset = draws.novel_dataset(SEEDS, 30, DIM, Task("random", 8))
    return dataset, draws.draw_sequences(SEEDS, Purpose.EVALUATE_ICL, 0, 40, 6, 30)


def of_head(parameters, novel, model):
    dataset, sequences = novel
    tables = one_layer.embed(dataset)
    measured = one_layer.order_parameters(parameters, tables, sequences, model)
    return {name: value.numpy() for name, value in measured.items()}


def test_eq_2_is_read_off_exactly(model, novel):
    beta, w = torch.tensor([1.5, -0.5]), torch.tensor([0.75, 2.0])
    parameters = one_layer.initialise(SEEDS, model)
    items = torch.diag(torch.tensor([1.0] * DIM + [0.0, 0.0]))
    rotation = torch.linalg.qr(torch.randn(7, 7, generator=torch.Generator().manual_seed(0)))[0]
    parameters["query"] = beta[:, None, None] * (rotation @ items)
    parameters["key"] = (rotation @ items).expand(2, 7, 7)
    parameters["value"] = w[:, None, None] * (torch.eye(7) - items)
    measured = of_head(parameters, novel, model)
    np.testing.assert_allclose(measured["beta"], beta, rtol=1e-5)
    np.testing.assert_allclose(measured["w"], w, rtol=1e-6)
    np.testing.assert_allclose(measured["score_r2"], 1, rtol=1e-6)
    np.testing.assert_allclose(measured["score_correlation"], beta.sign(), rtol=1e-6)
    for name in ("pp", "mm"):
        np.testing.assert_allclose(measured[f"value_label_{name}"], w)
    for name in ("pm", "mp"):
        np.testing.assert_allclose(measured[f"value_label_{name}"], 0)


def test_parts_that_are_the_whole_do_the_work_of_the_whole(model, novel):
    """Eq. 2 as it stands: taking beta out leaves uniform attention; the rest changes nothing."""
    parameters = one_layer.initialise(SEEDS, model)
    items = torch.diag(torch.tensor([1.0] * DIM + [0.0, 0.0]))
    parameters["query"] = torch.tensor([3.0, 5.0])[:, None, None] * items
    parameters["key"] = items.expand(2, 7, 7)
    answer, difference = torch.arange(7.0), torch.tensor([0.0] * DIM + [1.0, -1.0])
    parameters["value"] = (answer[:, None] * difference).expand(2, 7, 7)
    dataset, sequences = novel
    tables = one_layer.embed(dataset)
    measured = of_head(parameters, novel, model)
    labels = tables.labels.gather(1, sequences.target)

    def accuracy(p):
        return (labels * one_layer.logits(p, tables, sequences, model) > 0).double().mean(1)

    for name in ("icl_of_beta", "icl_of_label", "icl_of_both"):
        np.testing.assert_allclose(measured[name], accuracy(parameters))
    uniform = {**parameters, "query": 0 * parameters["query"]}
    np.testing.assert_allclose(measured["icl_without_beta"], accuracy(uniform))
    assert (accuracy(uniform) != accuracy(parameters)).any()
    own = (tables.labelled[..., :DIM] * tables.unlabelled[..., :DIM]).sum(-1).mean(1)
    np.testing.assert_allclose(measured["item_overlap"], own, rtol=1e-5)


def test_a_part_is_put_in_the_place_of_the_whole(model, novel):
    """Random weights: the three replacements written out with numpy."""
    parameters = one_layer.initialise(SEEDS, model)
    dataset, sequences = novel
    tables = one_layer.embed(dataset)
    measured = of_head(parameters, novel, model)
    labels = tables.labels.gather(1, sequences.target)
    key_query = (parameters["key"].mT @ parameters["query"]).double().numpy()
    for r in range(2):
        part = np.zeros((7, 7))
        part[:DIM, :DIM] = np.eye(DIM) * np.trace(key_query[r][:DIM, :DIM]) / DIM
        value = parameters["value"][r].numpy()
        toward = (value[:, DIM] - value[:, DIM + 1]) / 2
        rank_one = np.zeros((7, 7))
        rank_one[:, DIM], rank_one[:, DIM + 1] = toward, -toward
        block = value[DIM:, DIM:]
        forms = {
            "icl_of_beta": (part, value),
            "icl_without_beta": (key_query[r] - part, value),
            "icl_of_label": (key_query[r], rank_one),
            "icl_of_both": (part, rank_one),
            "icl_of_w": (key_query[r], np.diag([0.0] * DIM + [np.trace(block) / 2] * 2)),
        }
        for name, (scores, values) in forms.items():
            whole = {k: v.double().clone() for k, v in parameters.items()}
            whole["query"][r], whole["key"][r] = torch.from_numpy(scores), torch.eye(7)
            whole["value"][r] = torch.from_numpy(np.asarray(values, dtype=float))
            double = one_layer.Tables(tables.labelled.double(), tables.unlabelled.double(), labels)
            logits = one_layer.logits(whole, double, sequences, model)[r]
            expected = (labels[r] * logits > 0).double().mean()
            assert measured[name][r] == pytest.approx(float(expected))


def test_the_fit_is_the_least_squares_fit(model, novel):
    parameters = one_layer.initialise(SEEDS, model)
    measured = of_head(parameters, novel, model)
    for r in range(2):
        key_query = (parameters["key"][r].mT @ parameters["query"][r]).numpy()[:DIM, :DIM]
        block = parameters["value"][r].numpy()[DIM:, DIM:]
        for value, matrix in ((measured["beta"][r], key_query), (measured["w"][r], block)):
            identity = np.eye(len(matrix)).ravel()[:, None]
            (fitted,), *_ = np.linalg.lstsq(identity, matrix.ravel(), rcond=None)
            assert value == pytest.approx(fitted, rel=1e-4)


def test_scores_and_self_weight_against_loops(model, novel):
    """Random parameters with an affine: R^2, correlation and self weight written out."""
    dataset, sequences = novel
    generator = torch.Generator().manual_seed(1)
    parameters = {
        name: p + 0.5 * torch.randn(p.shape, generator=generator)
        for name, p in one_layer.initialise(SEEDS, model).items()
    }
    measured = of_head(parameters, novel, model)
    for r in range(2):
        p = {name: value[r].double().numpy() for name, value in parameters.items()}
        items, labels = dataset.items[r].double().numpy(), dataset.labels[r].tolist()
        scores, predicted, own_weights = [], [], []
        for row, target in zip(sequences.context[r], sequences.target[r], strict=True):
            last = token(items[target], None, p)
            context = [token(items[j], labels[j], p) for j in row]
            query = p["query"] @ last
            these = [(p["key"] @ t) @ query for t in context]
            those = [measured["beta"][r] * t[:DIM] @ last[:DIM] for t in context]
            scores.extend(these - np.mean(these))
            predicted.extend(those - np.mean(those))
            exponentials = np.exp([*these, (p["key"] @ last) @ query])
            own_weights.append(exponentials[-1] / exponentials.sum())
        scores, predicted = np.array(scores), np.array(predicted)
        r2 = 1 - ((scores - predicted) ** 2).sum() / (scores**2).sum()
        correlation = np.sign(measured["beta"][r]) * np.corrcoef(scores, predicted)[0, 1]
        assert measured["score_r2"][r] == pytest.approx(r2, rel=1e-4)
        assert measured["score_correlation"][r] == pytest.approx(correlation, rel=1e-4)
        if model.attend_to == "context_and_self":
            assert measured["self_weight"][r] == pytest.approx(np.mean(own_weights), rel=1e-4)
        else:
            assert "self_weight" not in measured


def test_a_context_of_one_has_no_score_to_explain_and_is_no_divergence():
    sizes = (5, 16, 1, 16, 8, 2)
    model = Model("one_layer", 5, 16, "context", False)
    job = make_job("minimal", sizes, model=model)
    evaluation = replace(job.evaluation, order_parameters=True)
    record = training.train(replace(job, evaluation=evaluation))
    assert np.isnan(record.metrics["score_r2"]).all()
    assert (record.stop_reason == StopReason.LAST_STEP).all()


def test_an_untrained_transformer_is_not_of_eq_2():
    model = Model("one_layer", 63, 8, "context", False)
    dataset = draws.novel_dataset(SEEDS, 200, 63, Task("random", 8))
    sequences = draws.draw_sequences(SEEDS, Purpose.EVALUATE_ICL, 0, 200, 16, 200)
    measured = of_head(one_layer.initialise(SEEDS, model), (dataset, sequences), model)
    assert (np.abs(measured["score_r2"]) < 0.1).all()


# The MLP, over all items. ------------------------------------------------------------------------


@pytest.mark.parametrize(("exponent", "noise"), [(0.0, 0.0), (1.0, 0.0), (0.0, 0.2), (1.0, 0.2)])
@pytest.mark.parametrize("case", ["minimal", "mlp-raw", "mlp-normalised"])
def test_c1_c2_c3_against_the_theory_s_definitions(case, exponent, noise, monkeypatch):
    monkeypatch.setattr(order_parameters, "ITEMS_AT_ONCE", 7)  # the last part is smaller
    job = make_job(case)
    module = network(job.model.name)
    dataset = draws.training_dataset(SEEDS, 30, DIM, job.task)
    parameters = {name: 3 * p for name, p in module.initialise(SEEDS, job.model).items()}
    task = replace(job.task, zipf_exponent=exponent, label_noise=noise)
    data = TrainingData(replace(job, task=task, n_items=30), SEEDS, module.embed)
    given = data.probabilities()
    assert (given is None) == (exponent == noise == 0)
    measured = order_parameters.of_items(
        module.item_logits, parameters, data.tables, job.model, given, 30
    )
    p = np.arange(1, 31.0) ** -exponent
    index = torch.arange(30).expand(2, -1)
    phi = dataset.labels * module.item_logits(parameters, dataset, index, job.model)
    for r in range(2):
        logits = phi[r].double().numpy()
        both = np.concatenate([logits, -logits])  # with its own label, and with the other
        weights = np.concatenate([(1 - noise) * p, noise * p])
        if given is None:
            expected = landscape.order_parameters(logits)
            assert [measured[c][r].item() for c in ("c1", "c2", "c3")] == pytest.approx(
                [expected.c1, expected.c2, expected.c3], rel=1e-5
            )

        wrong = 1 / (1 + np.exp(both))
        c1 = np.average(wrong, weights=weights)
        assert measured["c1"][r].item() == pytest.approx(c1, rel=1e-5)
        c2 = 1 - np.average(wrong**2, weights=weights) / c1
        assert measured["c2"][r].item() == pytest.approx(c2, rel=1e-5)
        c3 = np.average(np.exp(-both), weights=weights)
        assert measured["c3"][r].item() == pytest.approx(c3, rel=1e-5)
        assert measured["item_accuracy"][r].item() == pytest.approx((logits > 0).mean())
        loss = np.log1p(np.exp(-logits)).mean()
        assert measured["item_loss"][r].item() == pytest.approx(loss, rel=1e-5)


def test_perfect_memory_is_a_number():
    dataset = draws.training_dataset(SEEDS, 30, DIM, Task("random", 8))
    measured = order_parameters.of_items(
        lambda *_: 1e4 * dataset.labels, {}, dataset, make_job("mlp-raw").model, None, 30
    )
    assert measured["c1"].tolist() == [0, 0]
    assert measured["c2"].tolist() == [1, 1]
    assert measured["item_accuracy"].tolist() == [1, 1]


# I_K. --------------------------------------------------------------------------------------------


def test_integral_and_its_error():
    """c1 = 1 / (2 (1 + t)^2): I_K(t) = 1 - 1 / (1 + t), with a tail of 1 / (1 + T)."""
    time = np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 181)])
    c1 = 0.5 / (1 + time) ** 2
    curves = np.stack([c1, np.where(time > 10, np.nan, c1)])
    i_k = memorised.integral(time, curves)
    exact = 1 - 1 / (1 + time)
    np.testing.assert_allclose(i_k[0], exact, atol=2e-3)
    assert np.isnan(i_k[1, time > 10]).all()
    summary = memorised.summarise(time, curves)
    np.testing.assert_array_equal(summary["i_recorded"][0], i_k[0, -1])
    assert summary["i_recorded"][1] == pytest.approx(i_k[1, time <= 10][-1])
    errors = np.abs(summary["i_recorded"] - [exact[-1], exact[time <= 10][-1]])
    assert (errors < summary["i_error"]).all()
    assert (summary["i_error"] < 5e-3).all()
    assert 1e-3 < summary["i_tail_bound"][0] < 1.5e-3  # the tail is 1 / 1001


def test_a_record_too_short_has_no_bound():
    summary = memorised.summarise(np.array([0.0, 1.0, 2.0]), np.full((1, 3), 0.5))
    assert summary["i_recorded"] == pytest.approx(2)
    assert np.isinf(summary["i_tail_bound"]).all()
