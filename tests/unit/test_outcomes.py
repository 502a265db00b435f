"""Thresholds, fading and outcomes on data whose answers are known."""

import json

import coverage_outcomes as coverage
import numpy as np
import pytest
import synthetic
import synthetic_outcomes
import xarray as xr
from committed import CLAIMS
from icl import claims, measurements
from icl.claims import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Estimate
from icl.measurements import acquisition, fading, finite_k, intervals, memorisation, thresholds
from icl.measurements.base import Draw, NotComputableError, joined, resampled
from icl.record import StopReason
from icl.statistics import curves, hypotheses
from synthetic_outcomes import NU, ROLES


def options_of(name, **changes):
    options = dict(CLAIMS[name]["options"])
    if "resamples" in options:
        options["resamples"] = 200
    return {**options, **changes}


def evaluate(name, **data):
    claim = {**CLAIMS[name], "options": options_of(name)}
    roles = {role: data[role] if role in data else ROLES[role]() for role in claim["experiments"]}
    return claims.evaluate(claim, name, roles, "laptop").to_json()


def within(verdict, quantity):
    return next(c["verdict"] for c in verdict["criteria"] if c["quantity"] == quantity)


def stopped(data, runs=1):
    reason = data["stop_reason"].copy()
    reason[:runs] = StopReason.ACQUIRED
    return data.assign(stop_reason=reason)


# Tests and intervals


def test_a_test_decides_only_where_it_rejects():
    band = [None, 0.01]
    assert claims.judge(Estimate(0.001, 0.001, 0.001, test=True), band) == REPRODUCED
    assert claims.judge(Estimate(0.5, 0.5, 0.5, test=True), band) == UNDECIDED
    assert claims.judge(Estimate(np.nan, np.nan, np.nan, test=True), band) == UNDECIDED


def test_proportions_have_their_textbook_intervals():
    assert hypotheses.proportion_interval(0, 10, 0.95) == pytest.approx((0, 1 - 0.025 ** (1 / 10)))
    # Newcombe 1998, Table II, method 10: 56/70 - 48/80.
    low, high = hypotheses.difference_interval((56, 48), (70, 80), 0.95)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_coverage_of_proportions_of_nu_and_of_the_exponents_difference():
    """What docs/choices.md tells of 500 repeats, seen at few; the draws are fixed."""
    assert coverage.of_proportion(0.85, 64) >= 0.95
    assert 0.9 <= coverage.of_difference((0.5, 0.95), 16) <= 0.98
    assert coverage.coverage(coverage.nus(100, seeds=3), NU)[0] >= 0.88
    differences = coverage.exponent_differences(10, seeds=8, alone=3, noise=0.3)
    assert coverage.coverage(differences, 0.0)[0] >= 0.7


def test_the_log_rank_test_says_which_way():
    times = np.arange(1.0, 21.0)
    exposed = times <= 10
    p, sign = hypotheses.log_rank(times, np.ones(20, dtype=bool), exposed)
    assert p < 1e-3
    assert sign == 1
    assert hypotheses.log_rank(times, np.ones(20, dtype=bool), ~exposed)[1] == -1
    assert hypotheses.log_rank(times, np.zeros(20, dtype=bool), exposed) == (1.0, 0.0)


def test_the_trend_of_censored_times():
    generator = np.random.default_rng(0)
    x = np.repeat([0.0, 1.0, 2.0], 100)
    times = np.exp(3 - 0.5 * x + 0.2 * generator.standard_normal(300))
    limit = np.exp(3.0)  # censors half of the first group
    found = hypotheses.accelerated_times(np.minimum(times, limit), times < limit, x, 0.95)
    assert found.low < -0.5 < found.high
    assert found.intercept == pytest.approx(3, abs=0.1)
    assert found.spread == pytest.approx(0.2, abs=0.03)
    assert hypotheses.accelerated_times(times, x == 1, x, 0.95) is None  # events at one value


def test_the_seeds_of_every_n_stay_together_where_there_are_more_of_one_n():
    data = {
        "acquisition": synthetic.acquisition(lengths=(8, 16, 32), seeds=12),
        "more_seeds": synthetic_outcomes.further(synthetic.acquisition(lengths=(8,), seeds=40)),
    }
    times = acquisition._times(joined(data, *data), options_of("long_tail"))
    drawn = [times.runs["seed"].values[times.order[:, own]] for own in times.members]
    assert (drawn[1] == drawn[2]).all()
    assert (drawn[0][:, :12] == drawn[1]).all()  # ordered by seed


