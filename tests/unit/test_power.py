"""Fresh runs drawn from the seeds in hand say how often a verdict is repeated."""

from dataclasses import replace

import numpy as np
import synthetic
import xarray as xr
from committed import CONFIG, predicted
from icl import claims
from icl.pages import table
from icl.planning import power
from icl.verdicts import Verdict

SYNTHETIC = {"experiment": "initial_conditions", "missing_blocks": "[]", "data_digest": "0"}


def claim(name, low, high):
    entry = CONFIG["claims"][name]
    criteria = [{**c, "band": [low, high]} for c in entry["criteria"] if c["quantity"] == "width"]
    return {**entry, "criteria": criteria}


def of_width(band, seeds=24, runs=8):
    data = synthetic.transition(width=0.3, seeds=seeds, generator=np.random.default_rng(3))
    roles = CONFIG["claims"]["sharp_transition"]["experiments"]
    return power.power(
        claim("sharp_transition", *band), "x", dict.fromkeys(roles, data), "laptop", runs
    )


def test_a_seed_keeps_its_runs_and_a_seed_drawn_twice_is_two():
    data = synthetic.transition(seeds=6)
    fresh = power.redraw({"a": data, "b": data}, 2, np.random.default_rng(0))
    assert fresh["a"] is fresh["b"]
    drawn = fresh["a"]
    assert drawn.sizes["run"] == 2 * data.sizes["run"]
    assert len(np.unique(drawn["seed"])) == 12
    for seed in np.unique(drawn["seed"]):
        runs = drawn.isel(run=np.flatnonzero(drawn["seed"] == seed))
        assert sorted(runs["n_items"].values) == sorted(np.unique(data["n_items"]))
        curves = runs["icl_accuracy"].values
        assert any(
            np.array_equal(curves, data["icl_accuracy"].values[data["seed"].values == old])
            for old in range(6)
        )


def test_seeds_run_at_other_k_are_drawn_apart():
    few, many = synthetic.transition(seeds=3, n_items=(500, 1000)), synthetic.transition(seeds=2)
    many = many.assign_coords(seed=many["seed"] + 100)
    both = xr.concat([few, many], dim="run", combine_attrs="override")
    for start in range(5):
        drawn = power.redraw({"a": both}, 1, np.random.default_rng(start))["a"]
        places, counts = np.unique(drawn["n_items"], return_counts=True)
        before = np.unique(both["n_items"], return_counts=True)
        np.testing.assert_array_equal((places, counts), before)


def test_seeds_run_at_other_settings_are_drawn_apart():
    parts = []
    for i, decay in enumerate((1e-4, 1e-3)):
        part = synthetic.transition(seeds=3, n_items=(500,), settings={"attention_decay": decay})
        parts.append(part.assign_coords(seed=part["seed"] + 100 * i))
    both = xr.concat(parts, dim="run", combine_attrs="override")
    for start in range(5):
        drawn = power.redraw({"a": both}, 1, np.random.default_rng(start))["a"]
        assert sorted(drawn["attention_decay"].values) == sorted(both["attention_decay"].values)


def test_a_verdict_far_inside_its_band_repeats_and_one_at_its_end_does_not(monkeypatch):
    monkeypatch.setattr(power, "FACTORS", (1,))
    measured = of_width([None, 10])
    assert (measured.verdict, measured.repeats, measured.needed) == ("reproduced", 1, 24)
    assert measured.interval[0] > 0.5
    failed = of_width([5, 10])
    assert (failed.verdict, failed.repeats) == ("not reproduced", 1)
    edge = of_width([None, 0.36], runs=16)
    assert 0.05 < edge.shares[1].get("reproduced", 0) < 0.95
    assert edge.needed > 24


def test_more_seeds_make_it_surer(monkeypatch):
    """Of 8 seeds the interval is wide; the band ends well beyond the estimate."""
    monkeypatch.setattr(power, "FACTORS", (1, 8))
    measured = of_width([None, 0.9], seeds=8, runs=16)
    shares = [share.get("reproduced", 0) for share in measured.shares.values()]
    assert shares[0] < 0.95 <= shares[-1]


def test_theory_repeats_itself():
    data = {"theory": predicted("initial_conditions", n_beta0=21, n_samples=10, n_bins=10)}
    entry = CONFIG["claims"]["exponential_beta0"]
    data = {role: data["theory"].assign_attrs(SYNTHETIC) for role in entry["experiments"]}
    assert power.power(entry, "x", data, "laptop", 2).repeats == 1


def test_the_table_names_what_is_needed():
    entry = {"claim": "a", "verdict": "undecided", "repeats": 0.5, "interval": [0.4, 0.6]}
    text = power.table([{**entry, "seeds": 12, "needed": "infinity"}])
    assert "| a | undecided | 0.50 [0.40, 0.60] | 12 | more than 96 |" in text


def test_a_table_says_how_often_each_verdict_repeats():
    data = synthetic.transition(width=0.3, seeds=12)
    entry = CONFIG["claims"]["sharp_transition"]
    data = dict.fromkeys(entry["experiments"], data)
    verdict = claims.evaluate(entry, "sharp_transition", data, "smoke")
    assert "repeats" not in table.markdown([verdict])
    assert "repeats" not in verdict.to_json()
    never = Verdict.from_json(replace(verdict, repeats=0.0).to_json())
    assert "repeats with 0.00" in table.markdown([never])
    again = Verdict.from_json(replace(verdict, repeats=0.62).to_json())
    assert f"**{verdict.verdict}**, repeats with 0.62 |" in table.markdown([again])
