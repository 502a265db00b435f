"""The chain: what it is of the transformer, and what is measured of how well it foretells."""

import dataclasses

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
from icl.figures import figB7
from icl.job import Model
from icl.measurements import foretold
from icl.models.chain import network as chain
from icl.models.one_layer import network as one_layer

LENGTHS = (16, 32, 64, 128)
OVERLAP = 60.0
FIRST = 3_020_000


def test_it_starts_as_the_transformer_does():
    seeds = torch.arange(2)
    whole = one_layer.initialise(seeds, Model("one_layer", 7, 5, "context", False, beta_shift=0.3))
    own = chain.initialise(seeds, Model("chain", 7, 5, "context", beta_shift=0.3))
    assert torch.equal(own["value"], whole["value"][:, :, 7:])
    assert all(torch.equal(own[name], whole[name]) for name in own if name != "value")


def with_starts(name, n, seed, log_t, settings=None, per_start=2):
    """Runs at K = infinity with these times."""
    step = np.unique(np.geomspace(1, 1_000_000, 600).astype(int))
    accuracy = np.where(step * synthetic.RATE < np.exp(log_t)[:, None], 0.55, 1.0)
    data = synthetic.dataset(
        name, n, np.full(len(n), np.inf), seed, accuracy, accuracy, step, settings=settings
    )
    jobs = data.attrs["jobs"].replace(
        '"numerics": 1', f'"numerics": 1, "seeds_per_start": {per_start}'
    )
    return data.assign_attrs(jobs=jobs)


def made_up(
    draw=0, factor=(1.0,) * 4, share=0.9, beta0_share=0.6, slope=1.0, linear=False, starts=64
):
    """Starts whose log t_ICL spreads by 0.3; the chain says `share` of what they make of it.

    `factor`: what the chain is out by at each N. `linear`: the chain grows as N.
    """
    generator = np.random.default_rng(draw)
    n, seed, own, said = [], [], [], []
    beta0 = generator.standard_normal(starts)
    rest = generator.standard_normal(starts)
    known = beta0_share**0.5 * beta0 + (share - beta0_share) ** 0.5 * rest
    for length, out in zip(LENGTHS, factor, strict=True):
        unknown = (1 - share) ** 0.5 * generator.standard_normal(starts)
        middle = np.log(1.7 * length**1.4)
        level = np.log(1.7 * 16**1.4 * length / 16) if linear else middle
        for k in range(2):
            n += [length] * starts
            seed += list(FIRST + 2 * np.arange(starts) + k)
            own += list(middle + 0.3 * (known + unknown) + 0.08 * generator.standard_normal(starts))
            noise = 0.08 * generator.standard_normal(starts)
            said += list(level + np.log(out) + 0.3 * known / slope + noise)
    n, seed = np.array(n), np.array(seed)
    initial = synthetic_outcomes.initial_beta(np.repeat(-beta0, 2), overlap=OVERLAP)
    return {
        "acquisition": with_starts("whole", n, seed, np.array(own)),
        "foretold": with_starts("chain", n, seed, np.array(said)),
        "initial_beta": initial.assign_coords(seed=("run", FIRST + np.arange(2 * starts))),
    }


def judged(data, name):
    return claims.evaluate(BEYOND[name], name, data, "beyond")


@pytest.mark.parametrize(
    ("world", "foretells", "exponent"),
    [
        pytest.param({}, REPRODUCED, REPRODUCED, id="it foretells"),
        pytest.param({"share": 0.6}, NOT_REPRODUCED, REPRODUCED, id="it says what beta0 says"),
        pytest.param({"factor": (1, 1, 0.6, 1)}, NOT_REPRODUCED, REPRODUCED, id="out at one N"),
        pytest.param({"factor": (0.5,) * 4}, NOT_REPRODUCED, REPRODUCED, id="twice as fast"),
        pytest.param({"slope": 0.5}, NOT_REPRODUCED, REPRODUCED, id="twice the spread"),
        pytest.param({"linear": True}, NOT_REPRODUCED, NOT_REPRODUCED, id="linear in N"),
    ],
)
def test_a_chain_that_foretells_is_told_from_rivals(world, foretells, exponent):
    data = made_up(**world)
    assert judged(data, "start_foretells").verdict == foretells
    assert judged(data, "chain_exponent").verdict == exponent


