import coverage_study as study
import numpy as np
import pytest
import synthetic
from icl import measurements
from icl.statistics import curves, fits
from lifelines import KaplanMeierFitter
from scipy import optimize, stats

NAN = np.nan


def test_acquisition_needs_a_second_evaluation_above_the_threshold():
    accuracy = np.array(
        [
            [0.5, 0.96, 0.90, 0.97, 0.98, 0.99],  # one alone is noise
            [0.5, 0.95, 0.95, 0.95, 0.95, 0.95],  # at it is not above it
            [0.5, 0.6, 0.7, 0.8, 0.9, 0.96],  # the last has no second
            [0.5, 0.97, 0.98, NAN, NAN, NAN],  # stopped there
            [0.5, 0.6, 0.99, NAN, NAN, NAN],
            [NAN] * 6,
        ]
    )
    clock = np.broadcast_to(np.arange(6.0) * 10, accuracy.shape)
    passage = curves.acquisition_time(accuracy, clock, 0.95)
    assert passage.reached.tolist() == [True, False, False, True, False, False]
    assert passage.time.tolist() == [30, 50, 50, 10, 20, 0]
    assert curves.last_value(accuracy)[:5].tolist() == [0.99, 0.95, 0.96, 0.98, 0.99]
    assert np.isnan(curves.last_value(accuracy)[5])


def test_the_censored_median_is_lifelines():
    generator = np.random.default_rng(0)
    times = np.round(generator.lognormal(3, 0.5, (60, 15)), 0)  # with ties
    reached = generator.random(times.shape) < 0.5
    ours = curves.censored_median(times, reached)
    for row, median in enumerate(ours):
        survival = (
            KaplanMeierFitter().fit(times[row], reached[row]).survival_function_["KM_estimate"]
        )
        half = survival.index[survival <= 0.5 + 1e-9]  # lifelines misses 0.5 by rounding
        assert median == (half[0] if len(half) else np.inf)
    assert np.isinf(ours).any()
    assert np.isfinite(ours).any()
    assert curves.censored_median(times[0], reached[0]) == ours[0]
    everything = np.ones(times.shape, dtype=bool)
    assert (curves.censored_median(times, everything) == np.median(times, axis=1)).all()


def test_dropping_censored_runs_would_bias_the_median():
    generator = np.random.default_rng(0)
    kept, dropped = [], []
    for _ in range(200):
        true = generator.lognormal(0, 0.5, 31)
        reached = true < 1.2  # a budget of 1.2 medians
        times = np.minimum(true, 1.2)
        kept.append(curves.censored_median(times, reached))
        dropped.append(np.median(times[reached]))
    assert np.median(kept) == pytest.approx(1, abs=0.03)
    assert np.median(dropped) < 0.82


def test_resamples_keep_each_stratum_and_repeat():
    strata = np.array([3, 1, 3, 3, 1, 2])
    drawn = curves.stratified_resamples(strata, 500, seed=4)
    assert (strata[drawn] == strata).all()
    assert set(drawn[:, 0]) == {0, 2, 3}
    assert (drawn == curves.stratified_resamples(strata, 500, seed=4)).all()
    assert (drawn != curves.stratified_resamples(strata, 500, seed=5)).any()


def test_a_failed_resample_counts_against_both_ends():
    values = np.arange(1000.0)
    assert curves.interval(values, 0.95) == (24, 975)
    few = values.copy()
    few[500:510] = NAN
    low, high = curves.interval(few, 0.95)
    assert 10 < low < 24
    assert 975 < high < 990
    values[500:530] = NAN
    assert curves.interval(values, 0.95) == (-np.inf, np.inf)


