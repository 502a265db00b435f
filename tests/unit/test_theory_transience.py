"""Transience by substitution, by the integrated fall of w, and by the losses it stands for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icl.theory import transience
from icl.theory.checks import OutOfRangeWarning
from icl.theory.landscape import loss_exact
from scipy.integrate import solve_ivp
from scipy.special import log_expit

PROPERTY = settings(derandomize=True, deadline=None, max_examples=200, database=None)


@given(
    c3=st.floats(-200, 3).map(np.exp),
    weight_decay=st.floats(-30, 0).map(np.exp),
)
@PROPERTY
def test_tracking_w_solves_its_equation(c3, weight_decay):
    w = float(transience.w_tracking(c3, weight_decay))
    assert w > 0
    assert np.log(w) + w == pytest.approx(np.log(c3 / weight_decay), rel=1e-9, abs=1e-9)
    assert transience.w_tracking(1.1 * c3, weight_decay) > w


def fall_of_w(w0, c3, decay, time):
    """Integrate equation 44: dw/dt = c3 e^-w - lambda_w w."""

    def velocity(now, w):
        return c3(now) * np.exp(-w) - decay * w

    span = (0.0, time[-1])
    solution = solve_ivp(velocity, span, [w0], "LSODA", time, rtol=1e-9, atol=1e-12)
    return solution.y[0]


def test_w_relaxes_to_its_balance():
    time = np.linspace(0, 4e4, 50)
    w = fall_of_w(9.0, lambda _: 0.8, 1e-3, time)
    assert w[0] == 9.0
    assert w[-1] == pytest.approx(float(transience.w_tracking(0.8, 1e-3)), rel=1e-6)
    free = fall_of_w(2.0, lambda _: 1.0, 0.0, time)
    np.testing.assert_allclose(free, np.log(np.exp(2.0) + time), rtol=1e-6)


def test_w_tracks_slow_memorisation_with_the_stated_lag_and_loses_fast_memorisation():
    decay = 1e-2

    def lag_at(rate):
        time = np.linspace(0, 2 / rate, 200)
        start = float(transience.w_tracking(1.0, decay))
        w = fall_of_w(start, lambda t: np.exp(-rate * t), decay, time)
        c3 = np.exp(-rate * time)
        return w[-1] - float(transience.w_tracking(c3[-1], decay)), c3[-1]

    for rate, tolerance in [(1e-4, 0.02), (1e-5, 0.002)]:
        lag, c3 = lag_at(rate)
        assert transience.tracking_lag(c3, decay, rate) == pytest.approx(lag, rel=tolerance)
    lag, c3 = lag_at(1.0)
    assert lag > 1
    with pytest.warns(OutOfRangeWarning, match="track"):
        transience.tracking_lag(c3, decay, 1.0)


def test_icl_fades_at_e_times_the_weight_decay():
    assert transience.w_tracking(np.e * 1e-3, 1e-3) == pytest.approx(1)
    # c3 = lambda, as printed, is w = 0.567
    assert transience.w_tracking(1e-3, 1e-3) == pytest.approx(0.5671, abs=1e-4)


def test_losses_after_acquisition_are_those_of_a_logit_attended_at_random():
    w = np.array([3.0, 6.0, 12.0, 24.0])
    icl = -log_expit(w)
    iwl = -(log_expit(w) + log_expit(-w)) / 2
    np.testing.assert_allclose(transience.other_loss_of_signed_logit(icl), iwl, rtol=1e-9)
    for relation in (transience.iwl_loss_after_acquisition, transience.icl_loss_after_fading):
        error = np.abs(relation(icl) / iwl - 1)
        assert np.all(np.diff(error) < 0)
        assert error[0] < 0.05
        assert error[-1] < 1e-10


def test_equation_46_needs_attention_to_one_item_which_many_dimensions_deny():
    """Equation 4's limit spreads the attention of a target without a copy over all N."""
    n, w = 100, 8.0
    rng = np.random.default_rng(6)
    labels = 2.0 * rng.binomial(n, 0.5, size=200_000) - n
    spread = np.mean(np.logaddexp(0, -w * labels / n))
    icl = float(loss_exact(20.0, w, n))
    assert transience.iwl_loss_after_acquisition(icl) == pytest.approx(w / 2, rel=0.01)
    assert spread < 0.8


def test_equation_46_holds_for_finite_dimensions_once_beta_passes_the_freezing_point():
    n, w, dimension = 100, 8.0, 63
    rng = np.random.default_rng(8)
    scores = rng.standard_normal((4000, n)) / np.sqrt(dimension)
    labels = rng.choice([-1.0, 1.0], size=(4000, n))
    freezing = np.sqrt(2 * dimension * np.log(n))

    def iwl_loss(beta):
        attention = np.exp(beta * (scores - scores.max(axis=1, keepdims=True)))
        attention /= attention.sum(axis=1, keepdims=True)
        return np.mean(np.logaddexp(0, -w * (attention * labels).sum(axis=1)))

    assert iwl_loss(0.2 * freezing) < 1.0
    assert iwl_loss(20 * freezing) == pytest.approx(w / 2, rel=0.05)


def test_out_of_range():
    with pytest.raises(ValueError, match="weight_decay"):
        transience.w_tracking(1.0, 0.0)
    with pytest.raises(ValueError, match="c3"):
        transience.w_tracking(0.0, 1e-3)
    with pytest.raises(ValueError, match="c3 / weight_decay"), np.errstate(over="ignore"):
        transience.w_tracking(1e300, 1e-300)
    for relation in (transience.iwl_loss_after_acquisition, transience.icl_loss_after_fading):
        with pytest.warns(OutOfRangeWarning, match="equation 16"):
            relation(0.5)
        for loss in (0.0, 1.0, np.nan):
            with pytest.raises(ValueError, match="loss"):
                relation(loss)
    with pytest.raises(ValueError, match="log 2"):
        transience.other_loss_of_signed_logit(0.7)