@pytest.mark.parametrize("draw", Draw)
def test_each_bootstrap_has_its_random_stream(draw):
    cells, seeds, options = np.repeat([0, 1], 5), np.tile(np.arange(5), 2), options_of("long_tail")
    order = resampled(cells, seeds, options, draw)
    assert (order[0] == np.arange(10)).all()
    drawn = curves.seed_resamples(cells, seeds, 200, options["seed"] + int(draw))
    assert (order[1:] == drawn).all()


def test_a_seed_that_two_experiments_share_is_one_replicate():
    data = {
        "acquisition": synthetic.acquisition(lengths=(8, 16), seeds=6),
        "more_seeds": synthetic.acquisition(lengths=(16, 24), seeds=8),
    }
    with pytest.raises(NotComputableError, match=r"seeds 0, 1, 2, 3, 4, 5 have runs of one"):
        joined(data, "acquisition", "more_seeds")
    data["more_seeds"] = synthetic_outcomes.further(data["more_seeds"])
    assert joined(data, "acquisition", "more_seeds").sizes["run"] == 28


# Transience


def test_fading_and_what_never_fades():
    verdict = evaluate("transience")
    assert verdict["verdict"] == REPRODUCED
    slope = verdict["details"]["estimates"]["fade_slope"]
    assert slope["interval"][1] < 0
    rows = verdict["details"]["by_decay"]
    assert [row["faded"] for row in rows] == [0, 8, 8, 8, 0]
    assert [row["acquired"] for row in rows] == [8, 8, 8, 8, 0]
    (note,) = verdict["details"]["notes"]
    assert note.startswith("8 of 40 runs never acquire ICL, 0 of them below the largest lambda")


def test_without_fading_nothing_is_shown():
    verdict = evaluate("transience", transience=synthetic_outcomes.transience(fades=False))
    assert verdict["verdict"] == UNDECIDED
    assert verdict["details"]["estimates"]["log_rank_p"]["value"] == 1


def test_one_run_that_acquires_at_the_largest_decay_is_enough_to_fail():
    data = synthetic_outcomes.transience()
    icl = data["icl_accuracy"].copy()
    icl[-1] = icl[0]
    verdict = evaluate("transience", transience=data.assign(icl_accuracy=icl))
    assert within(verdict, "acquired_at_largest") == NOT_REPRODUCED


def test_a_dip_of_one_evaluation_is_no_fading():
    data = synthetic_outcomes.transience(fades=False)
    icl = data["icl_accuracy"].copy()
    icl[:, 200] = 0.5
    found = fading.fading(data.assign(icl_accuracy=icl), options_of("transience"))
    assert found.acquired.any()
    assert not found.faded.any()


def lasting(acquired, faded, budget=1500.0):
    """Eight runs each without and with decay that have ICL from one time to another: (2,) each."""
    data = synthetic_outcomes.transience(decays=(0.0, 1e-3))
    group = np.arange(16) // 8
    begin, end, last = (np.broadcast_to(times, 2)[group] for times in (acquired, faded, budget))
    clock = data["theory_time"]
    icl = xr.where((clock >= xr.DataArray(begin, dims="run")) & (clock < end[:, None]), 0.999, 0.5)
    kept = clock <= last[:, None]
    return data.assign(icl_accuracy=icl.where(kept)).assign_coords(theory_time=clock.where(kept))


def test_fading_is_timed_from_acquisition():
    """Both lose ICL 300 after they acquired it, those without decay later since the start."""
    alike = lasting(acquired=(600, 60), faded=(900, 360))
    verdict = evaluate("transience", transience=alike)
    assert verdict["details"]["estimates"]["log_rank_p"]["value"] > 0.5
    sooner = lasting(acquired=(60, 600), faded=(900, 900))
    assert within(evaluate("transience", transience=sooner), "log_rank_p") == REPRODUCED