def test_the_logistic_fit_recovers_a_curve_and_agrees_with_curve_fit():
    x = np.linspace(2.7, 4, 11)
    weights = np.full(11, 8.0)
    exact = fits.logistic(x, 3.3, 0.4, 0.5, 0.98)
    fit = fits.fit_logistic(x, exact[None], weights, 0.5, (0.9, 1.0))
    assert fit.midpoint[0] == pytest.approx(3.3, abs=0.005)
    assert fit.width[0] == pytest.approx(0.4, rel=0.05)
    assert fit.ceiling[0] == pytest.approx(0.98, abs=0.002)
    noise = 0.05 * np.random.default_rng(1).standard_normal((20, 11))
    noisy = fits.fit_logistic(x, exact + noise, weights, 0.5, (0.9, 1.0))
    for row, y in enumerate(exact + noise):
        (midpoint, width, _), _ = optimize.curve_fit(
            lambda x, m, w, c: fits.logistic(x, m, w, 0.5, c),
            x,
            y,
            p0=(3.3, 0.4, 0.97),
            bounds=([2.7, 0.13, 0.9], [4, 13, 1.0]),
        )
        assert noisy.midpoint[row] == pytest.approx(midpoint, abs=0.01)
        assert noisy.width[row] == pytest.approx(width, rel=0.07)


def test_the_logistic_fit_of_saturated_flat_and_falling_data():
    x = np.linspace(2.7, 4, 14)
    step = np.where(np.arange(14) < 6, 0.5, 1.0)
    rows = np.stack([step, step[::-1], np.full(14, 0.5), np.full(14, 0.99)])
    fit = fits.fit_logistic(x, rows, np.full(14, 8.0), 0.5, (0.9, 1.0))
    assert fit.midpoint[0] == pytest.approx((x[5] + x[6]) / 2, abs=0.005)
    assert fit.width[0] == pytest.approx(x[1] - x[0])
    assert fit.width[1] == np.inf
    assert np.isnan(fit.midpoint[1:]).all()
    assert np.isnan(fit.width[2:]).all()


def test_trends():
    x = np.array([16, 24, 32, 48, 64.0])
    generator = np.random.default_rng(0)
    noisy = 3 * x * np.exp(0.1 * generator.standard_normal(5))
    fit = fits.fit_trend(x, np.stack([2 * x**1.3, 5 + 2 * x, noisy, x * np.inf]))
    assert fit.exponent[0] == pytest.approx(1.3)
    assert fit.curvature[0] == pytest.approx(0, abs=1e-9)
    assert (fit.slope[1], fit.intercept[1]) == pytest.approx((2, 5))
    assert fit.r_squared[1] == pytest.approx(1)
    line, power = stats.linregress(x, noisy), stats.linregress(np.log(x), np.log(noisy))
    assert fit.r_squared[2] == pytest.approx(line.rvalue**2)
    assert fit.slope[2] == pytest.approx(line.slope)
    assert fit.exponent[2] == pytest.approx(power.slope)
    assert np.isnan([fit.exponent[3], fit.r_squared[3]]).all()


def test_a_quadratic_in_the_logarithms_has_its_curvature():
    x = np.geomspace(10, 100, 6)
    fit = fits.fit_trend(x, np.exp(1 + 0.5 * np.log(x) + 0.2 * np.log(x) ** 2)[None])
    assert fit.curvature[0] == pytest.approx(0.2)


def test_the_aic_advantage_is_scipys_with_and_without_censoring():
    generator = np.random.default_rng(2)
    times = generator.lognormal(1, 0.6, 40)
    everything = np.ones((1, 40), dtype=bool)
    normal = stats.norm.logpdf(times, *stats.norm.fit(times)).sum()
    log_normal = stats.lognorm.logpdf(times, *stats.lognorm.fit(times, floc=0)).sum()
    ours = curves.aic_advantage(times[None], everything)[0]
    assert ours == pytest.approx(2 * (log_normal - normal), rel=1e-3)
    assert ours > 0

    reached = times < 4.5
    times = np.minimum(times, 4.5)
    data = stats.CensoredData.right_censored(times, ~reached)
    likelihoods = []
    for family, fixed in ((stats.lognorm, {"floc": 0}), (stats.norm, {})):
        frozen = family(*family.fit(data, **fixed))
        likelihoods.append(
            frozen.logpdf(times[reached]).sum() + frozen.logsf(times[~reached]).sum()
        )
    ours = curves.aic_advantage(times[None], reached[None])[0]
    assert ours == pytest.approx(2 * (likelihoods[0] - likelihoods[1]), rel=1e-2)


def test_no_likelihood_and_no_shape_without_variation():
    equal, everything = np.full((1, 8), 2.0), np.ones((1, 8), dtype=bool)
    assert np.isnan(curves.aic_advantage(equal, everything))
    assert np.isnan(curves.aic_advantage(np.arange(1.0, 9)[None], ~everything))
    assert np.isnan(curves.skewness(equal))
    assert np.isnan(curves.spearman(equal, np.arange(8.0)[None]))