def test_quantities_are_those_that_went_in():
    data = made_up(share=0.9, starts=400, factor=(1.2, 1.0, 1.0, 0.8))
    found = foretold.foretold_times(data, BEYOND["start_foretells"]["options"]).estimates
    assert set(found) == set(measurements.declared()["foretold_times"].quantities)
    assert found["least_ratio"].value == pytest.approx(0.8, abs=0.02)
    assert found["greatest_ratio"].value == pytest.approx(1.2, abs=0.02)
    noise = 1 + (0.08 / 0.3) ** 2
    explained = 0.9**2 / (0.9 + noise - 1) / noise  # of the part that both share
    assert found["explained"].value == pytest.approx(explained, abs=0.03)
    assert found["over_beta0"].value == pytest.approx(explained - 0.6 / noise, abs=0.05)
    assert found["exponent"].value == pytest.approx(1.4, abs=0.02)
    difference = np.polyfit(np.log(LENGTHS), np.log([1.2, 1, 1, 0.8]), 1)[0]
    assert found["exponent_difference"].value == pytest.approx(difference, abs=0.01)
    assert found["foretold_exponent"].value == pytest.approx(1.4 + difference, abs=0.02)
    assert found["slope"].value == pytest.approx(0.9 / (0.9 + noise - 1), abs=0.02)


def test_data_that_both_share_do_not_count():
    """A transformer is compared with the chain of the other seed of its start."""
    runs = made_up()["acquisition"]
    noise = np.random.default_rng(5).standard_normal(runs.sizes["run"])
    of_data = with_starts("whole", runs["context_length"].values, runs["seed"].values, 3 + noise)
    found = foretold.foretold_times(
        {"acquisition": of_data, "foretold": of_data}, BEYOND["start_foretells"]["options"]
    )
    assert found.estimates["explained"].value < 0.1
    assert not np.isfinite(found.estimates["over_beta0"].value)


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (lambda d: d | {"foretold": later(d["foretold"])}, "do not start as"),
        (
            lambda d: d | {"foretold": with_starts("chain", *whole(d), per_start=1)},
            "no two seeds share a start",
        ),
        (lambda d: d | {"acquisition": never(d["acquisition"])}, "never acquire ICL"),
    ],
)
def test_runs_that_cannot_say_it(change, because):
    found = judged(change(made_up()), "start_foretells")
    assert found.verdict == UNDECIDED
    assert because in found.reason


def whole(data):
    runs = data["acquisition"]
    return runs["context_length"].values, runs["seed"].values, np.full(runs.sizes["run"], 5.0)


def later(runs):
    return runs.assign_coords(seed=runs["seed"] + 2)


def never(runs):
    accuracy = runs["icl_accuracy"].values.copy()
    accuracy[:40] = 0.5
    return runs.assign(icl_accuracy=(("run", "evaluation"), accuracy))


SHIFTS = (-1.0, 0.0, 1.0)


def moved(slopes, seeds=24, draw=0):
    """Runs whose log t_ICL follows a shift of beta0 with these slopes, one for each N."""
    generator = np.random.default_rng(draw)
    n, seed, shift, log_t = [], [], [], []
    for length, slope in zip(LENGTHS, slopes, strict=True):
        for by in SHIFTS:
            n += [length] * seeds
            seed += list(range(seeds))
            shift += [by / OVERLAP] * seeds
            noise = 0.08 * generator.standard_normal(seeds)
            log_t += list(np.log(6.0 * length) + slope * by + noise)
    settings = {"beta_shift": np.array(shift)}
    return with_starts("shifted", np.array(n), np.array(seed), np.array(log_t), settings, 1)


def with_beta0(own, said, seeds=24):
    start = 0.3 * np.random.default_rng(9).standard_normal(seeds)
    beta0 = np.concatenate([start + by for by in SHIFTS])
    initial = synthetic_outcomes.initial_beta(beta0, overlap=OVERLAP).assign_coords(
        seed=("run", np.tile(np.arange(seeds), 3)),
        beta_shift=("run", np.repeat(SHIFTS, seeds) / OVERLAP),
    )
    return {"acquisition": moved(own), "foretold": moved(said, draw=1), "initial_beta": initial}