def test_what_fades_after_the_shortest_budget_has_not_faded():
    """Longer runs with decay than without show nothing that those without were given time for."""
    longer = lasting(acquired=60, faded=(np.inf, 900), budget=(600, 1500))
    details = evaluate("transience", transience=longer)["details"]
    assert details["budget"] == 600
    assert [row["faded"] for row in details["by_decay"]] == [0, 0]
    assert details["estimates"]["log_rank_p"]["value"] == 1


def test_decay_on_w_alone_and_on_both_are_told_apart():
    data = synthetic_outcomes.transience(both=True)
    options = options_of("transience")
    alone = fading.fading(data, options, "w")
    both = fading.fading(data, options)
    assert sorted(set(alone.decay)) == [0, 1e-3, 2e-3, 4e-3, 1e-1]
    assert sorted(set(both.decay)) == [0, 2e-3]


# The threshold's exponent


def test_the_exponent_and_the_prediction():
    generator = np.random.default_rng(1)
    data = synthetic_outcomes.thresholds(seeds=32, generator=generator)
    verdict = evaluate("threshold_exponent", thresholds=data)
    found = verdict["details"]["estimates"]
    low, high = found["exponent"]["interval"]
    assert low < 1 / NU < high
    assert found["nu"]["value"] == pytest.approx(NU, abs=0.01)
    assert found["difference"]["value"] == pytest.approx(0, abs=0.15)
    assert found["difference"]["value"] == pytest.approx(
        found["exponent"]["value"] - 1 / found["nu"]["value"], abs=0.02
    )
    for row in verdict["details"]["predicted_thresholds"]:
        star = synthetic_outcomes.star(row["context_length"])
        assert row["threshold"] == pytest.approx(star, rel=0.4)
        assert row["interval"][0] < row["threshold"] < row["interval"][1]


def test_the_prediction_alone_takes_k_beyond_the_range_of_nu():
    acquisition = synthetic.acquisition(lengths=(16, 32, 64))
    short = synthetic_outcomes.memorisation(n_items=(100, 250, 600))
    beyond = synthetic_outcomes.memorisation(n_items=(1500, 4000, 10000), seeds=3)
    options = options_of("threshold_exponent")
    without = thresholds.predicted_thresholds(acquisition, [short], options)
    with_it = thresholds.predicted_thresholds(acquisition, [beyond, short], options)
    assert np.isnan(without[-1]["threshold"])
    assert with_it[0] == without[0]
    star = synthetic_outcomes.star(64)
    assert with_it[-1]["threshold"] == pytest.approx(star, rel=0.4)
    both = evaluate("threshold_exponent", memorisation=short, capacity=beyond)
    alone = evaluate("threshold_exponent", memorisation=short)
    for quantity in ("nu", "inverse_nu", "difference"):
        assert both["details"]["estimates"][quantity] == alone["details"]["estimates"][quantity]


def test_a_prediction_near_the_largest_k_is_open_above():
    acquisition = synthetic.acquisition(lengths=(16, 32, 64))
    options = options_of("threshold_exponent")

    def predicted(most):
        alone = synthetic_outcomes.memorisation(n_items=(100, 250, 600, most))
        return thresholds.predicted_thresholds(acquisition, [alone], options)

    wanted = predicted(10_000)[-1]
    near = predicted(round(1.05 * wanted["threshold"]))
    assert near[-1]["threshold"] == pytest.approx(wanted["threshold"], rel=0.05)
    assert near[-1]["interval"][0] == pytest.approx(wanted["interval"][0], rel=0.1)
    assert near[-1]["interval"][1] == np.inf
    assert np.isfinite(near[0]["interval"]).all()


def test_an_n_of_one_k_is_left_out_and_named():
    data = synthetic_outcomes.thresholds(seeds=8)
    n, n_items = data["context_length"], data["n_items"]
    others = n != 16
    one = others | (n_items == n_items.where(~others).min())
    fewer = evaluate("threshold_exponent", thresholds=data.isel(run=one))["details"]
    without = evaluate("threshold_exponent", thresholds=data.isel(run=others))["details"]
    assert fewer["estimates"] == without["estimates"]
    assert "at N = 16 there are runs of one K alone" in " ".join(fewer["notes"])


