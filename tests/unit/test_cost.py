"""A job's estimated cost grows with what it should."""

from dataclasses import replace

import pytest
from icl.cost import cost
from test_config import job
from test_models import CASES, make_job


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