STEEPER = (-0.8, -1.0, -1.25, -1.5)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        pytest.param(STEEPER, REPRODUCED, id="the same"),
        pytest.param((-1.0,) * 4, NOT_REPRODUCED, id="the theory's"),
        pytest.param((0.0,) * 4, NOT_REPRODUCED, id="none"),
    ],
)
def test_slopes_that_steepen_are_told_from_others(said, verdict):
    data = with_beta0(STEEPER, said)
    assert judged(data, "chain_follows_beta").verdict == verdict
    found = foretold.foretold_slopes(data, BEYOND["chain_follows_beta"]["options"])
    assert set(found.estimates) == set(measurements.declared()["foretold_slopes"].quantities)
    expected = np.subtract(said, STEEPER)
    assert found.estimates["least_difference"].value == pytest.approx(expected.min(), abs=0.05)
    assert found.estimates["greatest_difference"].value == pytest.approx(expected.max(), abs=0.05)


def test_only_shifts_that_both_have_are_compared():
    data = with_beta0(STEEPER, STEEPER)
    extra = moved(STEEPER, draw=2)
    extra = extra.isel(run=extra["beta_shift"].values == 0)
    extra = extra.assign_coords(beta_shift=("run", np.full(extra.sizes["run"], 0.5)))
    data["acquisition"] = xr.concat(
        [data["acquisition"], extra], "run", combine_attrs="override", data_vars="minimal"
    )
    assert judged(data, "chain_follows_beta").verdict == REPRODUCED


def fates(strength, starts=64, draw=0, per_start=3):
    """Runs near K* whose odds fall with a start's log t_ICL (in deviations) by `strength`."""
    generator = np.random.default_rng(draw)
    of_start = generator.standard_normal(starts)
    odds = np.exp(-strength * np.repeat(of_start, per_start))
    acquires = generator.random(odds.size) < odds / (1 + odds)
    seed = np.arange(odds.size)
    runs = synthetic_outcomes.outcomes(
        "near", np.full(seed.size, 64), np.full(seed.size, 1900.0), seed, acquires,
        generator=generator,
    )  # fmt: skip
    jobs = runs.attrs["jobs"].replace(
        '"numerics": 1', f'"numerics": 1, "seeds_per_start": {per_start}'
    )
    noise = 0.08 * generator.standard_normal(seed.size)
    log_t = 5 + 0.3 * np.repeat(of_start, per_start) + noise
    n = np.full(seed.size, 64)
    return acquires, {
        "near_threshold": runs.assign_attrs(jobs=jobs),
        "foretold": with_starts("chain", n, seed, log_t, per_start=per_start),
    }


@pytest.mark.parametrize(("strength", "expected"), [(0.8, 1.0), (0.0, 0.1), (-1.2, 0.0)])
def test_a_start_that_decides_is_told_from_one_that_does_not(strength, expected):
    verdicts = [
        judged(fates(strength, draw=draw)[1], "chain_foretells_outcome").verdict
        for draw in range(10)
    ]
    share = np.mean([verdict == REPRODUCED for verdict in verdicts])
    assert share >= expected if expected == 1 else share <= expected
    if strength < 0:
        assert set(verdicts) == {NOT_REPRODUCED}


def test_the_area_is_that_of_all_pairs():
    acquires, data = fates(0.8, starts=20)
    found = foretold.foretold_outcomes(data, BEYOND["chain_foretells_outcome"]["options"])
    assert set(found.estimates) == set(measurements.declared()["foretold_outcomes"].quantities)
    time = foretold.by_start(data["foretold"], {"least_replicates": 2})[1]
    log_t, _ = foretold.log_times(
        data["foretold"], BEYOND["chain_foretells_outcome"]["options"], ""
    )
    quick = np.repeat(-log_t[time].mean(axis=1), 3)
    pairs = [(a > b) + (a == b) / 2 for a in quick[acquires] for b in quick[~acquires]]
    assert found.estimates["auc"].value == pytest.approx(np.mean(pairs), rel=1e-9)
    shares = [row["share"] for row in found.details["quarters"]]
    assert np.mean(shares) == pytest.approx(acquires.mean())
    times = [row["t_icl"] for row in found.details["quarters"]]
    assert times == sorted(times), "the quickest chains come first"


