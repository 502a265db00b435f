"""Grids expand to jobs, and a job's identity holds what determines its numbers and nothing else."""

import copy
import dataclasses
import re
from math import inf
from pathlib import Path

import pytest
from example_jobs import DEFAULTS, experiment, job
from icl.experiment import grid
from icl.experiment.validation import load_yaml
from icl.job import (
    NUMERICS_VERSION,
    ConfigError,
    Evaluation,
    Normal,
    WeightDecay,
    build,
    job_from_identity,
)

CONFIG = Path(__file__).parents[2] / "config"


def test_a_grid_expands_to_blocks_of_seeds():
    jobs = grid.expand(DEFAULTS, experiment({"context_length": [4, 8], "n_items": [16, 32]}))
    assert len(jobs) == 8
    assert {(job.context_length, job.n_items) for job in jobs} == {
        (4, 16),
        (4, 32),
        (8, 16),
        (8, 32),
    }
    assert {job.seeds for job in jobs} == {(0, 1), (2, 3)}


def test_k_grids_may_differ_with_n():
    jobs = grid.expand(
        DEFAULTS,
        experiment(
            {"context_length": 4, "n_items": [16]},
            {"context_length": 8, "n_items": "infinity", "steps": 50},
        ),
    )
    assert {(job.context_length, job.n_items, job.steps) for job in jobs} == {
        (4, 16, 100),
        (8, inf, 50),
    }


def test_ranges():
    linear = {"from": 500, "to": 100000, "count": 3, "spacing": "linear"}
    logarithmic = {"from": 10, "to": 1000, "count": 3, "spacing": "logarithmic"}
    assert grid.expand_items([linear, 7]) == [500, 50250, 100000, 7]
    assert grid.expand_items(logarithmic) == [10, 100, 1000]
    assert grid.expand_items("infinity") == [inf]


def test_a_partial_last_block():
    jobs = grid.expand(
        DEFAULTS,
        experiment({"context_length": 4, "n_items": 16}, seeds={"first": 5, "count": 3}),
    )
    assert [job.seeds for job in jobs] == [(5, 6), (7,)]


def test_grid_entry_wins_over_experiment_over_defaults():
    entries = grid.resolve(
        DEFAULTS,
        experiment(
            {"context_length": 4, "n_items": 16, "evaluation": {"every": 5}},
            {"context_length": 8, "n_items": 16},
            evaluation={"every": 20},
        ),
    )
    assert [entry["evaluation"]["every"] for entry in entries] == [5, 20]
    assert entries[0]["evaluation"]["novel_items"] == 64


@pytest.mark.parametrize(
    "settings",
    [
        {"steps": 101},
        {"optimiser": {"learning_rate": 0.2}},
        {"optimiser": {"weight_decay": {"mlp": 0.1}}},
        {"model": {"attend_to": "context_and_self"}},
        {"evaluation": {"every": 20}},
        {"seeds": {"first": 1}},
        {"block_size": 3},
        {"stop": {"when": "acquired", "icl_accuracy": 0.95, "confirmations": 2}},
    ],
)
def test_what_changes_the_numbers_changes_the_name(settings):
    assert job(**settings).name != job().name


def test_what_has_no_effect_keeps_the_name():
    assert job(description="other words").name == job().name
    assert job(stop={"icl_accuracy": 0.9}).name == job().name
    assert job(evaluation={"per_decade": 3}).name == job().name
    assert job(seeds={"count": 2}).name == job().name  # the first block stays


def test_numerics_version_is_part_of_the_name(monkeypatch):
    before = job().name
    monkeypatch.setattr("icl.job.NUMERICS_VERSION", NUMERICS_VERSION + 1)
    assert job().name != before


def test_identity_round_trip():
    original = job()
    identity = copy.deepcopy(original.identity())
    assert job_from_identity(identity) == original
    with pytest.raises(ConfigError, match="numerics"):
        job_from_identity({**identity, "numerics": -1})


def test_name_holds_what_a_reader_looks_for():
    assert re.fullmatch("N4_K16_seeds0-1_[0-9a-f]{12}", job().name)
    infinite = dataclasses.replace(job(), n_items=inf)
    assert infinite.name.startswith("N4_Kinf_")


def schedule(**settings):
    return build(Evaluation, {**DEFAULTS["evaluation"], "per_decade": None, **settings})


def test_linear_schedule_holds_first_and_last_step():
    assert schedule(every=30).at(100) == (0, 30, 60, 90, 100)
    assert schedule(every=50).at(100) == (0, 50, 100)


def test_geometric_schedule_is_even_in_log_steps():
    at = schedule(schedule="geometric", every=10, per_decade=2).at(1000)
    assert at == (0, 10, 32, 100, 316, 1000)


