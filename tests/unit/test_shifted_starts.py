"""Beta moved before the first step: what it moves, and what is measured of it."""

from dataclasses import replace

import example_jobs
import numpy as np
import pytest
import synthetic
import synthetic_outcomes
import torch
import xarray as xr
from committed import BEYOND
from drawing import points, texts
from icl import claims, measurements
from icl.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from icl.engine import training
from icl.figures import figB6
from icl.measurements import shifted_starts
from icl.models.one_layer import network
from icl.record import StopReason
from icl.verdicts import Estimate

SHIFTS = (-1.0, 0.0, 1.0)  # of beta0
OVERLAP = 60.0
NU = synthetic_outcomes.NU
CPU = torch.device("cpu")


def with_shift(shift, **settings):
    job = example_jobs.job(**settings)
    return replace(job, model=replace(job.model, beta_shift=shift))


@pytest.mark.parametrize("affine", [False, True])
def test_beta_moves_by_the_shift_and_nothing_else_does(affine):
    """By a float64 transcription: the mean of the diagonal of K^T Q on items."""
    job = example_jobs.job(model={"layernorm_affine": affine})
    dim = job.model.item_dim
    plain = training.Ensemble(job, CPU).parameters
    moved = training.Ensemble(with_shift(0.7, model={"layernorm_affine": affine}), CPU).parameters
    for replicate in range(len(job.seeds)):
        betas = []
        for found in (plain, moved):
            key, query = (found[name][replicate].double().numpy() for name in ("key", "query"))
            product = sum(np.outer(key[row], query[row]) for row in range(dim + 2))
            betas.append(np.mean([product[i, i] for i in range(dim)]))
        assert betas[1] - betas[0] == pytest.approx(0.7, rel=1e-5)
        change = (moved["query"] - plain["query"])[replicate] / plain["key"][replicate]
        assert torch.allclose(change, change.mean().expand_as(change), rtol=1e-3)
    assert set(plain) == set(moved)
    assert all(torch.equal(plain[name], moved[name]) for name in plain if name != "query")


def test_the_change_is_of_the_identity_and_noise_that_is_small_in_each_element():
    """So that it moves the score of the target's own item, and others by little."""
    job = example_jobs.job(model={"item_dim": 400, "hidden_dim": 4})
    parameters = network.initialise(torch.arange(1), job.model)
    moved = network.shifted(parameters, replace(job.model, beta_shift=1.0))
    change = (parameters["key"].mT @ (moved["query"] - parameters["query"]))[0, :400, :400]
    rest = change - torch.eye(400)
    assert rest.abs().max() < 0.35
    assert rest.square().mean() < 2 / 400


def test_a_shift_is_part_of_a_job_and_none_leaves_its_name():
    plain = example_jobs.job()
    assert with_shift(0.0).name == plain.name
    assert with_shift(0.1).name != plain.name
    assert "beta_shift" not in plain.identity()["model"]


def made_up(slope=-1.0, exponent=None, lengths=(16, 32, 64), seeds=24, marker=0.0, draw=0):
    """Runs whose log t_ICL has that slope on the shift, and on beta0 as it starts `marker` more."""
    generator = np.random.default_rng(draw)
    start = 0.3 * generator.standard_normal(seeds)
    shift, n, seed, log_t = [], [], [], []
    for length in lengths:
        own = np.log(12.0 * length) + 0.2 * generator.standard_normal(seeds)
        for moved in SHIFTS:
            shift += [moved / OVERLAP] * seeds
            n += [length] * seeds
            seed += list(range(seeds))
            noise = 0.05 * generator.standard_normal(seeds)
            log_t += list(own + slope * moved + (slope + marker) * start + noise)
    step = np.unique(np.geomspace(1, 400_000, 400).astype(int))
    accuracy = np.where(step * synthetic.RATE < np.exp(log_t)[:, None], 0.55, 1.0)
    settings = {"beta_shift": np.array(shift)}
    acquisition = synthetic.dataset(
        "shifted_starts", n, np.full(len(n), np.inf), seed, accuracy, accuracy, step,
        settings=settings,
    )  # fmt: skip
    initial = synthetic_outcomes.initial_beta(
        np.concatenate([start + moved for moved in SHIFTS]), overlap=OVERLAP
    )
    initial = initial.assign_coords(
        seed=("run", np.tile(np.arange(seeds), len(SHIFTS))),
        beta_shift=("run", np.repeat(SHIFTS, seeds) / OVERLAP),
    )
    return {
        "acquisition": acquisition,
        "initial_beta": initial,
        "near_threshold": near(slope / NU if exponent is None else exponent, seeds, generator),
        "memorisation": synthetic_outcomes.memorisation(nu=NU),
    }