def test_an_n_at_which_no_run_acquires_leaves_it_undecided():
    data = synthetic_outcomes.thresholds(seeds=8)
    least = data["context_length"] == data["context_length"].min()
    data["icl_accuracy"] = data["icl_accuracy"].where(~least, 0.5)
    verdict = evaluate("threshold_exponent", thresholds=data)
    assert verdict["verdict"] == UNDECIDED
    assert verdict["details"]["estimates"]["exponent"]["value"] is None


def test_nu_is_that_of_memorisation_exponent_with_its_interval():
    """A percentile interval of three seeds ends at the least and the largest of them."""
    alone = synthetic_outcomes.memorisation(seeds=3)
    found = evaluate("threshold_exponent", memorisation=alone)["details"]["estimates"]
    options = {"confidence": 0.95, "least_replicates": 3}
    same = measurements.load("memorisation_exponent")({"memorisation": alone}, options)
    nu, slopes = same.estimates["exponent"], memorisation.growth(alone, 3).trend.exponent
    assert found["nu"]["value"] == nu.value
    assert found["nu"]["interval"] == [nu.low, nu.high]
    assert found["inverse_nu"]["interval"] == pytest.approx([1 / nu.high, 1 / nu.low])
    assert nu.low < slopes.min()
    assert nu.high > slopes.max()


def test_differences_and_reciprocals_of_estimates():
    one, other = Estimate(5.0, 2.0, 9.0), Estimate(4.0, 1.0, 7.0)
    less = intervals.difference(one, other)
    assert (less.value, less.low, less.high) == pytest.approx((1, 1 - np.hypot(3, 3), 6))
    inverse = intervals.reciprocal(other)
    assert (inverse.value, inverse.low, inverse.high) == pytest.approx((1 / 4, 1 / 7, 1))
    unsure = intervals.reciprocal(Estimate(0.1, -0.1, 0.3))
    assert (unsure.low, unsure.high) == (-np.inf, np.inf)


def test_an_uncertain_k_star_counts_for_little_in_the_exponent():
    lengths, spread = np.array([16.0, 32.0, 64.0]), np.array([0.01, 0.01, 0.3])
    truth = np.log10(synthetic_outcomes.star(lengths))
    noise = spread * np.random.default_rng(0).standard_normal((2000, 3))
    found = thresholds.Thresholds(lengths, truth + np.vstack([[0, 0, 0.3], noise]), [], 8)
    options = options_of("threshold_exponent")
    assert thresholds.exponent(found, options).value == pytest.approx(1 / NU, abs=0.01)
    assert found.power_law.slope[0] == pytest.approx(1 / NU, abs=0.01)


def test_an_exponent_of_one_fails():
    data = synthetic_outcomes.thresholds(exponent=0.7, seeds=16)
    assert evaluate("threshold_exponent", thresholds=data)["verdict"] == NOT_REPRODUCED


def test_no_comparison_outside_the_range_of_nu():
    short = synthetic_outcomes.memorisation(n_items=(400, 800, 1600))
    verdict = evaluate("threshold_exponent", memorisation=short)
    assert verdict["details"]["estimates"]["difference"]["value"] is None
    assert any("outside the K" in note for note in verdict["details"]["notes"])


def test_a_saturated_transition_leaves_the_whole_gap_open():
    data = synthetic_outcomes.thresholds(own=0.0, shared=0.0)
    options = options_of("threshold_exponent", resamples=400)
    for row in thresholds.thresholds(data, options).rows:
        low, high = row["gap"]
        assert row["interval"][0] < low * (high / low) ** 0.1
        assert row["interval"][1] > low * (high / low) ** 0.9


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("threshold_exponent", "thresholds"),
        ("bimodality", "bimodality"),
        ("balanced_failure", "balanced"),
        ("transience", "transience"),
        ("loss_relation", "loss"),
        ("balanced_saddle", "minimal_balanced"),
    ],
)
def test_stop_rules_do_not_decide(name, role):
    verdict = evaluate(name, **{role: stopped(ROLES[role]())})
    assert verdict["verdict"] == UNDECIDED
    assert "stop rule" in verdict["reason"]


def minimal_model(transience):
    """Judge the minimal model by a sharp transition and these runs under decay."""
    sharp = synthetic.transition()
    sharp = sharp.assign(iwl_accuracy=1.5 - sharp["icl_accuracy"])
    return evaluate("minimal_model", minimal_transition=sharp, minimal_transience=transience)


