"""I_K and its inverse on curves whose integrals are known, and the decision on the mechanism."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icl.theory.acquisition import t_icl_near_origin
from icl.theory.flow import early_flow
from icl.theory.memorisation import (
    Kinetics,
    MemorisationRecord,
    critical_diversity,
)
from scipy.integrate import cumulative_trapezoid
from scipy.special import expit

PROPERTY = settings(derandomize=True, deadline=None, max_examples=150, database=None)


def record(c1, end=1e6, n=4000):
    time = np.concatenate([[0.0], np.geomspace(1e-2, end, n)])
    return MemorisationRecord(time, c1(time))


def test_integral_of_a_known_curve():
    measured = record(lambda t: 0.5 * np.exp(-t / 300))
    time = np.array([0.0, 10.0, 250.0, 5e3])
    np.testing.assert_allclose(
        measured.integral(time), 300 * -np.expm1(-time / 300), rtol=2e-5, atol=1e-12
    )


def test_a_network_that_learns_nothing_keeps_the_clock():
    measured = MemorisationRecord(np.array([0.0, 7.0, 1000.0]), np.full(3, 0.5))
    time = np.array([0.0, 3.0, 512.5])
    np.testing.assert_allclose(measured.integral(time), time)
    np.testing.assert_allclose(measured.acquisition_time(time), time)


@given(
    c1=st.lists(st.floats(0, 1), min_size=3, max_size=20),
    share=st.floats(0, 1),
)
@PROPERTY
def test_acquisition_time_inverts_the_integral(c1, share):
    measured = MemorisationRecord(np.arange(len(c1)) * 2.5, np.array(c1))
    target = share * float(measured.integral(measured.time[-1]))
    time = float(measured.acquisition_time(target))
    assert 0 <= time <= measured.time[-1]
    assert measured.integral(time) == pytest.approx(target, rel=1e-7, abs=1e-7)


def test_acquisition_time_is_that_of_the_flow_with_the_same_c1():
    n, c1 = 60, lambda t: 0.5 / (1 + t / 500.0) ** 2
    at_infinity = early_flow(0.0, 0.0, n).acquisition_time
    direct = early_flow(0.0, 0.0, n, c1, t_max=1e5).acquisition_time
    assert record(c1).acquisition_time(at_infinity) == pytest.approx(direct, rel=1e-4)


def test_what_the_record_never_reaches():
    measured = record(lambda t: 0.5 * np.exp(-t / 300))
    times = measured.acquisition_time([100.0, 301.0])
    assert np.isfinite(times[0])
    assert times[1] == np.inf


@pytest.mark.parametrize(
    ("c1", "kinetics"),
    [
        (lambda t: 0.5 * np.exp(-t / 1e4), Kinetics.DIFFERENTIAL),
        (lambda t: 0.5 / (1 + t / 100) ** 2, Kinetics.DIFFERENTIAL),
        (lambda t: 0.2 + 0.3 * np.exp(-t / 1e3), Kinetics.CAPACITY),
        (lambda t: 0.5 / np.sqrt(1 + t / 100), Kinetics.CAPACITY),
        (lambda t: 0.5 / (1 + t / 1e4), Kinetics.UNDECIDED),  # diverges, as a logarithm
        (lambda t: 0.5 / (1 + t / 100) ** 1.05, Kinetics.UNDECIDED),  # converges, too slowly
        (lambda t: 0.5 * np.exp(-t / 1e7), Kinetics.UNDECIDED),  # so far nothing is learned
        (lambda t: np.full_like(t, 0.5), Kinetics.CAPACITY),
    ],
)
def test_decision_on_known_curves(c1, kinetics):
    assert record(c1).decide().kinetics is kinetics


def test_tail_bound_covers_the_tail_and_is_not_idle():
    decision = record(lambda t: 0.5 / (1 + t / 100) ** 2).decide()
    tail = 100.0 / (1 + 1e6 / 100)
    assert tail <= decision.tail_bound <= 1.1 * tail
    assert decision.decay_low <= 2.0 <= decision.decay_high + 1e-3
    assert decision.i_recorded == pytest.approx(100, rel=1e-3)


def test_tail_of_a_homogeneous_network_is_bounded_though_its_decay_slows():
    """dm/dt = (1 + m)^q sigma(-m) has I_K(inf) = 2/(q - 1), of which much lies in the tail."""
    m = np.linspace(0, 25, 4000)
    for q, share in [(4 / 3, 0.5), (2.0, 0.03)]:
        speed = (1 + m) ** q * expit(-m)
        time = cumulative_trapezoid(1 / speed, m, initial=0)
        decision = MemorisationRecord(time, expit(-m)).decide()
        tail = 2 / (q - 1) - decision.i_recorded
        assert share * decision.i_recorded < tail <= decision.tail_bound
        assert decision.kinetics is not Kinetics.CAPACITY


def test_noise_widens_the_decision():
    rng = np.random.default_rng(2)
    time = np.concatenate([[0.0], np.geomspace(1, 1e5, 120)])
    noisy = 0.5 / (1 + time / 50) ** 1.1 * np.exp(0.3 * rng.standard_normal(time.size))
    decision = MemorisationRecord(time, np.minimum(noisy, 1)).decide()
    assert decision.kinetics is Kinetics.UNDECIDED
    assert decision.decay_low < 1 < decision.decay_high


def test_memorised_to_the_last_digit_is_decided():
    time = np.linspace(0, 100, 50)
    decision = MemorisationRecord(time, np.maximum(0.5 - time / 100, 0)).decide()
    assert decision.kinetics is Kinetics.DIFFERENTIAL
    assert decision.tail_bound == 0


def threshold(t_icl, items, i_infinity):
    return 10 ** critical_diversity(np.log([t_icl]), items, np.log([i_infinity]))[0]


def test_threshold_goes_as_equation_13():
    """I_K(inf) = 0.4 K^nu and equation 11: K* = (t_ICL / 0.4)^(1/nu), so N^(1/nu) e^(-beta0/nu)."""
    items, nu = np.geomspace(100, 1e6, 9), 0.7

    def found(n, beta0):
        return threshold(t_icl_near_origin(beta0, n), items, 0.4 * items**nu)

    assert found(100, 0.0) == pytest.approx((float(t_icl_near_origin(0.0, 100)) / 0.4) ** (1 / nu))
    assert found(400, 0.0) / found(100, 0.0) == pytest.approx(4 ** (1 / nu))
    assert found(100, 0.3) / found(100, 0.0) == pytest.approx(np.exp(-0.3 / nu))


def test_threshold_follows_a_bent_measurement_and_is_not_extrapolated():
    items, measured = np.array([1e2, 1e3, 1e4]), np.array([10.0, 40.0, 400.0])
    for k, i in zip(items, measured, strict=True):
        assert threshold(i, items, measured) == pytest.approx(k)
    assert threshold(np.sqrt(40.0 * 400.0), items, measured) == pytest.approx(10**3.5)
    assert np.isnan(threshold(9.9, items, measured))
    assert np.isnan(threshold(400.1, items, measured))


def test_every_resample_has_its_own_threshold_and_noise_may_dip():
    items = np.array([100.0, 1000.0, 10000.0])
    integrals = np.log([[10, 40, 400], [10, 9, 400]])
    found = critical_diversity(np.log([40.0, 400.0]), items, integrals)
    np.testing.assert_allclose(found, [3, 4])


def test_out_of_range():
    for time, c1 in [([1.0, 2.0], [0.5, 0.4]), ([0.0, 0.0], [0.5, 0.4]), ([0.0, 1.0], [0.5, 1.4])]:
        with pytest.raises(ValueError, match=r"time|c1"):
            MemorisationRecord(np.array(time), np.array(c1))
    with pytest.raises(ValueError, match="finite"):
        MemorisationRecord(np.array([0.0, 1.0]), np.array([0.5, np.nan]))
    short = MemorisationRecord(np.array([0.0, 5.0, 10.0]), np.array([0.5, 0.4, 0.1]))
    with pytest.raises(ValueError, match="samples"):
        short.decide()
    with pytest.raises(ValueError, match="outside the record"):
        short.integral(11.0)
    with pytest.raises(ValueError, match="negative"):
        short.acquisition_time(-1.0)
