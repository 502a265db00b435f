import json
import math
import re
import subprocess
import sys

import numpy as np
import pytest
import synthetic
import synthetic_kinetics
import synthetic_outcomes
import yaml
from checkout import ROOT
from committed import BEYOND, CONFIG, STUDY
from icl import claims, measurements
from icl.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Estimate
from icl.pages import table
from icl.verdicts import Verdict


def evaluate(name, data, preset="laptop", **options):
    claim = CONFIG["claims"][name]
    claim = {**claim, "options": {**claim["options"], "resamples": 400, **options}}
    # Where a claim is about several models, each has these data.
    alike = name == "linear_ticl"
    roles = claim["experiments"] if alike else [data.attrs["experiment"]]
    return claims.evaluate(claim, name, dict.fromkeys(roles, data), preset).to_json()


def markdown(entries):
    return table.markdown([Verdict.from_json(entry) for entry in entries])


def criterion(verdict, quantity):
    return next(c for c in verdict["criteria"] if c["quantity"] == quantity)


@pytest.fixture(scope="module")
def transition():
    return synthetic.transition(width=0.2)


@pytest.fixture(scope="module")
def acquisition():
    return synthetic.acquisition(seeds=64, spread=0.2, generator=np.random.default_rng(5))


@pytest.mark.parametrize(
    ("low", "high", "band", "verdict"),
    [
        (0.2, 0.4, [0.1, 0.5], REPRODUCED),
        (0.1, 0.5, [0.1, 0.5], REPRODUCED),
        (0.09, 0.4, [0.1, 0.5], UNDECIDED),
        (0.4, 0.51, [0.1, 0.5], UNDECIDED),
        (0.0, 0.6, [0.1, 0.5], UNDECIDED),
        (0.5, 0.6, [0.1, 0.5], UNDECIDED),
        (0.51, 0.6, [0.1, 0.5], NOT_REPRODUCED),
        (0.0, 0.09, [0.1, 0.5], NOT_REPRODUCED),
        (-math.inf, 0.4, [None, 0.5], REPRODUCED),
        (0.6, math.inf, [None, 0.5], NOT_REPRODUCED),
        (math.inf, math.inf, [None, 0.5], NOT_REPRODUCED),
        (-math.inf, math.inf, [0.5, None], UNDECIDED),
        (math.nan, 0.4, [None, 0.5], UNDECIDED),
        (math.nan, math.nan, [None, None], UNDECIDED),
    ],
)
def test_the_whole_interval_decides(low, high, band, verdict):
    value = low if low == high else np.nan if math.isnan(low) else 0.3
    assert claims.judge(Estimate(value, low, high), band) == verdict


def test_all_criteria_must_hold_and_one_failure_is_enough():
    assert claims.combine([REPRODUCED, REPRODUCED]) == REPRODUCED
    assert claims.combine([REPRODUCED, UNDECIDED]) == UNDECIDED
    assert claims.combine([REPRODUCED, UNDECIDED, NOT_REPRODUCED]) == NOT_REPRODUCED
    assert claims.combine([]) == UNDECIDED


def test_a_sharp_transition_and_its_threshold(transition):
    verdict = evaluate("sharp_transition", transition)
    assert criterion(verdict, "width")["verdict"] == REPRODUCED
    low, high = verdict["details"]["estimates"]["threshold"]["interval"]
    assert low < 2200 < high
    assert [c["quantity"] for c in verdict["criteria"]] == ["width", "spearman"]
    paper = evaluate("sharp_transition", transition, preset="paper")
    assert criterion(paper, "threshold")["verdict"] == NOT_REPRODUCED
    assert paper["band_digest"] != verdict["band_digest"]


def test_ranking_noise_hides_an_ideal_anticorrelation(transition):
    found = evaluate("sharp_transition", transition)["details"]["estimates"]
    assert -0.9 < found["spearman"]["value"] < -0.7
    assert found["spearman_tied"]["value"] < -0.9


def test_the_fraction_that_acquires_gives_the_same_threshold(transition):
    accuracy, fraction = (
        evaluate("sharp_transition", transition, response=response)["details"]["estimates"]
        for response in ("final_accuracy", "fraction_acquired")
    )
    assert fraction["threshold"]["value"] == pytest.approx(accuracy["threshold"]["value"], rel=0.05)


def test_a_wide_transition_is_not_sharp():
    wide = synthetic.transition(
        n_items=np.geomspace(100, 40000, 14), width=2.0, seeds=40, threshold=2000
    )
    verdict = evaluate("sharp_transition", wide)
    assert criterion(verdict, "width")["verdict"] == NOT_REPRODUCED
    assert verdict["verdict"] == NOT_REPRODUCED


