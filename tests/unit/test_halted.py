"""The MLP held while it memorises: what is measured of it, and who does not pass."""

import numpy as np
import pytest
import synthetic_outcomes as made
from committed import BEYOND
from drawing import points, texts
from icl import claims, measurements
from icl.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from icl.figures import figB11
from icl.measurements import halted
from icl.record import StopReason

CLAIM = BEYOND["halted_memory"]
WORDS = ("mlp from 60", "mlp from 115", "mlp from 920", "nothing")


def made_up(shares, lengths=(16, 32, 64), seeds=24, words=WORDS):
    """Runs of which these shares acquire ICL, from the earliest hold to none."""
    length, seed, hold, acquires = [], [], [], []
    for n in lengths:
        for word, share in zip(words, shares, strict=True):
            length += [n] * seeds
            seed += list(range(seeds))
            hold += [word] * seeds
            acquires += list(np.arange(seeds) < round(share * seeds))
    return made.outcomes(
        "halted",
        np.array(length),
        np.full(len(length), 400.0),
        np.array(seed),
        np.array(acquires),
        generator=np.random.default_rng(0),
        settings={"hold": np.array(hold)},
    )


def judged(data):
    return claims.evaluate(CLAIM, "halted_memory", data, "beyond")


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        pytest.param((0.75, 0.6, 0.0, 0.0), REPRODUCED, id="a race"),
        pytest.param((1.0, 1.0, 1.0, 0.0), NOT_REPRODUCED, id="fewer weights hold less"),
        pytest.param((0.0, 0.0, 0.0, 0.0), NOT_REPRODUCED, id="no effect"),
        pytest.param((1.0, 1.0, 1.0, 1.0), NOT_REPRODUCED, id="free networks acquire ICL too"),
        pytest.param((0.0, 0.5, 1.0, 0.0), NOT_REPRODUCED, id="the later the better"),
        pytest.param((0.4, 0.3, 0.0, 0.0), UNDECIDED, id="few seeds of a small effect"),
    ],
)
def test_rivals_do_not_pass(shares, expected):
    found = judged({"halted": made_up(shares)})
    assert found.verdict == expected


def test_quantities_are_those_that_went_in():
    data = {
        "halted": made_up((0.75, 0.5, 0.25, 0.125)),
        "few": made_up((0.5, 0.5, 0.0, 0.25), (32,)),
    }
    found = halted.halted_memory(data, CLAIM["options"])
    assert set(found.estimates) == set(measurements.declared()["halted_memory"].quantities)
    assert found.estimates["least_gain"].value == pytest.approx(0.625)
    assert found.estimates["least_lead"].value == pytest.approx(0.5)
    assert found.estimates["few_gain"].value == pytest.approx(0.25)
    (first, *_), *_ = found.details["by_length"]
    assert (first["held_from"], first["acquired"], first["runs"]) == (60, 18, 24)


def test_one_length_that_fails_is_enough():
    both = [made_up((0.75, 0.6, 0.0, 0.0), (16,)), made_up((0.0, 0.0, 0.0, 0.0), (32,))]
    joined = halted.xr.concat(both, "run", combine_attrs="override")
    assert judged({"halted": joined}).verdict == NOT_REPRODUCED


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("mlp from 60", "mlp from 115", "mlp from 920", "mlp from 1000"), "free in others"),
        (("attention from 60", *WORDS[1:]), "otherwise than in its MLP: attention from 60"),
    ],
)
def test_other_designs_are_refused(words, reason):
    assert reason in judged({"halted": made_up((0.5,) * 4, words=words)}).reason


def test_the_least_over_lengths_is_judged():
    parts = [made_up((0.75, 0.5, 0.25, 0.125), (16,)), made_up((0.5, 0.5, 0.25, 0.25), (32,))]
    joined = halted.xr.concat(parts, "run", combine_attrs="override")
    found = halted.halted_memory({"halted": joined}, CLAIM["options"]).estimates
    assert found["least_gain"].value == pytest.approx(0.25)
    assert found["least_lead"].value == pytest.approx(0.25)


def test_items_are_told_apart():
    more = made_up((0.75, 0.5, 0.25, 0.125), (32,))
    more = more.assign_coords(n_items=2 * more["n_items"])
    joined = halted.xr.concat(
        [made_up((0.5, 0.5, 0.0, 0.0), (32,)), more], "run", combine_attrs="override"
    )
    found = halted.halted_memory({"halted": joined}, CLAIM["options"])
    assert [rows[0]["n_items"] for rows in found.details["by_length"]] == [400, 800]
    assert [rows[0]["acquired"] for rows in found.details["by_length"]] == [12, 18]


def test_runs_that_were_stopped_or_diverged_or_are_few():
    data = made_up((0.75, 0.5, 0.25, 0.125))
    reason = data["stop_reason"].values.copy()
    reason[0] = StopReason.ACQUIRED
    stopped = data.assign(stop_reason=("run", reason))
    assert "1 runs were ended by a stop rule" in judged({"halted": stopped}).reason
    reason[0] = StopReason.DIVERGED
    found = halted.halted_memory(
        {"halted": data.assign(stop_reason=("run", reason))}, CLAIM["options"]
    )
    assert (found.diverged, found.replicates) == (1, data.sizes["run"] - 1)
    few = judged({"halted": made_up((0.5,) * 4, seeds=7)})
    assert "fewer than 8 replicates" in few.reason


def test_the_figure_shows_each_step_and_the_free():
    data = {"halted": made_up((0.75, 0.5, 0.25, 0.125)), "few": made_up((0.5, 0.5, 0, 0.25), (32,))}
    figure = figB11.draw({"halted": data["halted"]}, {"halted_memory": judged(data)})
    assert [points(figure, "o", panel) for panel in range(3)] == [4, 4, 4]
    assert points(figure, "s", 1) == 4
    assert [t.get_text() for t in figure.axes[1].get_xticklabels()] == ["60", "", "920", "free"]
    empty = judged({"halted": made_up((0.5,) * 2, words=WORDS[:2])})
    assert "not measured" in texts(figB11.draw({}, {"halted_memory": empty}))