def test_the_minimal_model_is_judged_where_decay_is_on_w_alone():
    fades = synthetic_outcomes.transience(both=True, experiment="minimal_transience")
    assert minimal_model(fades)["verdict"] == REPRODUCED
    stays = synthetic_outcomes.transience(both=True, fades=False, experiment="minimal_transience")
    of_both = fades["icl_accuracy"].where(fades["beta_decay"] > 0, stays["icl_accuracy"])
    verdict = minimal_model(fades.assign(icl_accuracy=of_both))
    assert verdict["verdict"] != REPRODUCED
    assert within(verdict, "log_rank_p") == UNDECIDED
    both = verdict["details"]["transient_both"]["by_decay"]
    assert sum(row["faded"] for row in both) == 8


RULE = {"when": "decided", "icl_accuracy": 0.95, "iwl_accuracy": 0.99, "confirmations": 2}


def ended_by_the_rule(data):
    """Cut each run where RULE would have ended it, one evaluation after the other."""
    data = data.copy(deep=True)
    icl, iwl = data["icl_accuracy"].values, data["iwl_accuracy"].values
    reason = data["stop_reason"].values
    for run in range(len(icl)):
        for t in range(1, icl.shape[1]):
            if (icl[run, t - 1 : t + 1] > 0.95).all():
                reason[run] = StopReason.ACQUIRED
            elif (iwl[run, t - 1 : t + 1] >= 0.99).all():
                reason[run] = StopReason.MEMORISED
            else:
                continue
            icl[run, t + 1 :] = iwl[run, t + 1 :] = np.nan
            break
    return data.assign_attrs(jobs=json.dumps([{"stop": RULE}]))


def with_a_rule(*, others, **changes):
    """Judge runs that RULE ended beside others, and the same runs whole."""
    whole = synthetic_outcomes.thresholds(seeds=16)
    claim = CLAIMS["threshold_exponent"]
    options = options_of("threshold_exponent", **{"response": "fraction_acquired", **changes})
    claim = {**claim, "options": options}
    roles = {role: ROLES[role]() for role in ("memorisation", "acquisition")}
    return tuple(
        claims.evaluate(claim, "threshold_exponent", {**roles, **runs}, "laptop").to_json()
        for runs in (
            {"thresholds": ended_by_the_rule(whole), "unstopped": others},
            {"thresholds": whole},
        )
    )


def test_a_stop_rule_is_allowed_beside_runs_without_one_that_end_alike():
    ended, whole = with_a_rule(others=synthetic_outcomes.bimodal())
    exponents = [v["details"]["estimates"]["exponent"] for v in (ended, whole)]
    assert exponents[0] == exponents[1]
    assert any("ended as it would have had it" in note for note in ended["details"]["notes"])


def test_a_stop_rule_is_refused_beside_runs_that_end_otherwise():
    others = synthetic_outcomes.bimodal()
    last = others["icl_accuracy"].values[:, -1]
    forgot = others.copy(deep=True)
    forgot["icl_accuracy"].values[np.argmax(last), -1] = 0.5  # acquired, and lost again
    ended, _ = with_a_rule(others=forgot)
    assert ended["verdict"] == UNDECIDED
    assert f"1 of {len(last)} runs without one ended otherwise" in ended["reason"]
    late = others.copy(deep=True)
    late["icl_accuracy"].values[np.argmin(last), -1] = 0.99  # memorised, and acquired after that
    ended, _ = with_a_rule(others=late)
    assert f"1 of {len(last)} runs without one ended otherwise" in ended["reason"]


def test_a_stop_rule_is_refused_beside_too_few_and_where_last_accuracies_are_fitted():
    few = synthetic_outcomes.bimodal().isel(run=slice(7))
    assert "7 runs without one; 8 are needed" in with_a_rule(others=few)[0]["reason"]
    finals, _ = with_a_rule(others=synthetic_outcomes.bimodal(), response="final_accuracy")
    assert "must be fraction_acquired" in finals["reason"]


# Outcomes


def test_bimodal_finals_and_others():
    assert evaluate("bimodality")["verdict"] == REPRODUCED
    graded = synthetic_outcomes.bimodal(graded=True)
    verdict = evaluate("bimodality", bimodality=graded)
    assert verdict["verdict"] == NOT_REPRODUCED
    assert within(verdict, "dip_p") == UNDECIDED
    assert within(verdict, "intermediates") == NOT_REPRODUCED