def near(exponent, seeds, generator):
    """Runs at N = 32 whose K* goes as e^(exponent beta0)."""
    shift, n_items, acquires = [], [], []
    for moved in SHIFTS:
        middle = 700 * np.exp(exponent * moved)
        limit = np.log10(middle) + 0.1 * generator.standard_normal(seeds)
        for k in np.round(middle * 1.45 ** (np.arange(6) - 2.5)):
            shift += [moved / OVERLAP] * seeds
            n_items += [k] * seeds
            acquires += list(np.log10(k) > limit)
    return synthetic_outcomes.outcomes(
        "shifted_thresholds",
        np.full(len(shift), 32),
        n_items,
        np.tile(np.arange(seeds), len(shift) // seeds),
        np.array(acquires),
        generator=generator,
        settings={"beta_shift": np.array(shift)},
    )


def judged(data, name):
    return claims.evaluate(BEYOND[name], name, data, "beyond")


@pytest.mark.parametrize(
    ("world", "causes", "moves", "exponent"),
    [
        pytest.param({}, REPRODUCED, REPRODUCED, REPRODUCED, id="the theory's"),
        pytest.param(
            {"slope": 0.0, "marker": -1.0},
            NOT_REPRODUCED,
            NOT_REPRODUCED,
            REPRODUCED,  # neither moves
            id="beta0 only goes with what decides",
        ),
        # Its K* leave the range of nu, so that nothing compares with it.
        pytest.param({"slope": -2.0}, NOT_REPRODUCED, REPRODUCED, UNDECIDED, id="twice as steep"),
        # K* follows beta0, and t_ICL does not: no race.
        pytest.param(
            {"slope": 0.0, "exponent": -1.4},
            NOT_REPRODUCED,
            REPRODUCED,
            NOT_REPRODUCED,
            id="no race",
        ),
        pytest.param({"exponent": 0.0}, REPRODUCED, NOT_REPRODUCED, NOT_REPRODUCED, id="capacity"),
        pytest.param({"exponent": -0.7}, REPRODUCED, REPRODUCED, NOT_REPRODUCED, id="half a race"),
    ],
)
def test_rivals_are_told_apart(world, causes, moves, exponent):
    data = made_up(**world)
    assert judged(data, "start_causes").verdict == causes
    assert judged(data, "start_moves_threshold").verdict == moves
    assert judged(data, "start_exponent").verdict == exponent


def test_one_n_at_which_it_fails_refuses_the_claim():
    data, other = made_up(lengths=(16, 32)), made_up(slope=-0.4, lengths=(64,))
    runs = xr.concat([data["acquisition"], other["acquisition"]], "run", combine_attrs="override")
    found = judged({**data, "acquisition": runs}, "start_causes")
    assert found.verdict == NOT_REPRODUCED
    assert found.estimate("greatest_slope").value == pytest.approx(-0.4, abs=0.05)


def test_numbers_are_those_put_in():
    found = shifted_starts.shifted_start(made_up(), BEYOND["start_causes"]["options"])
    assert set(found.estimates) == set(measurements.declared()["shifted_start"].quantities)
    assert found.estimates["least_slope"].value == pytest.approx(-1, abs=0.04)
    race = found.estimates["race"]
    assert race.value == pytest.approx(-1 / NU, abs=0.05)
    assert race.value - 0.1 < race.low < race.value < race.high < race.value + 0.1
    line = found.details["predicted_line"]
    assert line["exponent"] == race.value
    assert found.replicates == 3 * 24 * 3 + 3 * 24 * 6
    assert found.diverged == 0
    assert found.estimates["exponent"].value == pytest.approx(-1 / NU, abs=0.1)
    assert [row["N"] for row in found.details["by_length"]] == [16, 32, 64]


def test_the_race_is_that_of_the_thresholds_n():
    """N = 16 has another slope, which has no part in it; a diverged run has none in anything."""
    data, other = made_up(lengths=(32, 64)), made_up(slope=-0.6, lengths=(16,))
    runs = xr.concat([data["acquisition"], other["acquisition"]], "run", combine_attrs="override")
    near = data["near_threshold"]
    reason = near["stop_reason"].copy()
    reason[0] = StopReason.DIVERGED
    roles = {**data, "acquisition": runs, "near_threshold": near.assign(stop_reason=reason)}
    found = shifted_starts.shifted_start(roles, BEYOND["start_causes"]["options"])
    assert found.details["by_length"][0]["slope"] == pytest.approx(-0.6, abs=0.04)
    assert found.estimates["race"].value == pytest.approx(-1 / NU, abs=0.05)
    assert found.diverged == 1


@pytest.mark.parametrize(("slope", "ends"), [(-1.0, (-2.2, -1.8)), (0.0, (-0.2, 0.2))])
def test_the_interval_of_a_race_holds_either_error(slope, ends):
    """Of the slope alone; nu's adds to it, as independent errors do."""
    own = Estimate(slope, slope - 0.1, slope + 0.1)
    sharp = shifted_starts._over(own, Estimate(0.5, 0.5, 0.5))
    assert (sharp.low, sharp.high) == pytest.approx(ends)
    blunt = shifted_starts._over(own, Estimate(0.5, 0.45, 0.55))
    reach = np.hypot(0.2, 2 * abs(slope) * 0.1)
    assert (blunt.value - blunt.low, blunt.high - blunt.value) == pytest.approx((reach, reach))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda runs: runs.assign(stop_reason=runs["stop_reason"] + 1), "ended by a stop rule"),
        (lambda runs: runs.assign_coords(context_length=runs["seed"]), "compared at one"),
        (lambda runs: runs.where(runs["beta_shift"] <= 0, drop=True), "fewer than three shifts"),
        (lambda runs: runs.isel(run=runs["seed"].values < 7), "beta_shift = -0.0166667, K = "),
    ],
)
def test_runs_near_k_star_that_cannot_say_it_leave_those_claims_undecided(spoil, said):
    data = made_up()
    near = spoil(data["near_threshold"])
    near["stop_reason"] = near["stop_reason"].astype(np.int8)
    for name in ("start_moves_threshold", "start_exponent"):
        found = judged({**data, "near_threshold": near}, name)
        assert found.verdict == UNDECIDED
        assert said in found.reason
    alone = {role: data[role] for role in BEYOND["start_causes"]["experiments"]}
    assert judged(alone, "start_causes").verdict == REPRODUCED