def test_a_transition_the_wrong_way_round_is_not_reproduced(transition):
    k = transition["n_items"].values
    flipped = transition.assign_coords(n_items=("run", k.min() * k.max() / k))
    verdict = evaluate("sharp_transition", flipped)
    assert criterion(verdict, "width")["value"] == "infinity"
    assert criterion(verdict, "width")["verdict"] == NOT_REPRODUCED


def test_shuffled_k_is_no_transition(transition):
    order = np.random.default_rng(1).permutation(transition.sizes["run"])
    shuffled = transition.assign_coords(n_items=("run", transition["n_items"].values[order]))
    assert criterion(evaluate("sharp_transition", shuffled), "width")["verdict"] == NOT_REPRODUCED


def test_iwl_that_does_not_give_way_is_not_reproduced(transition):
    stays = transition.assign(iwl_accuracy=transition["icl_accuracy"])
    assert evaluate("sharp_transition", stays)["verdict"] == NOT_REPRODUCED


@pytest.mark.parametrize("threshold", [1e9, 1.0])
def test_a_transition_outside_the_grid_is_not_computable(threshold):
    verdict = evaluate("sharp_transition", synthetic.transition(threshold=threshold))
    width = criterion(verdict, "width")
    assert (width["value"], width["verdict"]) == (None, UNDECIDED)
    assert "width: the data do not determine it" in verdict["reason"]
    assert "not inside the grid" in " ".join(verdict["details"]["notes"])


def test_runs_ended_by_a_stop_rule_do_not_decide(transition):
    reason = transition["stop_reason"].copy()
    reason[:3] = 2
    verdict = evaluate("sharp_transition", transition.assign(stop_reason=reason))
    assert verdict["verdict"] == UNDECIDED
    assert "3 runs were ended by a stop rule" in verdict["reason"]


def test_diverged_runs_are_counted_and_not_judged(transition):
    reason, icl = transition["stop_reason"].copy(), transition["icl_accuracy"].copy()
    reason[[0, 20]], icl[[0, 20], 3:] = 3, np.nan
    verdict = evaluate("sharp_transition", transition.assign(stop_reason=reason, icl_accuracy=icl))
    assert (verdict["diverged"], verdict["replicates"]) == (2, transition.sizes["run"] - 2)


def test_abrupt_and_slow_acquisition(transition):
    assert evaluate("abrupt_acquisition", transition)["verdict"] == REPRODUCED
    slow = evaluate("abrupt_acquisition", synthetic.transition(rise=0.5))
    assert slow["verdict"] == NOT_REPRODUCED
    assert criterion(slow, "rise")["value"] == pytest.approx(0.5, abs=0.06)


def test_runs_that_leave_the_plateau_and_never_arrive_count_as_slow(transition):
    icl = transition["icl_accuracy"].copy()
    icl[:] = np.minimum(icl, 0.8)
    verdict = evaluate("abrupt_acquisition", transition.assign(icl_accuracy=icl))
    assert verdict["verdict"] == NOT_REPRODUCED
    assert verdict["censored"] == verdict["replicates"] > 0


def test_no_run_that_leaves_the_plateau_is_not_computable():
    verdict = evaluate("abrupt_acquisition", synthetic.transition(threshold=1e9))
    assert verdict["verdict"] == UNDECIDED
    assert "0 of 80 runs left the plateau" in verdict["reason"]


def test_a_linear_time_and_others(acquisition):
    verdict = evaluate("linear_ticl", acquisition)
    assert verdict["verdict"] == REPRODUCED
    exponent = criterion(verdict, "exponent")
    assert exponent["interval"][0] < 1 < exponent["interval"][1]
    quadratic = synthetic.acquisition(seeds=32, exponent=2.0)
    assert evaluate("linear_ticl", quadratic)["verdict"] == NOT_REPRODUCED


def test_shuffled_n_is_no_trend(acquisition):
    order = np.random.default_rng(1).permutation(acquisition.sizes["run"])
    shuffled = acquisition["context_length"].values[order]
    verdict = evaluate("linear_ticl", acquisition.assign_coords(context_length=("run", shuffled)))
    assert verdict["verdict"] == NOT_REPRODUCED


