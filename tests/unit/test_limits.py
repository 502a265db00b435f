"""Each limit lets its last value through, and refuses the next."""

from dataclasses import replace
from math import inf

import example_jobs
import pytest
from icl.experiment import limits
from icl.experiment.cost import cost


def faults_of_grid(n_items, context_length=8, count=2, block_size=2):
    entry = {
        "n_items": n_items,
        "context_length": context_length,
        "seeds": {"first": 0, "count": count},
        "block_size": block_size,
    }
    return list(limits.grid_faults(entry, ("grid",)))


ENTRY = {
    "evaluation": {"schedule": "linear", "every": 1},
    "steps": 1,
    "task": {},
    "optimiser": {},
    "n_items": 100,
}


def faults_of_schedule(every, steps, **evaluation):
    evaluation = {"schedule": "linear", "every": every, **evaluation}
    entry = {**ENTRY, "evaluation": evaluation, "steps": steps}
    return [(".".join(key), text) for key, text in limits.entry_faults(entry, ())]


def spread(low, high):
    return {"from": low, "to": high, "count": 4, "spacing": "linear"}


def test_a_range_of_k_ascends():
    assert not faults_of_grid(spread(9, 10))
    assert faults_of_grid([5, spread(9, 9)]) == [
        (("grid", "n_items", "to"), "9 is not allowed; allowed: above from, 9")
    ]
    assert faults_of_grid(spread(9, 5))


@pytest.mark.parametrize(
    ("settings", "jobs"),
    [
        ({"n_items": 100, "count": 20_000, "block_size": 1}, 20_000),
        ({"n_items": 100, "count": 20_001, "block_size": 1}, 20_001),
        ({"n_items": 100, "count": 40_000, "block_size": 2}, 20_000),
        ({"n_items": 100, "count": 40_001, "block_size": 2}, 20_001),
        ({"n_items": [100, 200], "count": 5_000, "context_length": [8, 16]}, 10_000),
        ({"n_items": [100, spread(9, 99)], "count": 8_000, "block_size": 1}, 40_000),
        ({"n_items": [100, 200], "context_length": [8, 9, 10], "count": 9_999}, 30_000),
    ],
    ids=str,
)
def test_jobs_are_counted_as_the_grid_expands_to_them(settings, jobs):
    found = faults_of_grid(**settings)
    assert bool(found) == (jobs > 20_000)
    assert all("too many jobs; allowed: at most 20000" in text for _, text in found)


@pytest.mark.parametrize(
    ("evaluation", "refused"),
    [
        ({"every": 100, "steps": 100}, ""),
        ({"every": 101, "steps": 100}, "at most the run's steps, 100"),
        ({"every": 2, "steps": 200_000}, ""),
        ({"every": 2, "steps": 200_002}, "at most 100000 evaluations, not 100001"),
        ({"every": 1, "steps": 200_000}, "at most 100000 evaluations, not 200000"),
        (
            {"every": 10, "steps": 10_000_000, "schedule": "geometric", "per_decade": 16_000},
            "",
        ),
        (
            {"every": 10, "steps": 10_000_000, "schedule": "geometric", "per_decade": 17_000},
            "at most 100000 evaluations, not 102000",
        ),
    ],
    ids=str,
)
def test_a_run_is_evaluated_at_most_so_often(evaluation, refused):
    found = faults_of_schedule(**evaluation)
    assert [key for key, _ in found] == (["evaluation.every"] if refused else [])
    assert all(refused in text for _, text in found)


@pytest.mark.parametrize(
    ("task", "n_items", "refused"),
    [
        ({"copies": 1, "label_noise": 0, "context_labels": "balanced"}, [100, "infinity"], []),
        ({"copies": 2, "label_noise": 0.1}, [100], []),
        ({"copies": 2}, [100, "infinity"], []),
        ({"copies": 2, "redraw": "sequence"}, [100], []),
        ({"copies": 2, "redraw": "sequence"}, "infinity", ["copies"]),
        ({"copies": 2, "context_labels": "balanced"}, [100], ["copies"]),
        ({"label_noise": 0.1}, "infinity", ["label_noise"]),
        ({"label_noise": 0.1, "context_labels": "balanced"}, [100], ["label_noise"]),
    ],
    ids=str,
)
def test_copies_and_noise_go_with_random_labels(task, n_items, refused):
    entry = {**ENTRY, "task": task, "n_items": n_items}
    assert [key[-1] for key, _ in limits.entry_faults(entry, ())] == refused


def test_copies_fit_into_a_context():
    job = a_job(5, 100, copies=5)
    assert not list(limits.job_faults([job], 64_000, ()))
    ((key, text),) = limits.job_faults([replace(job, context_length=4)], 64_000, ())
    assert key == ("task", "copies")
    assert "allowed: at most context_length, 4" in text


@pytest.mark.parametrize(
    ("task", "n_items", "count"),
    [
        ({}, [100, "infinity"], 0),
        ({"zipf_exponent": 0, "context_labels": "balanced"}, [100, "infinity"], 0),
        ({"zipf_exponent": 0.5, "context_labels": "random"}, [100], 0),
        ({"zipf_exponent": 0.5, "context_labels": "balanced"}, [100], 1),
        ({"zipf_exponent": 1}, [100, "infinity"], 1),
        ({"zipf_exponent": 1, "context_labels": "balanced"}, "infinity", 2),
    ],
    ids=str,
)
def test_zipf_goes_with_random_labels_and_a_finite_k(task, n_items, count):
    entry = {**ENTRY, "task": task, "n_items": n_items}
    found = list(limits.entry_faults(entry, ()))
    assert [key for key, _ in found] == [("task", "zipf_exponent")] * count


