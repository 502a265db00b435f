"""A job's estimated cost grows with what it should."""

from dataclasses import replace
from math import inf

import pytest
from example_jobs import CASES, job, make_job
from icl.experiment.cost import cost, largest
from icl.planning import gpu


def test_one_layer():
    base = cost(job())
    assert cost(job(steps=200)).operations == 2 * base.operations
    assert cost(job(model={"hidden_dim": 2048})).memory_mb > base.memory_mb
    assert cost(job(steps=10**7)).minutes > base.minutes


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


@pytest.mark.parametrize("n_items", [1000, inf])
def test_kernels_are_those_that_a_step_launches(n_items, monkeypatch):
    """What a scheduler is asked for is reckoned without torch; `gpu.demand` counts."""
    block = replace(job(task={"redrawn_items": 8192}), n_items=n_items, seeds=tuple(range(30)))
    counted = gpu.demand(block)
    launched = counted.kernels + 30 * counted.kernels_per_replicate
    monkeypatch.setattr("icl.experiment.cost.SLOWEST_GPU_OPERATIONS_PER_MINUTE", float("inf"))
    monkeypatch.setattr("icl.experiment.cost.GPU_MINUTES_PER_KERNEL", 1.0)
    asked = (cost(block).gpu_minutes - 10) / block.steps
    assert launched <= asked < 1.5 * launched


def test_a_gpu_is_asked_for_less_time_than_a_core():
    large = job(steps=10**6, model={"hidden_dim": 2048}, optimiser={"batch_size": 4096})
    assert cost(large).gpu_minutes < cost(large).minutes
