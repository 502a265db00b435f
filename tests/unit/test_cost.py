"""A job's estimated cost grows with what it should."""

import json
from dataclasses import replace
from math import inf

import pytest
import torch
import xarray as xr
from checkout import ROOT
from example_jobs import CASES, job, make_job
from icl.experiment.batches import batches
from icl.experiment.cost import cost, largest, together
from icl.experiment.validation import Sources, check
from icl.job import Job, Model
from icl.models import MODELS
from icl.models.loading import network


def test_one_layer():
    base = cost(job())
    assert cost(job(steps=200)).operations == 2 * base.operations
    assert cost(job(model={"hidden_dim": 2048})).memory_mb > base.memory_mb
    assert cost(job(steps=10**7)).minutes > base.minutes


def test_what_is_held_is_there_twice():
    wide = job(model={"hidden_dim": 2048})
    held = job(model={"hidden_dim": 2048}, optimiser={"hold": {"mlp": {"from": 3}}})
    weights = 2 * 2048**2  # of two replicates, nearly
    assert cost(held).memory_mb - cost(wide).memory_mb == pytest.approx(4e-6 * weights, rel=0.1)


def test_adam_holds_moments_a_copy_and_a_gradient():
    sgd, adam = (
        job(model={"hidden_dim": 2048}, optimiser={"method": method, "learning_rate": 0.001})
        for method in ("sgd", "adam")
    )
    weights = 2 * 2048**2  # of two replicates, nearly
    assert cost(adam).memory_mb - cost(sgd).memory_mb == pytest.approx(16e-6 * weights, rel=0.1)


@pytest.mark.parametrize("case", CASES)
def test_a_models_size_counts_its_weights(case):
    """All but biases and what is of one number."""
    small = make_job(case)
    parameters = network(small.model.name).initialise(torch.tensor([0]), small.model)
    matrices = sum(p[0].numel() for p in parameters.values() if p.ndim == 3)
    counted = MODELS[small.model.name].size(small).weights
    assert matrices <= counted <= 1.3 * matrices


@pytest.mark.parametrize("case", CASES)
def test_every_model(case):
    small = make_job(case)
    assert cost(replace(small, steps=40)).operations == 2 * cost(small).operations
    assert cost(replace(small, n_items=10**6)).memory_mb > cost(small).memory_mb
    assert cost(replace(small, seeds=tuple(range(5000)))).memory_mb > cost(small).memory_mb


def test_two_layers_are_quadratic_in_the_context():
    short, long = (make_job("two_layer-context-plain", (5, 16, n, 9000, 8, 1)) for n in (50, 5000))
    assert cost(long).operations > 1000 * cost(short).operations


def test_the_largest_of_several_jobs():
    """What an array of jobs asks for: each number the largest of any job's."""
    long, wide = job(steps=10**8), job(model={"hidden_dim": 4096})
    asked = largest([long, wide])
    assert asked.minutes == cost(long).minutes > cost(wide).minutes
    assert asked.memory_mb == cost(wide).memory_mb > cost(long).memory_mb
    assert asked.gpu_minutes == cost(long).gpu_minutes > cost(wide).gpu_minutes


def test_a_gpu_s_libraries_take_memory_of_the_host():
    asked = cost(job())
    assert asked.memory(1, "cpu") == asked.memory(1, None) == asked.memory_mb
    assert asked.memory(2, "cuda") == 2 * (asked.memory_mb + 3_000)


def test_a_gpu_is_asked_for_less_time_than_a_core():
    large = job(steps=10**6, model={"hidden_dim": 2048}, optimiser={"batch_size": 4096})
    assert cost(large).gpu_minutes < cost(large).minutes


CARD = json.loads((ROOT / "benchmarks/card.json").read_text(encoding="utf-8"))
RATES = [name for name in CARD["rates"] if name.endswith("engine")]


def measured_job(name):
    """The job of a rate of card.json, as "N=99, K=infinity, d=512, R=11, engine" names it."""
    said = dict(part.split("=") for part in name.split(", ") if "=" in part)
    sizes = (63, int(said["d"]), int(said["N"]), 10_000, 128, int(said["R"]))
    made = make_job(
        "minimal", sizes, model=Model("one_layer", 63, int(said["d"]), "context", False)
    )
    made = replace(made, steps=1000, task=replace(made.task, redrawn_items=8192))
    return replace(made, n_items=inf) if "K" in said else made


@pytest.mark.parametrize("name", RATES)
def test_the_estimate_of_a_gpu_is_what_was_measured(name):
    """Of steps alone: evaluations are rare in a measurement."""
    made = measured_job(name)
    never = replace(made, evaluation=replace(made.evaluation, every=made.steps))
    estimated = cost(never).gpu_seconds / made.steps
    assert estimated == pytest.approx(CARD["rates"][name]["microseconds"] * 1e-6, rel=0.2)


def test_the_estimate_of_whole_jobs_is_what_they_took():
    """Those of the paper's t_ICL that a card has trained: until the last of 26 seeds stopped."""
    with xr.open_dataset(ROOT / "docs/gallery/paper/collected/acquisition.nc") as runs:
        jobs, took = (json.loads(runs.attrs[key]) for key in ("jobs", "provenance"))
        for identity, facts in zip(jobs, took, strict=True):
            whole = Job.from_identity(identity)
            steps = runs["stop_step"].values[runs["context_length"] == whole.context_length]
            # Replicates leave one after another: what the mean of them takes, to the last step.
            seeds = whole.seeds[: round(steps.sum() / steps.max())]
            ended = replace(whole, seeds=seeds, steps=int(steps.max()))
            assert cost(ended).gpu_seconds == pytest.approx(facts["wall_seconds"], rel=0.25)


def test_the_docs_say_what_the_estimate_gives_for_the_paper_s_size():
    sources = Sources.of_size([ROOT / "config/paper.yaml"])
    named = [{job.name: job for job in jobs} for jobs in check(sources.merged(), sources).values()]

    def hours(most):
        found = (
            together(jobs[name] for name in batch)
            for jobs in named
            for batch in batches(jobs, most)
        )
        return f"{sum(each.gpu_seconds for each in found) / 3600:.0f}"

    performance = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    cluster = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    assert f"the paper's size takes {hours(None)} hours on one card" in performance
    assert f"With `replicates_per_job=128` it takes {hours(128)}:" in performance
    assert f"says {hours(None)} hours" in cluster
    assert f"{hours(128)} with `--config replicates_per_job=128`" in cluster