def a_job(context_length, n_items, **task):
    return replace(
        example_jobs.job(),
        context_length=context_length,
        n_items=n_items,
        task=replace(example_jobs.job().task, **task),
    )


@pytest.mark.parametrize(
    ("settings", "keys"),
    [
        ({"context_length": 99, "n_items": 100}, []),
        ({"context_length": 100, "n_items": 100}, ["context_length"]),
        ({"context_length": 99, "n_items": inf, "redrawn_items": 100}, []),
        ({"context_length": 100, "n_items": inf, "redrawn_items": 100}, ["context_length"]),
        ({"context_length": 8, "n_items": 64, "context_labels": "balanced"}, []),
        ({"context_length": 8, "n_items": 63, "context_labels": "balanced"}, ["n_items"]),
        ({"context_length": 9, "n_items": 64, "context_labels": "balanced"}, ["context_length"]),
        ({"context_length": 9, "n_items": 64}, []),
        (  # as many of either label there
            {
                "context_length": 8,
                "n_items": 63,
                "context_labels": "balanced",
                "item_labels": "balanced",
            },
            [],
        ),
        (
            {
                "context_length": 8,
                "n_items": inf,
                "redrawn_items": 63,
                "redraw": "step",
                "context_labels": "balanced",
            },
            ["task.redrawn_items"],
        ),
        (  # each sequence has items of its own
            {
                "context_length": 8,
                "n_items": inf,
                "redrawn_items": 63,
                "redraw": "sequence",
                "context_labels": "balanced",
            },
            [],
        ),
    ],
    ids=str,
)
def test_sequences_can_be_drawn_from_so_many_items(settings, keys):
    found = limits.job_faults([a_job(**settings)], limits.MEMORY_LIMIT_MB, ("x",))
    assert [key for key, _ in found] == [("x", key) for key in keys]


def test_a_job_may_need_what_is_there_and_no_more():
    small, large = a_job(8, 100), a_job(8, 1_000_000)
    needed = cost(large).memory_mb
    assert needed > cost(small).memory_mb
    assert not list(limits.job_faults([small, large], needed, ("x",)))
    ((key, text),) = limits.job_faults([small, large], needed - 1, ("x",))
    assert key == ("x",)
    assert (
        f"K = 1000000 would need about {needed} MB; allowed: memory_limit_mb, {needed - 1}" in text
    )
    assert not list(limits.job_faults([], 0, ("x",)))


def conditions(**changed):
    """What A.1 is drawn from, with points one apart."""
    settings = {
        "beta0_range": [-5.0, 5.0],
        "n_beta0": 11,
        "near_origin_fit": [1.0, 4.0],
        "nullcline_fit": [-5.0, -2.0],
        **changed,
    }
    return [key[-1] for key, _ in limits.theory_faults({"initial_conditions": settings})]


@pytest.mark.parametrize(
    ("changed", "keys"),
    [
        ({}, []),
        ({"near_origin_fit": [1.0, 3.9]}, ["near_origin_fit"]),
        ({"near_origin_fit": [2.0, 9.0]}, []),  # as far as there are points
        ({"near_origin_fit": [2.1, 9.0]}, ["near_origin_fit"]),
        ({"nullcline_fit": [-9.0, -2.0]}, []),
        ({"nullcline_fit": [-9.0, -2.1]}, ["nullcline_fit"]),
        ({"nullcline_fit": [-2.0, -2.0]}, ["nullcline_fit"] * 2),
        ({"beta0_range": [5.0, -5.0]}, ["beta0_range"]),
        ({"beta0_range": [5.0, 5.0]}, ["beta0_range"]),
        ({"n_beta0": 6}, ["near_origin_fit", "nullcline_fit"]),
        ({"n_beta0": 6, "near_origin_fit": [-1.0, 5.0], "nullcline_fit": [-5.0, 1.0]}, []),
    ],
    ids=str,
)
def test_a_line_is_fitted_to_three_points_or_more(changed, keys):
    assert conditions(**changed) == keys


@pytest.mark.parametrize(
    ("rate", "mlp_rate", "named"),
    [
        (0.03, 0.03, []),
        (0.031, 0.001, ["optimiser.learning_rate"]),
        (0.001, 0.1, ["optimiser.mlp_learning_rate"]),
    ],
)
def test_adam_does_not_take_sgds_rate(rate, mlp_rate, named):
    optimiser = {"method": "adam", "learning_rate": rate, "mlp_learning_rate": mlp_rate}
    found = list(limits.entry_faults({**ENTRY, "optimiser": optimiser}, ()))
    assert [".".join(key) for key, _ in found] == named
    assert all("allowed: at most 0.03, where method is adam" in text for _, text in found)
    assert not list(limits.entry_faults({**ENTRY, "optimiser": {**optimiser, "method": "sgd"}}, ()))


@pytest.mark.parametrize(("step", "count"), [(0, 0), (9, 0), (10, 1)])
def test_a_hold_begins_before_the_last_step(step, count):
    hold = {"attention": {"from": 0}, "mlp": {"from": step}}
    entry = {**ENTRY, "steps": 10, "optimiser": {"hold": hold}}
    found = [(".".join(key), text) for key, text in limits.entry_faults(entry, ())]
    text = "10 is not allowed; allowed: below the run's steps, 10"
    assert found == [("optimiser.hold.mlp.from", text)] * count
