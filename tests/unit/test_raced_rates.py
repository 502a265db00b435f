"""K* against the rate of the MLP, beside a race whose two clocks are measured at each rate."""

import numpy as np
import pytest
import synthetic
import synthetic_outcomes as made
import xarray as xr
from committed import BEYOND
from icl import claims, measurements
from icl.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from icl.figures import figB8
from icl.measurements import kinetics
from icl.measurements.thresholds import Thresholds

RATES = np.array([0.25, 0.5, 1.0, 2.0, 4.0])
CLAIM = BEYOND["raced_rates_16"]
QUICK = {**CLAIM, "options": {**CLAIM["options"], "resamples": 200}}


def made_up(exponent, *, delay=-0.2, nu=made.NU, seeds=24, spread=0.1):
    """Runs of K* ~ r^exponent, t_ICL ~ r^delay and I_K of the MLP alone as K^nu / r."""
    generator = np.random.default_rng(3)
    infinite, alone = [], []
    for r in RATES:
        t_icl = 100 * r**delay * np.exp(spread * generator.standard_normal(seeds))
        own = made.outcomes(
            "infinite",
            np.full(seeds, 32),
            np.full(seeds, np.inf),
            np.arange(seeds),
            np.full(seeds, True),
            generator=generator,
            t_icl=t_icl,
            settings={"mlp_learning_rate": np.full(seeds, synthetic.RATE * r)},
        )
        items = np.round(700 * r ** (1 / nu) * 2.0 ** np.arange(-4, 4))
        memory = made.memorisation(
            n_items=items, nu=nu, prefactor=100 / 700**nu / r, generator=generator
        )
        rate = np.full(memory.sizes["run"], synthetic.RATE * r)
        infinite.append(own)
        alone.append(memory.assign_coords(mlp_learning_rate=("run", rate)))
    join = {"dim": "run", "join": "outer", "combine_attrs": "override"}
    return {
        "mlp_rates": made.kinetics(exponent=exponent, seeds=seeds, generator=generator),
        "acquisition": xr.concat(infinite, **join),
        "memorisation": xr.concat(alone, **join),
    }


def judged(data):
    return claims.evaluate(QUICK, "raced_rates_16", data, "beyond")


def race(delay=-0.2, nu=made.NU):
    return (1 + delay) / nu


def test_the_race_of_both_clocks_is_what_equation_12_says():
    found = kinetics.raced_rates(made_up(race()), QUICK["options"])
    assert found.estimates["raced"].value == pytest.approx(race(), abs=0.1)
    assert set(found.estimates) == set(measurements.declared()["raced_rates"].quantities)
    assert found.estimates["delay"].value == pytest.approx(-0.2, abs=0.03)
    for row, r in zip(found.details["raced"], RATES, strict=True):
        assert row["rate_ratio"] == r
        assert row["threshold"] == pytest.approx(700 * r ** race(), rel=0.15)
        assert row["interval"][0] < row["threshold"] < row["interval"][1]


@pytest.mark.parametrize(
    ("exponent", "expected"),
    [
        (race(), REPRODUCED),
        (0.0, NOT_REPRODUCED),  # a capacity
        (race(delay=0.4), NOT_REPRODUCED),
        (race() / 2, NOT_REPRODUCED),  # half a race
        (race(delay=0.0), UNDECIDED),  # equation 12 with one t_ICL at every r: at the band's end
    ],
)
def test_its_rivals_do_not_pass(exponent, expected):
    assert judged(made_up(exponent)).verdict == expected


def test_the_spread_of_t_icl_is_in_the_interval_of_the_race():
    widths = []
    for spread in (0.1, 1.0):
        found = kinetics.raced_rates(made_up(race(), spread=spread), QUICK["options"])
        widths.append(found.estimates["raced"].high - found.estimates["raced"].low)
    assert widths[1] > 3 * widths[0]


def test_too_few_seeds_of_the_mlp_alone_are_refused():
    data = made_up(race())
    few = data["memorisation"]["seed"] < 2
    data["memorisation"] = data["memorisation"].isel(run=np.flatnonzero(few))
    assert "fewer than 3 replicates at K" in judged(data).reason