def test_censoring_is_counted_and_does_not_move_the_median():
    whole, cut = (
        evaluate("linear_ticl", synthetic.acquisition(seeds=32, censored_after=after))
        for after in (None, 1.2)
    )
    assert whole["censored"] == 0
    assert cut["censored"] > 20
    medians = [[row["median"] for row in v["details"]["by_length"]] for v in (whole, cut)]
    assert medians[0] == medians[1]


def test_most_runs_censored_leaves_it_undecided():
    verdict = evaluate("linear_ticl", synthetic.acquisition(seeds=16, censored_after=0.7))
    assert verdict["verdict"] == UNDECIDED
    assert "exponent: the data do not determine it" in verdict["reason"]
    assert "less than half of the runs" in " ".join(verdict["details"]["notes"])


def test_resamples_that_fail_are_reported():
    """At half censored, some resamples have no median at some N."""
    verdict = evaluate("linear_ticl", synthetic.acquisition(seeds=16, censored_after=1.0))
    found = verdict["details"]["estimates"]["exponent"]
    assert found["failed_resamples"] > 0
    assert verdict["verdict"] == UNDECIDED
    assert "resamples failed" in verdict["reason"] or found["value"] is None


def test_long_tails_and_normal_ones():
    tailed = synthetic.acquisition(seeds=400, spread=0.5, budget=12.0)
    assert evaluate("long_tail", tailed)["verdict"] == REPRODUCED
    normal = synthetic.acquisition(seeds=400, spread=0.25, normal=True)
    assert evaluate("long_tail", normal)["verdict"] == NOT_REPRODUCED


def test_at_every_n_means_the_worst(acquisition):
    verdict = evaluate("long_tail", acquisition)
    ends = [row["aic_advantage_interval"] for row in verdict["details"]["by_length"]]
    worst = criterion(verdict, "aic_advantage")
    assert worst["interval"] == [min(low for low, _ in ends), min(high for _, high in ends)]


def test_more_seeds_of_some_n_join_the_others():
    data = {
        "acquisition": synthetic.acquisition(seeds=20, lengths=(8, 16, 32)),
        "more_seeds": synthetic.acquisition(seeds=50, lengths=(8, 16)),
    }
    shorter = data["more_seeds"].isel(evaluation=slice(300))  # records of another length
    data["more_seeds"] = synthetic_outcomes.further(shorter).assign_attrs(experiment="more_seeds")
    claim = CONFIG["claims"]["long_tail"]
    claim = {**claim, "experiments": {role: role for role in data}}
    few, verdict = (
        claims.evaluate(claim, "long_tail", given, "laptop").to_json()
        for given in ({"acquisition": data["acquisition"]}, data)
    )
    rows = verdict["details"]["by_length"]
    assert [row["replicates"] for row in rows] == [70, 70, 20]
    assert verdict["replicates"] == 160
    assert verdict["data_digests"].keys() == data.keys()
    widths = [np.ptp(v["details"]["by_length"][0]["interval"]) for v in (few, verdict)]
    assert widths[1] < widths[0]


def test_too_few_replicates_are_not_computable():
    for name, data in (
        ("linear_ticl", synthetic.acquisition(seeds=3)),
        ("sharp_transition", synthetic.transition(seeds=3)),
    ):
        verdict = evaluate(name, data)
        assert verdict["verdict"] == UNDECIDED
        assert "fewer than 4 replicates" in verdict["reason"]


def test_a_missing_experiment_and_missing_blocks_are_named(acquisition):
    claim = CONFIG["claims"]["linear_ticl"]
    verdict = claims.evaluate(claim, "linear_ticl", {}, "laptop").to_json()
    assert verdict["verdict"] == UNDECIDED
    assert "no data of acquisition" in verdict["reason"]
    acquisition = acquisition.assign_attrs(missing_blocks='["N64_Kinf_seeds0-3_abc"]')
    verdict = evaluate("linear_ticl", acquisition)
    assert verdict["missing_blocks"] == ["N64_Kinf_seeds0-3_abc"]
    assert "N64_Kinf_seeds0-3_abc" in markdown([verdict])


def test_sparse_evaluations_get_a_note(acquisition):
    assert evaluate("linear_ticl", acquisition)["details"]["notes"] == []
    verdict = evaluate("linear_ticl", acquisition, finest_spacing=0.01)
    assert "N = 16: evaluations are 1." in verdict["details"]["notes"][0]


