"""Gradient flow of beta and w, in theory time: learning rate times step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import OptimizeResult

from icl.theory.accuracy import acquisition_beta
from icl.theory.checks import context_length_of, finite, warn_if
from icl.theory.landscape import loss_gradient

OfTime = float | Callable[[float], float]

# The early flow diverges in finite time. Once beta is this far up, what is left of the time to the
# divergence, N e^-beta / (c1 w), is below e^-30 of what has passed.
BLOW_UP_MARGIN = 30.0
TOLERANCES = {"rtol": 1e-9, "atol": 1e-12}


class FlowError(RuntimeError):
    """The integrator gave up before the flow ended."""


@dataclass(frozen=True)
class Trajectory:
    """A path of the gradient flow."""

    time: NDArray[np.float64]  # theory time, (T,)
    beta: NDArray[np.float64]  # query-key strength (dimensionless), (T,)
    w: NDArray[np.float64]  # value strength (logit), (T,)
    acquisition_time: float  # theory time; infinity if ICL is not acquired within the path

    @property
    def acquired(self) -> bool:
        """True if ICL is acquired within the path."""
        return bool(np.isfinite(self.acquisition_time))


def early_flow(
    beta0: float,
    w0: float,
    context_length: int,
    c1: OfTime = 0.5,
    c2: OfTime = 0.5,
    *,
    t_max: float | None = None,
) -> Trajectory:
    """Integrate the flow before acquisition until it diverges, which is when ICL is acquired.

    The integration variable s has ds = (1 + c1 e^beta) dt/N: it counts time in units of N while
    nothing happens, and stays regular through the divergence of beta.

    Where c1 is a function of time, ICL may never be acquired, and `t_max` is needed, at which to
    stop. Source: equations 7, 8, 31 and 32.
    """
    n = context_length_of(context_length)
    beta0, w0 = float(finite("beta0", beta0)), float(finite("w0", w0))
    if abs(beta0) > 300:
        raise ValueError("|beta0| must be at most 300")
    if t_max is None and callable(c1):
        raise ValueError("t_max is needed where ICL may never be acquired")
    if t_max is not None and not t_max > 0:
        raise ValueError("t_max must be positive")
    c1_of, c2_of = _of_time(c1, "c1"), _of_time(c2, "c2")
    if not callable(c1) and c1 == 0:
        raise ValueError("c1 = 0 leaves nothing to learn")

    unit = n * np.exp(-max(beta0, 0.0))  # of the time, so that one tolerance fits every beta0

    def velocity(_, state):
        beta, w, time = state[0], state[1], state[2] * unit
        rate, decay = c1_of(time), np.exp(-beta)
        pull = 1 - c2_of(time) * w * decay
        pace = 1 / (decay + rate)  # e^beta dt / (N ds)
        return [rate * w * pace, rate * pull * pace, n * decay * pace / unit]

    beta_end = max(beta0, 0.0) + BLOW_UP_MARGIN
    events = [_event(lambda _, state: min(state[0] - beta_end, state[1]))]
    if t_max is not None:
        events.append(_event(lambda _, state: state[2] - t_max / unit))
    solution = integrate(velocity, [beta0, w0, 0.0], np.inf, events=events)
    beta, w, time = solution.y[0], solution.y[1], solution.y[2] * unit
    reached = bool(solution.t_events[0].size)
    return Trajectory(time, beta, w, float(time[-1]) if reached else np.inf)


def loss_flow(
    beta0: float,
    w0: float,
    context_length: int,
    t_max: float,
    logits: ArrayLike = 0.0,
    *,
    form: str = "gaussian",
    accuracy: float = 0.95,
    weight_decay: float = 0.0,
    stop_when_acquired: bool = False,
    times: ArrayLike | None = None,
) -> Trajectory:
    """Integrate the flow of the whole loss, which holds before, at and after acquisition.

    ICL is acquired when `accuracy` is first reached, for w > 0 (`acquisition_beta`); warns if beta0
    is beyond that point from the start. The path ends at `t_max`, and is told at `times`, or where
    the integrator stepped. `form` is that of `loss`. Source: gradient descent on equation 5 (or
    20), with the penalty of equation 43.
    """
    n = context_length_of(context_length)
    beta0, w0 = float(finite("beta0", beta0)), float(finite("w0", w0))
    if not t_max > 0 or weight_decay < 0:
        raise ValueError("t_max must be positive and weight_decay not negative")
    threshold = acquisition_beta(n, accuracy)
    warn_if(beta0 >= threshold, "beta0 is at the acquisition threshold from the start")

    def velocity(_, state):
        d_beta, d_w = loss_gradient(state[0], state[1], n, logits, form=form)
        return [-float(d_beta), -float(d_w) - weight_decay * state[1]]

    def acquired(_, state):
        return min(state[0] - threshold, state[1])

    event = _event(acquired, terminal=stop_when_acquired)
    solution = integrate(velocity, [beta0, w0], t_max, events=[event], times=times)
    passages = solution.t_events[0]
    first = float(passages[0]) if passages.size else np.inf
    return Trajectory(solution.t, solution.y[0], solution.y[1], first)


def _of_time(value: OfTime, name: str) -> Callable[[float], float]:
    if callable(value):
        return value
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must lie in [0, 1]")
    return lambda _: value


def _event(event: Any, *, terminal: bool = True) -> Any:
    """Mark an event of `solve_ivp`, which reads these attributes of the function."""
    event.terminal, event.direction = terminal, 1
    return event


def integrate(
    velocity: Callable, start: Sequence[float], end: float, *, events=None, times=None
) -> OptimizeResult:
    """Integrate an ODE from time 0 to the project's tolerance, as `scipy.integrate.solve_ivp` does.

    Raises:
        FlowError: if the integrator fails or leaves floating point.
    """
    # LSODA: the nullcline of w is stiff for beta0 << 0, and the rest is not.
    solution = solve_ivp(
        velocity, (0.0, end), start, method="LSODA", t_eval=times, events=events, **TOLERANCES
    )
    if not solution.success or not np.all(np.isfinite(solution.y)):
        raise FlowError(f"the flow could not be integrated: {solution.message}")
    return solution
