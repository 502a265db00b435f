"""The integrated flows against an independent integrator, their limits and their invariants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icl.theory.accuracy import acquisition_beta, icl_accuracy
from icl.theory.checks import OutOfRangeWarning
from icl.theory.flow import early_flow, loss_flow
from icl.theory.landscape import loss_exact, order_parameters
from scipy.integrate import solve_ivp

PROPERTY = settings(derandomize=True, deadline=None, max_examples=30, database=None)


def plain_time_to(beta_end, beta0, w0, n, c1, c2):
    """Time at which beta is reached, in plain time with an explicit method."""

    def reached(_, state):
        return state[0] - beta_end

    reached.terminal = True

    def velocity(t, y):  # equations 31 and 32
        return c1(t) / n * np.array([y[1] * np.exp(y[0]), np.exp(y[0]) - c2 * y[1]])

    solution = solve_ivp(
        velocity,
        (0, 1e9),
        [beta0, w0],
        method="DOP853",
        events=reached,
        rtol=1e-10,
        atol=1e-12,
    )
    return solution.t[-1], solution.y[1, -1]


@pytest.mark.parametrize(
    ("beta0", "w0", "c1", "c2"),
    [(0.0, 0.0, 0.5, 0.5), (-1.5, 0.3, 0.2, 0.9), (1.0, -0.8, 0.5, 0.1)],
)
def test_early_flow_matches_a_plain_integration(beta0, w0, c1, c2):
    n = 64
    path = early_flow(beta0, w0, n, c1, c2)
    time, w = plain_time_to(12.0, beta0, w0, n, lambda _: c1, c2)
    rest = n * np.exp(-12.0) / (c1 * w)  # to first order, good to 1e-6 of the whole
    assert path.acquired
    assert path.acquisition_time == pytest.approx(time + rest, rel=1e-6)


def test_early_flow_follows_a_measured_c1():
    n, decay = 50, 400.0
    path = early_flow(0.0, 0.0, n, lambda t: 0.5 * np.exp(-t / decay), t_max=1e6)
    constant = early_flow(0.0, 0.0, n)
    # c1 only stretches time: twice its integral at tau_K is t_ICL
    assert decay * -np.expm1(-path.acquisition_time / decay) == pytest.approx(
        constant.acquisition_time, rel=1e-7
    )
    # and if that integral stays below t_ICL, ICL is never acquired
    never = early_flow(0.0, 0.0, n, lambda t: 0.5 * np.exp(-t / 120.0), t_max=1e5)
    assert not never.acquired
    assert never.acquisition_time == np.inf
    assert never.beta[-1] < 1.5


def test_early_flow_stops_at_t_max():
    path = early_flow(-3.0, 0.0, 100, t_max=50.0)
    assert not path.acquired
    assert path.time[-1] == pytest.approx(50.0, rel=1e-6)


@given(
    beta0=st.floats(-7, 80),
    w0=st.floats(-3, 3),
    c1=st.floats(0.01, 1),
    c2=st.floats(0, 1),
    n=st.integers(2, 1_000_000),
)
@PROPERTY
def test_time_scales_as_the_context_length_and_falls_with_beta0_and_w0(beta0, w0, c1, c2, n):
    time = early_flow(beta0, w0, n, c1, c2).acquisition_time
    assert 0 < time < np.inf
    assert early_flow(beta0, w0, 2, c1, c2).acquisition_time * n / 2 == pytest.approx(time)
    assert early_flow(beta0 + 0.1, w0, n, c1, c2).acquisition_time < time
    assert early_flow(beta0, w0 + 0.1, n, c1, c2).acquisition_time < time


@pytest.mark.parametrize("form", ["exact", "gaussian"])
def test_loss_falls_along_its_flow_and_acquisition_is_where_accuracy_says(form):
    n = 200
    path = loss_flow(0.0, 0.0, n, 3000.0, [0.4, -0.4], form=form)
    loss = loss_exact(path.beta, path.w, n, [0.4, -0.4])
    assert np.all(np.diff(loss) < 1e-9)
    beta = np.interp(path.acquisition_time, path.time, path.beta)
    assert beta == pytest.approx(acquisition_beta(n), abs=0.05)
    assert icl_accuracy(beta, 1.0, n) == pytest.approx(0.95, abs=0.02)


def test_whole_flow_tends_to_the_early_one_as_the_context_grows():
    """Up to where beta is of order 1, the two differ by order 1/N."""
    mlp = [0.6, -0.3, 1.0]
    c1, c2, _ = order_parameters(mlp)
    gap = []
    for n in (100, 400, 1600):
        early = early_flow(0.0, 0.2, n, c1, c2)
        time = np.interp(1.0, early.beta, early.time)
        whole = loss_flow(0.0, 0.2, n, time, mlp, form="exact")
        gap.append(abs(whole.beta[-1] - 1.0))
    assert np.polyfit(np.log([100, 400, 1600]), np.log(gap), 1)[0] == pytest.approx(-1, abs=0.15)


def test_time_to_the_accuracy_tends_to_the_time_of_divergence():
    """What is left at e^beta = 1.6 sqrt(N) shrinks, and so does the error of ignoring it."""
    gap = []
    for n in (100, 1600, 25_600, 409_600):
        whole = loss_flow(0.0, 0.0, n, 100.0 * n, stop_when_acquired=True).acquisition_time
        gap.append(abs(whole / early_flow(0.0, 0.0, n).acquisition_time - 1))
    assert gap[0] < 0.02
    assert gap[-1] < 3e-4


def test_no_initial_condition_escapes_icl_on_the_standard_task():
    for beta0, w0 in [(-2.0, 0.0), (2.0, -4.0), (-1.0, 5.0), (0.0, -3.0)]:
        path = loss_flow(beta0, w0, 30, 2e4, form="exact")
        assert path.acquired
        assert path.w[-1] > 1


def test_weight_decay_holds_w_down():
    free = loss_flow(1.0, 0.0, 50, 5000.0)
    held = loss_flow(1.0, 0.0, 50, 5000.0, weight_decay=1e-3)
    assert held.w[-1] < free.w[-1] - 1
    assert held.w[-1] * np.exp(held.w[-1]) == pytest.approx(1000, rel=0.1)  # equation 45


def test_out_of_range():
    for kwargs in ({"c1": 0.0}, {"c1": 1.5}, {"c2": -0.1}, {"c1": lambda _: 0.5}):
        with pytest.raises(ValueError, match=r"c1|c2|t_max"):
            early_flow(0.0, 0.0, 100, **kwargs)
    with pytest.raises(ValueError, match="t_max"):
        early_flow(0.0, 0.0, 100, t_max=-1.0)
    with pytest.raises(ValueError, match="beta0"):
        early_flow(400.0, 0.0, 100)
    with pytest.raises(ValueError, match="finite"):
        loss_flow(np.nan, 0.0, 100, 10.0)
    with pytest.raises(ValueError, match="t_max"):
        loss_flow(0.0, 0.0, 100, 0.0)
    with pytest.warns(OutOfRangeWarning, match="threshold"):
        loss_flow(5.0, 0.0, 100, 1.0)
