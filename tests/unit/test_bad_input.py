"""What a model or a task cannot do is refused by name before any job."""

import pytest
from committed import LAPTOP_FILES as FILES
from icl.experiment.validation import Sources, check
from icl.job import ConfigError

MINIMAL = {
    "name": "minimal",
    "initial_beta": {"mean": 0, "sd": 0.25},
    "initial_w": {"mean": 0, "sd": 0},
}
MLP = {"name": "mlp", "mlp_input": "raw"}
MEMORISED = {"when": "memorised", "c1": 0.001, "confirmations": 2}


@pytest.fixture(scope="module")
def sources():
    return Sources(FILES)


def checked(sources, entry=None, grid=None, **settings):
    """The jobs of the laptop size with one more experiment."""
    config = Sources(FILES).merged()
    experiment = {
        "description": "a test",
        "grid": [{"context_length": 8, "n_items": 100, **(grid or {})}],
        "seeds": {"first": 0, "count": 2},
        "steps": 100,
        "block_size": 2,
        **settings,
    }
    config["experiments"] = {**config["experiments"], "test": experiment}
    config.update(entry or {})
    return check(config, sources)["test"]


def refused(sources, *arguments, **settings):
    with pytest.raises(ConfigError) as caught:
        checked(sources, *arguments, **settings)
    return str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"model": MINIMAL},
        {"model": MINIMAL, "optimiser": {"weight_decay": {"w": 0.001}}},
        {"model": MINIMAL, "evaluation": {"order_parameters": True}},
        {"model": MLP, "stop": MEMORISED},
        {"model": {"name": "mlp", "mlp_input": "normalised"}},
        {"model": {"name": "two_layer"}},
        {"evaluation": {"order_parameters": True}},
        {"task": {"context_labels": "balanced"}},
        {"task": {"zipf_exponent": 1.5}},
        {"task": {"redraw": "sequence"}, "grid": {"n_items": "infinity"}},
        {"task": {"copies": 8}},
        {"task": {"copies": 2, "redraw": "step"}, "grid": {"n_items": "infinity"}},
        {"task": {"copies": 2, "label_noise": 0.5, "zipf_exponent": 1.5}},
        {"model": MLP, "task": {"copies": 2, "label_noise": 0.1}},
        {"model": {"name": "two_layer"}, "task": {"copies": 1, "label_noise": 0}},
        {"task": {"copies": 1, "label_noise": 0, "context_labels": "balanced"}},
        {"optimiser": {"hold": {"attention": {"from": 0}, "mlp": {"from": 99}}}},
        {
            "model": MINIMAL,
            "optimiser": {"hold": {"beta": {"from": 5, "at": -2}, "w": {"from": 5}}},
        },
        {"model": MLP, "optimiser": {"hold": {"mlp": {"from": 5}}}},
        {"evaluation": {"substitutions": ["vote", "uniform"], "order_parameters": True}},
        {"model": MINIMAL, "evaluation": {"substitutions": []}},
    ],
    ids=str,
)
def test_what_can_be_run(sources, settings):
    assert checked(sources, **settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"model": {"name": "three_layer"}},
            "allowed: one_layer, multi_head, two_layer, minimal, mlp or chain",
        ),
        (
            {"model": {**MINIMAL, "attend_to": "context"}},
            "model.attend_to: is not a key of this model; allowed: name, item_dim, hidden_dim",
        ),
        ({"model": {**MLP, "initial_w": {"mean": 0, "sd": 0}}}, "initial_w: is not a key of this"),
        ({"model": {"mlp_input": "raw"}}, "model.mlp_input: is not a key of this model"),
        ({"model": {"name": "two_layer", "mlp_input": "raw"}}, "mlp_input: is not a key of this"),
        ({"model": {"name": "minimal"}}, "model.initial_beta: is missing"),
        ({"model": {"name": "mlp"}}, "model.mlp_input: is missing"),
        ({"model": {**MINIMAL, "initial_beta": {"mean": 0, "sd": -1}}}, "a number from 0 to 80"),
        ({"model": {**MINIMAL, "initial_beta": 0.5}}, "0.5 is not allowed; allowed: a mapping"),
        ({"model": {**MLP, "mlp_input": "cooked"}}, "raw or normalised"),
        ({"optimiser": {"weight_decay": {"w": 0.1}}}, "weight_decay.w: is not a key of this model"),
        ({"optimiser": {"weight_decay": {"mlp": -1.0e-3}}}, "a number from 0 to 1"),
        ({"model": MINIMAL, "optimiser": {"weight_decay": {"beta": -1}}}, "a number from 0 to 1"),
        ({"optimiser": {"learning_rate": -0.1}}, "learning_rate: -0.1 is not allowed"),
        ({"task": {"name": "regression"}}, "task.name: unknown key"),
        ({"task": {"context_labels": "even"}}, "random (D) or balanced (D')"),
        ({"task": {"zipf_exponent": -1}}, "a number from 0 to 10"),
        ({"task": {"redraw": "epoch"}}, "step or sequence"),
        ({"task": {"zipf_exponent": 1, "context_labels": "balanced"}}, "allowed: 0, where context"),
        (
            {"task": {"zipf_exponent": 1}, "grid": {"n_items": "infinity"}},
            "zipf_exponent: 1 is not allowed; allowed: 0, where n_items is infinity",
        ),
        ({"task": {"copies": 0}}, "task.copies: 0 is not allowed; allowed: an integer from 1"),
        ({"task": {"copies": 2.5}}, "task.copies: 2.5 is not allowed; allowed: an integer from 1"),
        ({"task": {"copies": 9}}, "task.copies: 9 is not allowed; allowed: at most context_length"),
        (
            {"task": {"copies": 2, "context_labels": "balanced"}},
            "task.copies: 2 is not allowed; allowed: 1, where context_labels is balanced",
        ),
        (
            {"task": {"copies": 2, "redraw": "sequence"}, "grid": {"n_items": "infinity"}},
            "task.copies: 2 is not allowed; allowed: 1, where redraw is sequence",
        ),
        (
            {"model": {"name": "two_layer"}, "task": {"copies": 2}},
            "task.copies: 2 is not allowed; allowed: 1 (this model reads a context's order",
        ),
        ({"task": {"label_noise": -0.1}}, "label_noise: -0.1 is not allowed; allowed: a number"),
        ({"task": {"label_noise": 0.6}}, "label_noise: 0.6 is not allowed; allowed: a number from"),
        (
            {"task": {"label_noise": 0.1, "context_labels": "balanced"}},
            "task.label_noise: 0.1 is not allowed; allowed: 0, where context_labels is balanced",
        ),
        (
            {"task": {"label_noise": 0.1}, "grid": {"n_items": [100, "infinity"]}},
            "task.label_noise: 0.1 is not allowed; allowed: 0, where n_items is infinity",
        ),
        (
            {"model": {"name": "two_layer"}, "task": {"label_noise": 0.1}},
            "task.label_noise: 0.1 is not allowed; allowed: 0 (this model reads a context's order",
        ),
        (
            {"task": {"context_labels": "balanced"}, "grid": {"context_length": [8, 9]}},
            "context_length: 9 is not allowed; allowed: an even N",
        ),
        (
            {"task": {"context_labels": "balanced"}, "grid": {"n_items": 20}},
            "n_items: 20 is not allowed; allowed: at least 64",
        ),
        ({"grid": {"n_items": 1}}, "1 is not allowed; allowed: K: an integer from 2"),
        ({"grid": {"context_length": 0}}, "0 is not allowed; allowed: N, an integer from 1"),
        (
            {"grid": {"context_length": 100}},
            "context_length: 100 is not allowed; allowed: at most the items",
        ),
        (
            {"grid": {"n_items": "infinity", "context_length": 512}},
            "from, 511 (task.redrawn_items less the target)",
        ),
        ({"model": MLP, "grid": {"n_items": [50, "infinity"]}}, "a finite K"),
        ({"model": MLP, "stop": {"when": "decided"}}, "never or memorised"),
        ({"model": MLP, "stop": {"when": "memorised", "confirmations": 1}}, "stop.c1: is missing"),
        ({"stop": {**MEMORISED}}, "stop.iwl_accuracy: is missing"),
        ({"model": MLP, "stop": {**MEMORISED, "c1": 0.5}}, "a number between 0 and 0.5"),
        (
            {"model": {"name": "two_layer"}, "evaluation": {"order_parameters": True}},
            "order_parameters: True is not allowed; allowed: false",
        ),
        (
            {"optimiser": {"hold": {"mlp": 5}}},
            "hold.mlp: 5 is not allowed; allowed: a mapping {from}",
        ),
        ({"optimiser": {"hold": {"head": {"from": 5}}}}, "optimiser.hold.head: unknown key"),
        (
            {"optimiser": {"hold": {"mlp": {}}}},
            "hold.mlp.from: is missing; allowed: an integer from",
        ),
        (
            {"optimiser": {"hold": {"mlp": {"from": -1}}}},
            "from: -1 is not allowed; allowed: an int",
        ),
        (
            {"optimiser": {"hold": {"mlp": {"from": 1.5}}}},
            "from: 1.5 is not allowed; allowed: an i",
        ),
        (
            {"optimiser": {"hold": {"mlp": {"from": 100}}}},
            "hold.mlp.from: 100 is not allowed; allowed: below the run's steps, 100",
        ),
        (
            {"optimiser": {"hold": {"mlp": {"from": 50}}}, "grid": {"steps": 50}},
            "hold.mlp.from: 50 is not allowed; allowed: below the run's steps, 50",
        ),
        (
            {"optimiser": {"hold": {"mlp": {"from": 5, "at": 0}}}},
            "hold.mlp.at: unknown key; allowed: from",
        ),
        (
            {"optimiser": {"hold": {"attention": {"from": 5, "at": 0}}}},
            "hold.attention.at: unknown key; allowed: from",
        ),
        (
            {"optimiser": {"hold": {"beta": {"from": 5}}}},
            "hold.beta: is not a key of this model; allowed: attention, mlp",
        ),
        (
            {"model": MINIMAL, "optimiser": {"hold": {"attention": {"from": 5}}}},
            "hold.attention: is not a key of this model; allowed: beta, w, mlp",
        ),
        (
            {"model": MLP, "optimiser": {"hold": {"attention": {"from": 5}}}},
            "hold.attention: is not a key of this model; allowed: mlp",
        ),
        (
            {"model": MINIMAL, "optimiser": {"hold": {"beta": {"from": 5, "at": 81}}}},
            "hold.beta.at: 81 is not allowed; allowed: a number from -80 to 80",
        ),
        (
            {"evaluation": {"substitutions": "vote"}},
            "substitutions: 'vote' is not allowed; allowed: a list of uniform and vote",
        ),
        (
            {"evaluation": {"substitutions": ["votes"]}},
            "substitutions[0]: 'votes' is not allowed; allowed: a list of uniform and vote",
        ),
        (
            {"evaluation": {"substitutions": ["vote", "vote"]}},
            "substitutions: ['vote', 'vote'] is not allowed; allowed: a list of uniform and vote",
        ),
        *(
            (
                {"model": model, "evaluation": {"substitutions": ["vote"]}},
                "substitutions: ['vote'] is not allowed; allowed: [] (this model has none)",
            )
            for model in (MINIMAL, MLP, {"name": "two_layer"}, {"name": "chain"})
        ),
        (
            {"block_size": 1000, "seeds": {"first": 0, "count": 1000}, "grid": {"n_items": 10**6}},
            "a job of 1000 replicates at N = 8, K = 1000000 would need about",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_run(sources, settings, expected):
    message = refused(sources, **settings)
    assert expected in message
    assert "experiments.test" in message


def test_the_memory_limit_can_be_set(sources):
    """The estimate is of a block: what is refused as one job may run as two."""
    assert checked(sources)
    message = refused(sources, {"memory_limit_mb": 500})
    assert "allowed: memory_limit_mb, 500. Lower block_size" in message
    limit = {"memory_limit_mb": 4000}
    large = {"seeds": {"first": 0, "count": 64}, "grid": {"n_items": 100_000}}
    assert "64 replicates" in refused(sources, limit, **large, block_size=64)
    assert len(checked(sources, limit, **large, block_size=8)) == 8


def test_another_model_does_not_inherit_foreign_keys(sources):
    job = checked(sources, model=MINIMAL, optimiser={"weight_decay": {"w": 0.001}})[0]
    assert job.model.attend_to is None
    assert job.model.hidden_dim == 128
    assert job.optimiser.weight_decay.w == 0.001
    entry = {"model": {"name": "one_layer", "attend_to": "context", "layernorm_affine": False}}
    settings = {"model": MINIMAL, "optimiser": {"weight_decay": {"w": 0.001}}}
    back = checked(sources, grid=entry, **settings)[0]
    assert back.model.initial_w is None
    assert back.optimiser.weight_decay.w is None
