"""The race on data of several kinds: what it foretells, and how that is scored."""

import dataclasses

import numpy as np
import pytest
import synthetic
import synthetic_outcomes
import xarray as xr
from committed import BEYOND
from drawing import points, texts
from icl import claims, measurements
from icl.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from icl.figures import figB9
from icl.measurements import any_data

CLAIM = BEYOND["any_data"]
T_ICL = {16: 40.0, 32: 95.0}
# N, copies, label noise, alpha: what each does to t_ICL and to I_K.
KINDS = {
    (16, 1, 0.0, 0.0): (1, 1),
    (32, 1, 0.0, 0.0): (1, 1),
    (32, 4, 0.0, 0.0): (0.25, 1),
    (32, 1, 0.1, 0.0): (1, 20),
    (32, 1, 0.0, 1.0): (1, 0.3),
}
ITEMS = (60, 200, 600, 1800, 5400)


def integral(n_items):
    """I_K of plain items."""
    return 0.25 * n_items**0.8


def settings(kind):
    return {"copies": kind[1], "label_noise": kind[2], "zipf_exponent": kind[3]}


def merged(parts):
    return xr.concat(parts, "run", combine_attrs="override")


def made_up(acquires, seeds=16, draw=0):
    """Runs of which `acquires(kind, K, t_ICL, I_K)` says with what probability they acquire ICL."""
    generator = np.random.default_rng(draw)
    outcomes, novel, alone = [], [], []
    step = np.unique(np.geomspace(1, 60_000, 400).astype(int))
    for kind, (slower, longer) in KINDS.items():
        t_icl = T_ICL[kind[0]] * slower * np.exp(0.3 * generator.standard_normal(seeds))
        accuracy = np.where(step * synthetic.RATE < t_icl[:, None], 0.55, 1.0)
        n, k, seed = np.full(seeds, kind[0]), np.full(seeds, np.inf), np.arange(seeds)
        novel.append(
            synthetic.dataset(
                "any_infinite", n, k, seed, accuracy, accuracy, step,
                settings={"copies": kind[1]},
            )
        )  # fmt: skip
        for items in ITEMS:
            own = longer * integral(items) * np.exp(0.1 * generator.standard_normal(seeds))
            acquired = generator.random(seeds) < acquires(kind, items, t_icl, own)
            outcomes.append(
                synthetic_outcomes.outcomes(
                    "any_data", n, np.full(seeds, items), seed, acquired,
                    generator=generator, settings=settings(kind),
                )
            )  # fmt: skip
            of_items = settings(kind) | {"copies": 1}
            record = (
                outcomes[-1]
                .isel(evaluation=[0])
                .assign_coords(
                    **{name: ("run", np.full(seeds, value)) for name, value in of_items.items()}
                )
            )
            alone.append(record.assign(i_recorded=("run", own)))
    return {
        "outcomes": merged(outcomes),
        "acquisition": merged(novel),
        "memorisation": merged(alone),
    }


def race(kind, items, t_icl, own):
    return t_icl < own


def scaled(kind, items, t_icl, own):
    return CLAIM["options"]["scale"] * t_icl < own


def diversity(kind, items, t_icl, own):
    return np.full(len(own), items > {16: 305, 32: 672}[kind[0]])


def chance(kind, items, t_icl, own):
    return np.full(len(own), 0.5)


def judged(data, name="any_data"):
    return claims.evaluate(BEYOND[name], name, data, "beyond")


@pytest.mark.parametrize(
    ("world", "plain", "by_constant"),
    [
        (race, REPRODUCED, UNDECIDED),
        (scaled, UNDECIDED, REPRODUCED),
        (diversity, NOT_REPRODUCED, NOT_REPRODUCED),
        (chance, NOT_REPRODUCED, NOT_REPRODUCED),
    ],
)
def test_a_race_is_told_from_its_rivals(world, plain, by_constant):
    data = made_up(world)
    assert judged(data).verdict == plain
    assert judged(data, "any_data_scaled").verdict == by_constant


def test_scores_are_brier_s():
    """Against a mean over runs, one by one."""
    data = made_up(race)
    found = any_data.any_data(data, CLAIM["options"])
    assert set(found.estimates) == set(measurements.declared()["any_data"].quantities)
    final = data["outcomes"]["icl_accuracy"].values[:, -1]
    y = (final > 0.75).astype(float)
    constant = np.mean((y.mean() - y) ** 2)
    assert found.estimates["constant_score"].value == pytest.approx(constant)
    squares = []
    for row in found.details["cells"]:
        own = np.ones(len(y), bool)
        for name, key in (("context_length", "N"), ("n_items", "K"), ("copies", "copies")):
            own &= data["outcomes"][name].values == row[key]
        for name in ("label_noise", "zipf_exponent"):
            own &= data["outcomes"][name].values == row[name]
        assert own.sum() == row["replicates"] == 16
        squares += [(row["race"] - outcome) ** 2 for outcome in y[own]]
    assert len(squares) == len(y)
    assert found.estimates["race_score"].value == pytest.approx(np.mean(squares))
    skill = 1 - np.mean(squares) / constant
    assert found.estimates["skill"].value == pytest.approx(skill)
    assert skill > 0.7


def test_the_scaled_race_wins_where_it_is_right():
    found = any_data.any_data(made_up(scaled), CLAIM["options"]).estimates
    assert found["scaled_score"].value < found["race_score"].value / 2


@pytest.mark.parametrize(
    ("role", "because"), [("acquisition", "t_ICL at K = infinity"), ("memorisation", "I_K")]
)
def test_a_cell_without_its_clock_leaves_the_claim_undecided(role, because):
    data = made_up(race)
    lacking = {"acquisition": ("context_length", 16), "memorisation": ("n_items", 60)}
    name, value = lacking[role]
    data[role] = data[role].isel(run=np.flatnonzero(data[role][name] != value))
    found = judged(data)
    assert found.verdict == UNDECIDED
    assert f"{because} is not measured" in found.reason


def test_few_cells_leave_the_claim_undecided():
    data = made_up(race)
    few = data["outcomes"].isel(run=slice(0, 16 * 8))
    assert "8 cells of data; 20 are needed" in judged(data | {"outcomes": few}).reason


def test_the_figure_shows_every_cell_and_score():
    data = made_up(race)
    figure = figB9.draw({"outcomes": data["outcomes"]}, {"any_data": judged(data)})
    assert sum(points(figure, marker, 0) for marker in "o^sDv") == len(KINDS) * len(ITEMS)
    assert points(figure, "o", 1) == 4
    assert "copies" in texts(figure)


def test_the_figure_says_what_was_not_measured():
    data = made_up(race)
    few = data | {"outcomes": data["outcomes"].isel(run=slice(0, 16))}
    none = dataclasses.replace(judged(few), details={})
    figure = figB9.draw({"outcomes": data["outcomes"]}, {"any_data": none})
    assert texts(figure).count("not measured") == 2
