"""Closed forms of t_ICL against the integrated flow, each in the limit where it holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icl.theory.acquisition import (
    acquisition_time_distribution,
    t_icl_along_nullcline,
    t_icl_integrated,
    t_icl_near_origin,
)
from icl.theory.checks import OutOfRangeWarning
from icl.theory.flow import early_flow
from scipy.integrate import quad
from scipy.special import gamma, gammaincc
from scipy.stats import norm

PROPERTY = settings(derandomize=True, deadline=None, max_examples=150, database=None)
LONG = 10**6  # so that e^beta0 << N


def test_without_the_pull_of_w_on_itself_equation_34_is_exact():
    for beta0, w0 in [(0.0, 0.0), (0.3, 0.4), (-0.2, -0.4), (2.0, 0.1)]:
        time = early_flow(beta0, w0, LONG, 0.5, 0.0).acquisition_time
        assert t_icl_near_origin(beta0, LONG, w0) == pytest.approx(time, rel=1e-6)


def test_equation_34_for_either_sign_of_w0_against_its_integral_and_its_printed_form():
    n = 100
    for w0 in (-0.5, -0.1, 0.0, 0.2, 0.5):
        # dw/dt = e^beta/(2 N) with beta = beta0 + (w^2 - w0^2)/2
        area = quad(lambda w, w0=w0: np.exp(-(w**2 - w0**2) / 2), w0, np.inf)[0]
        value = float(t_icl_near_origin(0.1, n, w0))
        assert value == pytest.approx(2 * n * np.exp(-0.1) * area, rel=1e-9)
        upper = gamma(0.5) * gammaincc(0.5, w0**2 / 2)
        printed = n * np.sqrt(2) * upper * np.exp(-0.1 + w0**2 / 2)
        mended = printed * (2 * np.sqrt(np.pi) / upper - 1) if w0 < 0 else printed
        assert value == pytest.approx(mended, rel=1e-12)
        if w0 == -0.5:
            assert value > 1.9 * printed


def test_error_of_equation_35_vanishes_as_e_to_the_minus_beta0():
    beta0 = np.array([2.0, 4.0, 6.0, 8.0])
    for c2 in (0.2, 0.5, 1.0):
        exact = t_icl_integrated(beta0, LONG, c2=c2)
        error = exact / t_icl_near_origin(beta0, LONG) - 1
        # first order in c2: w = s + c2 e^-beta0 (e^(-s^2/2) - 1) along the path
        first_order = (1 - np.pi / 4) * np.sqrt(2 / np.pi) * c2 * np.exp(-beta0)
        np.testing.assert_allclose(error[1:], first_order[1:], rtol=0.02)
        assert np.all(np.diff(error) < 0)


def test_error_of_equation_35_at_the_origin_is_nine_per_cent():
    ratio = float(t_icl_integrated(0.0, LONG) / t_icl_near_origin(0.0, LONG))
    assert ratio == pytest.approx(1.0917, abs=1e-4)


@pytest.mark.parametrize("c2", [0.3, 0.5, 0.9])
def test_error_of_equation_37_vanishes_far_below_the_origin(c2):
    beta0 = np.array([-3.0, -4.0, -5.0, -6.0])
    ratio = t_icl_integrated(beta0, 100, c2=c2) / t_icl_along_nullcline(beta0, 100, c2)
    error = np.abs(ratio - 1)
    assert np.all(np.diff(error) < 0)
    # The leading correction is 2 |beta0| e^(2 beta0)/c2^2; the printed N e^(-2 beta0) misses by 2.
    bound = (2 * np.abs(beta0) + 4) * np.exp(2 * beta0) / c2**2
    assert np.all(error < bound)
    assert error[-1] < 2e-3


def test_half_of_the_printed_equation_37():
    ratio = float(t_icl_integrated(-5.0, 100)) / (100 * np.exp(10.0))
    assert ratio == pytest.approx(0.5009, abs=1e-4)


@given(beta0=st.floats(-0.5, 3.9), w0=st.floats(-0.5, 0.5), n=st.integers(100, 1_000_000))
@PROPERTY
def test_equation_34_is_within_a_quarter_of_the_flow_in_its_range(beta0, w0, n):
    time = early_flow(beta0, w0, n).acquisition_time
    assert t_icl_near_origin(beta0, n, w0) == pytest.approx(time, rel=0.25)


def test_flow_of_the_loss_needs_a_little_longer_at_short_contexts():
    n = [16, 64, 256]
    ratio = [float(t_icl_integrated(0.0, k, flow="loss") / t_icl_integrated(0.0, k)) for k in n]
    assert np.all(np.diff(ratio) < 0)
    assert ratio[0] > 1.05
    assert ratio[-1] == pytest.approx(1, abs=0.01)


def test_distribution_is_the_flow_pushed_forward():
    mean, sd, n = -0.5, 0.4, 1000
    law = acquisition_time_distribution(mean, sd, n)
    rng = np.random.default_rng(11)
    times = t_icl_integrated(mean + sd * rng.standard_normal(150), n)
    level = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    fraction = [(times <= t).mean() for t in law.quantile(level)]
    np.testing.assert_allclose(fraction, level, atol=3 * 0.5 / np.sqrt(150))
    assert law.quantile(0.5) == pytest.approx(float(t_icl_integrated(mean, n)), rel=1e-5)
    between = np.array([-1.7, -0.63, 0.21])
    np.testing.assert_allclose(law.time_of(between), t_icl_integrated(between, n), rtol=1e-4)


def test_distribution_is_log_normal_where_the_slope_is_constant_and_only_there():
    def skewness_of_log(law):
        p = norm.cdf(np.linspace(-3, 3, 301))
        log_time = np.log(law.quantile(p))
        weight = norm.pdf(np.linspace(-3, 3, 301))
        centred = log_time - np.average(log_time, weights=weight)
        variance = np.average(centred**2, weights=weight)
        return np.average(centred**3, weights=weight) / variance**1.5

    straight = acquisition_time_distribution(-5.0, 0.2, 100)
    bent = acquisition_time_distribution(-0.7, 0.6, 1000)
    assert abs(skewness_of_log(straight)) < 0.01
    assert skewness_of_log(bent) > 0.2
    mean, sd = straight.log_normal_tangent()
    assert sd == pytest.approx(2 * 0.2, rel=5e-3)
    assert mean == pytest.approx(np.log(0.5 * 100 * np.exp(10.0)), abs=2e-3)


def test_out_of_range():
    for beta0, w0 in [(-1.0, 0.0), (0.0, 0.8), (5.0, 0.0)]:
        with pytest.warns(OutOfRangeWarning, match="equation 34"):
            t_icl_near_origin(beta0, 100, w0)
    with pytest.warns(OutOfRangeWarning, match="equation 37"):
        t_icl_along_nullcline(-1.0, 100)
    with pytest.warns(OutOfRangeWarning, match="early flow"):
        acquisition_time_distribution(0.0, 0.5, 20)
    with pytest.raises(ValueError, match="overflows"):
        t_icl_along_nullcline(-400.0, 100)
    with pytest.raises(ValueError, match="overflows"), pytest.warns(OutOfRangeWarning):
        t_icl_near_origin(-900.0, 100)
    with pytest.raises(ValueError, match="c2"):
        t_icl_along_nullcline(-4.0, 100, c2=0.0)
    with pytest.raises(ValueError, match="flow"):
        t_icl_integrated(0.0, 100, flow="other")
    with pytest.raises(ValueError, match="beta0_sd"):
        acquisition_time_distribution(0.0, 0.0, 100)
    law = acquisition_time_distribution(0.0, 0.2, 1000)
    for probability in (0.0, 1.0, np.nan):
        with pytest.raises(ValueError, match="probability"):
            law.quantile(probability)
    with pytest.raises(ValueError, match="six"):
        law.time_of(3.0)