def test_the_minimal_model_of_the_extended_size_is_the_study_s_on_other_seeds():
    jobs, seeds = {}, {}
    for size in ("study", "extended"):
        preset = load_yaml(CONFIG / f"{size}.yaml")
        own = {n: e for n, e in preset["experiments"].items() if n.startswith("minimal")}
        listed = [(n, job) for n, e in own.items() for job in grid.expand(preset["defaults"], e)]
        seeds[size] = {seed for _, job in listed for seed in job.seeds}
        # These two are the transformer's.
        jobs[size] = [
            (
                name,
                dataclasses.replace(
                    job,
                    seeds=(),
                    model=dataclasses.replace(
                        job.model, attend_to="context", layernorm_affine=False
                    ),
                ),
            )
            for name, job in listed
        ]
    assert jobs["study"] == jobs["extended"]
    assert len({name for name, _ in jobs["study"]}) == 9
    assert not seeds["study"] & seeds["extended"]


def test_no_other_size_has_the_demo_s_seeds():
    seeds = {}
    for path in CONFIG.glob("*.yaml"):
        preset = load_yaml(path)
        for entry in preset.get("experiments", {}).values() if "preset" in preset else ():
            jobs = grid.expand(preset["defaults"], entry)
            seeds.setdefault(path.stem, set()).update(*(job.seeds for job in jobs))
    demo = seeds.pop("demo")
    assert demo == set(range(70000, 70008))
    assert len(seeds) >= 6
    assert not demo & set().union(*seeds.values())


@pytest.mark.parametrize("experiment", ["acquisition", "minimal_acquisition"])
def test_other_copies_of_the_target_are_as_few_at_every_n(experiment):
    """Where t_ICL is fitted against N, K = infinity redraws 64 N items."""
    preset = load_yaml(CONFIG / "laptop.yaml")
    for listed in grid.expand(preset["defaults"], preset["experiments"][experiment]):
        assert listed.task.redrawn_items == 64 * listed.context_length


def test_merge_replaces_lists_and_merges_mappings():
    assert grid.merge({"a": {"b": 1, "c": [1, 2]}}, {"a": {"c": [3]}}) == {"a": {"b": 1, "c": [3]}}


MINIMAL = {
    "name": "minimal",
    "initial_beta": {"mean": 0.0, "sd": 0.5},
    "initial_w": {"mean": 0.0, "sd": 0.0},
}
ALONE = {"name": "mlp", "mlp_input": "raw"}


def test_a_model_s_scalars_are_part_of_the_name():
    assert job(model=MINIMAL).model.initial_beta == Normal(0.0, 0.5)
    other = {**MINIMAL, "initial_w": {"mean": 0.1, "sd": 0.0}}
    assert job(model=MINIMAL).name != job(model=other).name
    identity = job(model=MINIMAL).identity()
    assert job_from_identity(identity) == job(model=MINIMAL)


@pytest.mark.parametrize(
    "task",
    [
        {"context_labels": "balanced"},
        {"zipf_exponent": 1.0},
        {"item_labels": "balanced"},
        {"copies": 2},
        {"label_noise": 0.1},
    ],
)
def test_the_task_is_part_of_the_name(task):
    assert job(task=task).name != job().name


def test_a_setting_at_its_default_keeps_the_names_of_older_jobs():
    defaults = {"context_labels": "random", "zipf_exponent": 0.0, "redraw": "step"}
    defaults |= {"copies": 1, "label_noise": 0}
    assert job(task=defaults, evaluation={"order_parameters": False}).name == job().name
    assert "redraw" not in job().identity()["task"]
    # The name of this job before models other than the one-layer transformer existed.
    assert job().name == "N4_K16_seeds0-1_2c55bb1595d1"


def test_how_to_redraw_matters_at_infinite_k_alone():
    assert job(task={"redraw": "sequence"}).name == job().name
    entry = {"context_length": 4, "n_items": "infinity"}
    step, sequence = (
        grid.expand(DEFAULTS, experiment(entry, task={"redraw": redraw}))[0]
        for redraw in ("step", "sequence")
    )
    assert step.name != sequence.name


def test_the_mlp_alone_is_named_by_what_it_uses():
    name = job(model=ALONE).name
    assert job(model=ALONE, evaluation={"novel_items": 99}).name == name
    assert job(model=ALONE, optimiser={"weight_decay": {"attention": 0.1}}).name == name
    assert job(model=ALONE, optimiser={"weight_decay": {"mlp": 0.1}}).name != name


def test_decay_of_the_minimal_model_s_scalars():
    decay = WeightDecay(attention=0.5, mlp=0.25, w=0.125)
    assert [decay.of(group) for group in ("attention", "beta", "w", "mlp")] == [
        0.5,
        0.5,
        0.125,
        0.25,
    ]