def test_other_scores_have_the_sign_of_the_chain():
    """What is shown beside it, where beta0 or the transformer's own t_ICL says the very same."""
    _, data = fates(0.8)
    options = BEYOND["chain_foretells_outcome"]["options"]
    log_t, _ = foretold.log_times(data["foretold"], options, "")
    of_start = np.repeat(log_t.reshape(-1, 3).mean(axis=1), 3)
    initial = synthetic_outcomes.initial_beta(-of_start, overlap=OVERLAP)
    data |= {
        "acquisition": data["foretold"],
        "initial_beta": initial.assign_coords(seed=("run", np.arange(of_start.size))),
    }
    found = foretold.foretold_outcomes(data, options).estimates
    assert found["own_auc"].value == found["auc"].value > 0.6
    assert found["over_beta0"].value == pytest.approx(0, abs=1e-9)


def test_a_start_has_its_own_chain_where_there_are_more():
    _, data = fates(0.8)
    options = BEYOND["chain_foretells_outcome"]["options"]
    data["near_threshold"] = data["near_threshold"].isel(run=slice(60, None))
    found = foretold.foretold_outcomes(data, options).estimates["auc"].value
    data["foretold"] = data["foretold"].isel(run=slice(60, None))
    assert foretold.foretold_outcomes(data, options).estimates["auc"].value == found


def test_a_run_between_chance_and_the_option_has_not_acquired_icl():
    _, data = fates(0.8)
    options = BEYOND["chain_foretells_outcome"]["options"]
    before = foretold.foretold_outcomes(data, options).estimates["auc"]
    accuracy = data["near_threshold"]["icl_accuracy"]
    between = accuracy.where(accuracy > 0.75, 0.7)
    data["near_threshold"] = data["near_threshold"].assign(icl_accuracy=between)
    assert foretold.foretold_outcomes(data, options).estimates["auc"] == before


def test_starts_without_a_chain_are_refused():
    _, data = fates(0.8)
    data["foretold"] = data["foretold"].isel(run=slice(3, None))
    assert "1 starts have no t_ICL" in judged(data, "chain_foretells_outcome").reason


def drawn(data):
    verdicts = {name: judged(data, name) for name in ("start_foretells", "chain_exponent")}
    verdicts["chain_follows_beta"] = judged(with_beta0(STEEPER, STEEPER), "chain_follows_beta")
    verdicts["chain_foretells_outcome"] = judged(fates(0.8)[1], "chain_foretells_outcome")
    return figB7.draw({"whole": data["acquisition"], "chain": data["foretold"]}, verdicts)


def test_the_figure_shows_runs_means_and_slopes():
    data = made_up()
    figure = drawn(data)
    assert points(figure, "o", 0) == data["acquisition"].sizes["run"]
    assert points(figure, "o", 1) == len(LENGTHS)
    assert points(figure, "o", 2) == 2 * len(LENGTHS)
    assert points(figure, "o", 3) == foretold.QUARTERS
    assert "not measured" not in texts(figure)
    x, y = figure.axes[0].lines[0].get_data()
    row = judged(data, "start_foretells").details["by_length"][0]
    np.testing.assert_allclose(x, np.exp(np.asarray(row["foretold"])[:, ::-1].ravel()))
    np.testing.assert_allclose(y, np.exp(np.asarray(row["log_t_icl"]).ravel()))


def test_the_figure_says_what_was_not_measured():
    data = made_up()
    none = dataclasses.replace(judged(data, "start_foretells"), details={})
    figure = figB7.draw(
        {"whole": data["acquisition"]},
        dict.fromkeys(("start_foretells", "chain_follows_beta", "chain_foretells_outcome"), none),
    )
    assert texts(figure).count("not measured") == 4
