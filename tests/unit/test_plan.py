"""The plan adds up what its jobs take, and says what is estimated."""

from dataclasses import replace

import pytest
from example_jobs import job
from icl.experiment.cost import Card, cost, together
from icl.job import Evaluation, EvaluationSequences
from icl.planning import plan


@pytest.fixture
def measured(monkeypatch):
    """A machine that does 1e9 operations a second, and whose jobs are counted."""
    asked = []

    def seconds(job):
        asked.append(job)
        return cost(job).operations / plan.replicate_steps(job) / 1e9

    monkeypatch.setattr(plan, "seconds_per_replicate_step", seconds)
    return asked


def test_rows_add_up(measured):
    small, large = job(), job(model={"hidden_dim": 256})
    again = replace(small, seeds=tuple(seed + 100 for seed in small.seeds))
    (row,) = plan.rows({"transition": [small, again, large]})
    assert row.jobs == 3
    assert row.replicate_steps == 3 * len(small.seeds) * small.steps
    operations = 2 * cost(small).operations + cost(large).operations
    assert row.operations == operations
    assert row.memory_mb == cost(large).memory_mb
    assert row.core_hours == pytest.approx(operations / 1e9 / 3600)
    minutes = 2 * cost(small).gpu_minutes + cost(large).gpu_minutes
    assert row.asked_hours == pytest.approx(minutes / 60)
    seconds = 2 * cost(small).gpu_seconds + cost(large).gpu_seconds
    assert row.gpu_hours == pytest.approx(seconds / 3600)
    assert measured == [small, large]  # the ends alone are measured


def test_jobs_put_together_are_one_and_take_a_card_less_time(measured):
    jobs = [
        replace(job(), n_items=k, seeds=(1, 2, 3, 4), steps=k // 100)
        for k in (10_000, 20_000, 30_000)
    ]
    (apart,), (row,), (pairs,) = (plan.rows({"transition": jobs}, most) for most in (None, 12, 8))
    assert [apart.jobs, row.jobs, pairs.jobs] == [3, 1, 2]
    assert row.gpu_hours < pairs.gpu_hours < apart.gpu_hours
    assert row.gpu_hours > max(cost(each).gpu_seconds for each in jobs) / 3600
    assert row.asked_hours < apart.asked_hours
    assert row.memory_mb > apart.memory_mb
    assert row.replicate_steps == apart.replicate_steps
    assert row.operations == apart.operations


def test_jobs_put_together_evaluate_each_by_itself():
    jobs = [replace(job(), seeds=(seed,)) for seed in range(3)]
    whole, apart = together(jobs), cost(replace(jobs[0], seeds=(0, 1, 2)))
    evaluating = Card().evaluating(jobs[0])
    assert evaluating > 0
    assert whole.gpu_seconds == pytest.approx(apart.gpu_seconds + 2 * evaluating)
    assert whole.minutes > apart.minutes / 2
    assert together(jobs[:1]) == cost(jobs[0])


def test_the_time_of_jobs_between_is_interpolated(measured):
    jobs = [job(model={"hidden_dim": d}) for d in (32, 64, 256)]
    operations = sum(cost(each).operations for each in jobs)
    assert plan.core_hours(jobs) == pytest.approx(operations / 1e9 / 3600)
    assert len(measured) == 2


def test_disk_grows_with_what_is_recorded():
    base = job()
    more = replace(base, evaluation=Evaluation("linear", 1, None, EvaluationSequences(8, 8, 8), 16))
    assert plan.disk_bytes(more) > plan.disk_bytes(base) > 0


def test_the_table_marks_the_estimate(measured):
    planned = plan.rows({"a": [job()], "b": [job(steps=200)]})
    text = plan.table("laptop", planned, 2)
    assert "estimated for an NVIDIA H200" in text
    total = next(line for line in text.splitlines() if line.startswith("all"))
    assert total.split()[1] == "2"
    assert f"{sum(row.core_hours for row in planned):,.2f}" in total


def test_a_rate_is_measured():
    assert 0 < plan.seconds_per_replicate_step(job()) < 10