@pytest.mark.parametrize(
    "name", ["sharp_transition", "abrupt_acquisition", "linear_ticl", "long_tail"]
)
def test_verdicts_are_plain_complete_and_repeatable(name, transition, acquisition):
    role = next(iter(CONFIG["claims"][name]["experiments"]))
    data = {"transition": transition, "acquisition": acquisition}[role]
    verdict = evaluate(name, data)
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    assert verdict == evaluate(name, data)
    assert Verdict.from_json(verdict).to_json() == verdict
    assert verdict["data_digests"] == {role: data.attrs["data_digest"]}
    assert set(verdict) == {
        *("id", "statement", "source", "statistic", "paper_value", "preset", "tries"),
        *("criteria", "verdict", "replicates", "censored", "diverged", "missing_blocks"),
        *("data_digests", "band_digest", "reason", "details"),
    }
    other_seed = evaluate(name, data, seed=1)
    assert other_seed["band_digest"] != verdict["band_digest"]


def test_the_table_tells_what_decided(transition, acquisition):
    verdicts = [
        evaluate("sharp_transition", transition),
        evaluate("linear_ticl", acquisition),
        evaluate("abrupt_acquisition", synthetic.transition(threshold=1e9)),
    ]
    text = markdown(verdicts)
    assert text.startswith("# Claims, measured at size laptop\n")
    for verdict in verdicts:
        assert f"## {verdict['id']}: {verdict['verdict']}" in text
        assert verdict["band_digest"] in text
    assert "not computable" in text
    assert "80 replicates, 0 censored, 0 diverged; intervals at 95% from 400 resamples" in text


def test_a_verdict_says_which_try_it_is(acquisition):
    claim = CONFIG["claims"]["linear_ticl"]
    data = dict.fromkeys(claim["experiments"], acquisition)
    first, third = (
        claims.evaluate({**claim, **tries}, "linear_ticl", data, "laptop").to_json()
        for tries in ({}, {"tries": 3})
    )
    # Nothing else depends on it, the digest of bands and options included.
    assert third == {**first, "tries": 3}
    assert first["tries"] == 1
    text = markdown([third])
    assert f"| linear_ticl | **{third['verdict']}**, try 3 | " in text
    assert "This is try 3 at this size: docs/regime.md" in text
    assert " try " not in markdown([first]).lower()


def test_the_laptop_sizes_tries_are_those_of_its_page():
    settings = yaml.safe_load((ROOT / "config/laptop.yaml").read_text(encoding="utf-8"))
    page = (ROOT / "docs/regime.md").read_text(encoding="utf-8")
    table = page.partition("\n## Tries")[2].partition("\n## ")[0]
    listed = {
        claim: int(tries)
        for names, tries in re.findall(r"^\| (.+?) \| (\d) \|", table, re.MULTILINE)
        for claim in names.split(", ")
    }
    assert listed.pop("the ten others") == 1
    assert listed == {name: entry["tries"] for name, entry in settings["claims"].items()}
    assert len(CONFIG["claims"]) == len(listed) + 10


def test_every_statistic_has_its_claim():
    assert set(OPTIONS) == set(measurements.declared())


def test_analysis_and_figures_do_not_import_torch():
    code = (
        "import sys, icl.claims, icl.figures\n"
        f"[icl.figures.load(name) for name in {list(CONFIG['figures'])}]\n"
        "sys.exit('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(ROOT / "scripts")})


ELSEWHERE = {"exponential_beta0", "start_or_data", "shifted_start", *synthetic_kinetics.CASES}
ELSEWHERE |= {
    "foretold_times",
    "foretold_slopes",
    "any_data",
    "raced_rates",
    "foretold_outcomes",
    "halted_memory",
}
HERE = set(measurements.declared()) - ELSEWHERE
OPTIONS = {
    claim["statistic"]: claim["options"]
    for claim in [*BEYOND.values(), *STUDY.values(), *CONFIG["claims"].values()]
}


@pytest.mark.parametrize("name", sorted(HERE))
def test_a_statistic_measures_what_it_declares(name):
    declared = measurements.declared()[name]
    data = {role: synthetic_outcomes.ROLES[role]() for role in declared.roles}
    if name == "transition_width":  # which needs more than one K between the plateaus
        data["transition"] = synthetic.transition(width=0.6, seeds=32)
    options = OPTIONS[name] | {"resamples": 200}
    found = measurements.load(name)(data, options)
    assert set(found.estimates) == set(declared.quantities)


def test_what_to_know_of_a_size_stands_above_its_verdicts(transition):
    found = Verdict.from_json(evaluate("sharp_transition", transition))
    text = table.markdown([found], "A look.\nNot | more.")
    assert text.index("A look. Not | more.") < text.index("| claim |")
    assert "A look" not in table.markdown([found])