def test_skewness_and_spearman_are_scipys():
    x, y = np.random.default_rng(3).lognormal(0, 0.5, (2, 3, 30))
    y[:, :10] = 1.0  # ties
    assert curves.skewness(x)[1] == pytest.approx(stats.skew(x[1], bias=False))
    assert curves.spearman(x, y)[2] == pytest.approx(stats.spearmanr(x[2], y[2]).statistic)


def test_coverage_of_the_exponent():
    """The percentile interval of medians of 16 would hold the truth in 99 %."""
    lengths, seeds = study.LENGTHS.astype(float), 16
    members = list(np.arange(len(lengths) * seeds).reshape(-1, seeds))
    held = []
    for repeat in range(300):
        generator = np.random.default_rng(repeat)
        times = np.repeat(lengths**1.1, seeds) * generator.lognormal(0, 0.4, len(lengths) * seeds)

        def exponent(*drawn, times=times):
            medians = [
                np.quantile(times[own], 0.5, axis=-1, method="inverted_cdf") for own in drawn
            ]
            return fits.fit_trend(lengths, np.stack(medians, axis=-1)).exponent

        low, high = curves.bca_interval(members, exponent, 300, repeat, 0.95)
        held.append(low <= 1.1 <= high)
    assert 0.9 <= np.mean(held) <= 0.98


def test_coverage_of_the_threshold():
    assert study.threshold_coverage(30, width=0.3) >= 0.9


def test_an_r_squared_at_the_bands_edge_is_seldom_decided():
    """The percentile interval would never say `reproduced`, even of medians on a line."""
    edge = study.acquisition(seeds=32, exponent=study.CURVED)
    shares = study.decided(study.measured("linear_ticl", "r_squared", 40, edge), [0.97, None])
    assert max(shares) <= 0.1
    straight = study.acquisition(seeds=64, exponent=1.0, spread=0.2)
    yes, no = study.decided(study.measured("linear_ticl", "r_squared", 20, straight), [0.97, None])
    assert yes > 0.8
    assert no == 0


def test_normal_times_are_seldom_called_skewed():
    normal = study.acquisition(seeds=16, normal=True, spread=0.25)
    yes, _ = study.decided(study.measured("long_tail", "skewness", 60, normal), [0, None])
    assert yes <= 0.1


def test_a_measurement_does_not_depend_on_the_order_of_runs():
    data = synthetic.acquisition(seeds=8)
    shuffled = data.isel(run=np.random.default_rng(0).permutation(data.sizes["run"]))
    one, other = (
        measurements.load("linear_ticl")({"acquisition": d}, study.OPTIONS).estimates["exponent"]
        for d in (data, shuffled)
    )
    assert one == other


def test_resampled_seeds_keep_their_runs_together():
    strata, seeds = np.repeat([0, 1, 2], 4), np.tile([5, 6, 7, 8], 3)
    drawn = curves.seed_resamples(strata, seeds, 50, 0)
    assert (strata[drawn] == strata).all()
    by_stratum = seeds[drawn].reshape(50, 3, 4)
    assert (by_stratum == by_stratum[:, :1]).all()
    assert len({tuple(row) for row in by_stratum[:, 0]}) > 20
    # A seed that is missing in one stratum is replaced by another of that stratum.
    kept = np.arange(12) != 4
    drawn = curves.seed_resamples(strata[kept], seeds[kept], 50, 0)
    assert (strata[kept][drawn] == strata[kept]).all()


def test_more_seeds_in_one_stratum_leave_those_of_all_together():
    strata = np.repeat([0, 1], [12, 4])
    seeds = np.concatenate([np.arange(12), np.arange(4)])
    groups = (seeds >= 4).astype(int)
    drawn = seeds[curves.seed_resamples(strata, seeds, 200, 0, groups)]
    assert (drawn[:, :4] == drawn[:, 12:]).all()
    assert set(drawn[:, :4].flat) == {0, 1, 2, 3}
    assert set(drawn[:, 4:12].flat) == set(range(4, 12))
