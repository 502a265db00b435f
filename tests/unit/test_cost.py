"""A job's estimated cost grows with what it should."""

from dataclasses import replace

import pytest
from example_jobs import CASES, job, make_job
from icl.experiment.cost import cost, largest


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


def test_a_gpu_s_libraries_take_memory_of_the_host():
    asked = cost(job())
    assert asked.memory(1, "cpu") == asked.memory(1, None) == asked.memory_mb
    assert asked.memory(2, "cuda") == 2 * (asked.memory_mb + 3_000)


def test_a_gpu_is_asked_for_less_time_than_a_core():
    large = job(steps=10**6, model={"hidden_dim": 2048}, optimiser={"batch_size": 4096})
    assert cost(large).gpu_minutes < cost(large).minutes