def test_away_from_k_star_nothing_is_decided():
    verdict = evaluate("bimodality", bimodality=synthetic_outcomes.bimodal(fraction=0.95))
    assert verdict["verdict"] == UNDECIDED
    assert "not near K*" in verdict["reason"]


def test_late_acquisition_is_no_bimodality():
    late = synthetic_outcomes.bimodal(t_icl=np.full(64, 300.0))
    assert within(evaluate("bimodality", bimodality=late), "early") == NOT_REPRODUCED


def test_failure_on_balanced_contexts():
    verdict = evaluate("balanced_failure")
    assert verdict["verdict"] == REPRODUCED
    assert verdict["details"]["n_items"] == 1300
    same = synthetic_outcomes.labels("balanced", fractions=(0.5, 1, 1))
    assert evaluate("balanced_failure", balanced=same)["verdict"] == NOT_REPRODUCED
    never = synthetic_outcomes.labels("unbalanced", fractions=(0.1, 0.2, 0.3))
    verdict = evaluate("balanced_failure", unbalanced=never)
    assert verdict["verdict"] == UNDECIDED
    assert "at no K" in verdict["reason"]
    assert all(verdict["details"][name] for name in ("unbalanced", "balanced"))  # still drawn


@pytest.mark.parametrize(
    ("wrong", "seeds", "expected"),
    [(0.0, 128, REPRODUCED), (0.5, 128, NOT_REPRODUCED), (0.0, 40, UNDECIDED)],
)
def test_the_side_of_the_saddle(wrong, seeds, expected):
    data = synthetic_outcomes.saddle(wrong=wrong, seeds=seeds)
    assert evaluate("balanced_saddle", minimal_balanced=data)["verdict"] == expected


# Beyond the paper


def test_outcomes_are_predicted_seed_by_seed():
    data = synthetic_outcomes.seeds_that_decide()
    found = finite_k.predicted_fractions(*data_in_order(data), options_of("minimal_model"))
    assert found["agreement"] == 1
    assert found["runs"] == 96
    assert found["seeds_matched_in_mlp_runs"] == 16
    for row in found["by_items"]:
        assert row["predicted"] == row["measured"]
    # Other seeds at K = infinity: nothing to predict from.
    other = data["minimal_acquisition"].assign_coords(
        seed=data["minimal_acquisition"]["seed"] + 100
    )
    with pytest.raises(finite_k.NotComputableError, match="no seed"):
        finite_k.predicted_fractions(
            *data_in_order({**data, "minimal_acquisition": other}), options_of("minimal_model")
        )


def data_in_order(data):
    return (
        data[role] for role in ("minimal_transition", "minimal_acquisition", "memorisation_raw")
    )


def test_the_ratio_of_times():
    data = synthetic_outcomes.seeds_that_decide()
    rows = finite_k.finite_over_infinite(
        data["minimal_transition"], data["minimal_acquisition"], options_of("minimal_model")
    )
    last = finite_k.largest_ratio(rows)["finite_over_infinite"]
    assert last.unit == "at N = 64, K = 1,100"
    assert last.value == pytest.approx(1.1, abs=0.06)
    assert np.isnan(rows[0]["ratio"])  # at the smallest K too few acquire


def test_the_runs_of_two_roles_are_judged_together():
    data = synthetic_outcomes.thresholds(seeds=8)
    last = data["context_length"].values == data["context_length"].values.max()
    attributes = {"jobs": "[1]", "missing_blocks": "[]", "preset": "p"}
    first = data.isel(run=np.flatnonzero(~last)).assign_attrs(attributes)
    second = data.isel(run=np.flatnonzero(last), evaluation=slice(-1, None))
    parts = {"thresholds": first, "transition": second.assign_attrs(attributes)}
    both = joined(parts, "thresholds", "transition")
    assert both.sizes == data.sizes
    assert both.attrs["jobs"] == "[1, 1]"
    finals = curves.last_value(both["icl_accuracy"].values)
    np.testing.assert_array_equal(
        np.sort(finals), np.sort(curves.last_value(data["icl_accuracy"].values))
    )