def test_the_figure_shows_the_race_at_each_rate():
    data = made_up(race())
    verdicts = {}
    for name in figB8.PANELS:
        rates = {"mlp_rates": data["mlp_rates"], "memorisation": made.memorisation()}
        verdicts[name] = claims.evaluate(BEYOND[name], name, rates, "beyond")
        verdicts[figB8.PANELS[name][1]] = judged(data)
    figure = figB8.draw({"short": data["mlp_rates"]}, verdicts)
    rows = judged(data).details["raced"]
    for ax in figure.axes:
        (squares,) = (line for line in ax.get_lines() if line.get_marker() == "s")
        np.testing.assert_allclose(squares.get_xdata(), RATES)
        np.testing.assert_allclose(squares.get_ydata(), [row["threshold"] for row in rows])


def test_a_rate_without_its_clock_is_named():
    data = made_up(race())
    slow = data["acquisition"]["mlp_learning_rate"] < 0.5 * synthetic.RATE
    data["acquisition"] = data["acquisition"].isel(run=np.flatnonzero(~slow))
    found = judged(data)
    assert found.verdict == UNDECIDED
    assert "r = 0.25: t_ICL or I_K was not measured" in found.reason


def test_a_clock_beyond_what_was_memorised_leaves_the_race_unknown():
    data = made_up(race())
    few = data["memorisation"]["n_items"] < 400
    data["memorisation"] = data["memorisation"].isel(run=np.flatnonzero(few))
    assert judged(data).verdict == UNDECIDED
    found = kinetics.raced_rates(data, QUICK["options"])
    assert "r, of the race = 4: K* is not inside the grid" in " ".join(found.notes)


@pytest.mark.parametrize("exponent", [0.5, 1.5])
def test_the_difference_is_of_what_is_measured_less_the_race(exponent):
    found = kinetics.raced_rates(made_up(exponent), QUICK["options"]).estimates
    assert found["exponent"].value == pytest.approx(exponent, abs=0.1)
    assert found["difference"].value == pytest.approx(exponent - race(), abs=0.1)


def test_two_bent_curves_that_are_one_do_not_differ(monkeypatch):
    """K* as the race has it at each rate, but known best at other rates."""
    data = made_up(race())
    late = data["acquisition"]["mlp_learning_rate"].values > 1.5 * synthetic.RATE
    clock = data["acquisition"]["theory_time"].values * np.where(late, 0.6, 1.0)[:, None]
    data["acquisition"] = data["acquisition"].assign_coords(
        theory_time=(("run", "evaluation"), clock)
    )
    raced = kinetics.raced_rates(data, QUICK["options"])
    stars = np.log10([row["threshold"] for row in raced.details["raced"]])
    noise = np.random.default_rng(0).standard_normal((200, 5)) * [0.01, 0.01, 0.1, 0.1, 0.1]
    same = Thresholds(RATES, np.vstack([stars, stars + noise]), raced.details["by_rate"], 24)
    monkeypatch.setattr(kinetics, "_by_rate", lambda *arguments: same)
    found = kinetics.raced_rates(data, QUICK["options"]).estimates
    assert found["exponent"].value - found["raced"].value > 0.05
    assert found["difference"].value == pytest.approx(0, abs=1e-9)


def test_runs_of_another_length_do_not_set_the_clock():
    data = made_up(race())
    expected = kinetics.raced_rates(data, QUICK["options"]).estimates
    other = data["acquisition"].copy(deep=True)
    other = other.assign_coords(
        context_length=("run", np.full(other.sizes["run"], 64)),
        theory_time=3 * other["theory_time"],
    )
    join = {"dim": "run", "join": "outer", "combine_attrs": "override"}
    data["acquisition"] = xr.concat([data["acquisition"], other], **join)
    assert kinetics.raced_rates(data, QUICK["options"]).estimates == expected


def test_few_runs_at_a_rate_are_named_by_the_rate():
    data = made_up(race())
    slow = data["acquisition"]["mlp_learning_rate"] < 0.3 * synthetic.RATE
    few = np.flatnonzero(~slow | (data["acquisition"]["seed"] < 5))
    data["acquisition"] = data["acquisition"].isel(run=few)
    assert "fewer than 8 replicates at the rate = 0.25 (5)" in judged(data).reason