def test_a_slope_over_seeds_is_not_that_of_the_shift():
    """Of seeds whose beta0 goes with something else, the two differ, and both are given."""
    found = shifted_starts.shifted_start(made_up(marker=0.5), BEYOND["start_causes"]["options"])
    row = found.details["by_length"][0]
    assert row["slope"] == pytest.approx(-1, abs=0.04)
    assert row["seen"] == pytest.approx(-0.5, abs=0.3)


def test_few_runs_that_never_acquire_count_with_their_end():
    """The slope of such a seed is less steep then, and so is the mean: never steeper."""
    data = made_up()
    runs = data["acquisition"]
    slow = (runs["beta_shift"] < 0) & (runs["context_length"] == 64) & (runs["seed"] == 0)
    assert slow.sum() == 1
    step = runs["step"].values[0]
    (steps_needed,) = step[(runs["icl_accuracy"].values[slow.values] > 0.95).argmax(axis=1)]
    cut = runs.assign(
        icl_accuracy=runs["icl_accuracy"].where(~(slow & (runs["step"] >= steps_needed)))
    )
    options = BEYOND["start_causes"]["options"]
    found = shifted_starts.shifted_start({**data, "acquisition": cut}, options)
    whole = shifted_starts.shifted_start(data, options)
    assert found.censored == 1
    rows, before = found.details["by_length"], whole.details["by_length"]
    assert rows[2]["slope"] == pytest.approx(before[2]["slope"], abs=0.01)
    assert rows[2]["slope"] >= before[2]["slope"]
    assert rows[0]["slope"] == before[0]["slope"]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda runs: runs.isel(run=slice(1, None)), "not every seed has runs"),
        (lambda runs: runs.where(runs["beta_shift"] <= 0, drop=True), "three shifts or more"),
        (lambda runs: runs.assign(icl_accuracy=0 * runs["icl_accuracy"]), "never acquire ICL"),
        (lambda runs: runs.isel(run=runs["seed"].values < 4), "8 are needed"),
        (lambda runs: runs.assign_coords(seed=runs["seed"] + 100), "is not known"),
    ],
)
def test_runs_that_cannot_say_it_leave_the_claim_undecided(spoil, said):
    data = made_up()
    found = judged({**data, "acquisition": spoil(data["acquisition"])}, "start_causes")
    assert found.verdict == UNDECIDED
    assert said in found.reason


def drawn(data):
    verdicts = {name: judged(data, name) for name in BEYOND if name != "start_decides"}
    starts, near = data["acquisition"], data["near_threshold"]
    return figB6.draw({"starts": starts, "thresholds": near}, verdicts)


def test_the_figure_shows_slopes_and_thresholds():
    figure = drawn(made_up())
    assert points(figure, "D") == len(SHIFTS)  # K* of each strip
    said = texts(figure)
    assert all(
        word in said for word in ("$N$ = 16", "$N$ = 64", "slope $-1$", "a race: \N{MINUS SIGN}1.4")
    )
    lowered, as_drawn, raised = (said.index(w) for w in ("lowered", "as drawn", "raised"))
    assert lowered < as_drawn < raised


def test_the_figure_says_what_was_not_measured():
    data = made_up()
    spoilt = data["acquisition"].isel(run=slice(1, None))
    assert "not measured" in texts(drawn({**data, "acquisition": spoilt}))
