"""Compute I_K(t), tau_K and K* of a memorising MLP, and judge whether I_K(inf) is finite."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icl.theory.checks import finite

TAIL_SAMPLES = 8
TAIL_DECADES = 1.0
TAIL_TOLERANCE = 0.05
SURELY_DIVERGENT = 0.9  # a fall slower than t^-0.9, clear of the marginal t^-1
ACCELERATION = 0.05
LOGARITHMIC_TAIL = 5.0


class Kinetics(StrEnum):
    """The two mechanisms of section 3.6, and the verdict of a record too short to tell."""

    CAPACITY = "capacity-constrained"
    DIFFERENTIAL = "differential learning kinetics"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class KineticsDecision:
    """A decision on whether I_K(t) converges, as far as a finite record tells."""

    kinetics: Kinetics
    i_recorded: float  # I_K at the end of the record (theory time)
    tail_bound: float  # on I_K(inf) - i_recorded, by the law that `decide` states; may be infinite
    decay_low: float  # lowest estimate of -d log c1 / d log t at the end of the record
    decay_high: float  # highest estimate of the same


def i_k(time: NDArray[np.float64], c1: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrate c1 (..., T), linear between theory times (T,) from 0, to I_K there (eq. 10)."""
    area = np.diff(time) * (c1[..., 1:] + c1[..., :-1])  # twice the trapezoids
    start = np.zeros((*c1.shape[:-1], 1))
    return np.concatenate([start, np.cumsum(area, axis=-1)], axis=-1)


@dataclass(frozen=True)
class MemorisationRecord:
    """A measured c1(t) of an MLP that memorises K items by itself, taken as piecewise linear."""

    time: NDArray[np.float64]  # (T,) from 0, increasing
    c1: NDArray[np.float64]  # (T,) in [0, 1]

    def __post_init__(self):
        time, c1 = finite("time", self.time), finite("c1", self.c1)
        if time.ndim != 1 or time.shape != c1.shape or time.size < 2:
            raise ValueError("time and c1 must be vectors of the same length, of at least 2")
        if time[0] != 0 or np.any(np.diff(time) <= 0):
            raise ValueError("time must start at 0 and increase")
        if np.any((c1 < 0) | (c1 > 1)):
            raise ValueError("c1 must lie in [0, 1]")
        object.__setattr__(self, "time", time)
        object.__setattr__(self, "c1", c1)

    @property
    def _cumulative(self) -> NDArray[np.float64]:
        return i_k(self.time, self.c1)

    def integral(self, time: ArrayLike) -> NDArray[np.float64]:
        """Compute I_K(t), twice the integral of c1, in theory time (as defined in eq. 10)."""
        time = finite("time", time)
        if np.any((time < 0) | (time > self.time[-1])):
            raise ValueError("time is outside the record")
        i = np.clip(np.searchsorted(self.time, time, side="right") - 1, 0, self.time.size - 2)
        step = time - self.time[i]
        slope = (self.c1[i + 1] - self.c1[i]) / (self.time[i + 1] - self.time[i])
        return self._cumulative[i] + step * (2 * self.c1[i] + slope * step)

    def acquisition_time(self, t_icl: ArrayLike) -> NDArray[np.float64]:
        """Find tau_K, when ICL is acquired at K items, by I_K(tau_K) = t_icl (eq. 10, inverted).

        It is infinite where the record never gets there.
        """
        target = finite("t_icl", t_icl)
        cumulative = self._cumulative
        if np.any(target < 0):
            raise ValueError("t_icl must not be negative")
        missed = target > cumulative[-1]
        i = np.searchsorted(cumulative, target, side="left") - 1
        i = np.clip(i, 0, self.time.size - 2)
        slope = (self.c1[i + 1] - self.c1[i]) / (self.time[i + 1] - self.time[i])
        rest = np.clip(target - cumulative[i], 0, None)
        # The root of slope s^2 + 2 c1 s = rest, in the form that does not cancel.
        root = self.c1[i] + np.sqrt(np.maximum(self.c1[i] ** 2 + slope * rest, 0))
        step = np.divide(rest, root, out=np.zeros_like(rest + root), where=root > 0)
        return np.where(missed, np.inf, np.minimum(self.time[i] + step, self.time[i + 1]))

    def decide(self) -> KineticsDecision:
        """Decide between capacity constraint and differential kinetics (section 3.6, eq. 12).

        No finite record decides whether an integral diverges; this says what it shows, by a
        criterion of ours. Over the last `TAIL_DECADES` of time, and over each half of them in log
        time, c1 is fitted as t^-p. Each p has an error of two standard errors of its fit.

        Differential: every p exceeds 1 by more than its error, and the tail at the lowest of them
        is at most `TAIL_TOLERANCE` of the recorded I_K. The tail is 2 c1(T) T/(p - 1), or five
        times that if p falls from the first half to the second: a homogeneous network of three
        layers ends on c1 = 1/(t log^q t) with q = 4/3, whose p = 1 + q/log t falls and whose tail
        is, to leading order, q/(q - 1) = 4 times that of the power law.

        Capacity: every p is below 0.9 by more than its error, and p does not rise from the first
        half to the second by more than the errors and a twentieth. The same law, carried on, then
        diverges.

        Anything else is undecided, a slow start included.
        """
        end, recorded = self.time[-1], self._cumulative[-1]
        if self.c1[-1] == 0:
            return KineticsDecision(Kinetics.DIFFERENTIAL, recorded, 0.0, np.inf, np.inf)
        middle, start = end * 10 ** (-TAIL_DECADES / 2), end * 10**-TAIL_DECADES
        fits = [
            self._decay(first, last)
            for first, last in [(start, end), (start, middle), (middle, end)]
        ]
        low = min(slope - error for slope, error in fits)
        high = max(slope + error for slope, error in fits)
        _, (early, early_error), (late, late_error) = fits
        errors = early_error + late_error
        accelerates = late - early > errors + ACCELERATION * abs(late)
        tail = 2 * self.c1[-1] * end / (low - 1) if low > 1 else np.inf
        if early - late > errors:
            tail *= LOGARITHMIC_TAIL
        kinetics = Kinetics.UNDECIDED
        if tail <= TAIL_TOLERANCE * recorded:
            kinetics = Kinetics.DIFFERENTIAL
        elif high < SURELY_DIVERGENT and not accelerates:
            kinetics = Kinetics.CAPACITY
        return KineticsDecision(kinetics, float(recorded), float(tail), float(low), float(high))

    def _decay(self, first: float, last: float) -> tuple[float, float]:
        """Fit -d log c1 / d log t over a stretch of time, with two standard errors."""
        part = (self.time >= first) & (self.time <= last) & (self.time > 0) & (self.c1 > 0)
        if part.sum() < TAIL_SAMPLES:
            raise ValueError(f"the tail needs {TAIL_SAMPLES} samples in each half")
        fit, covariance = np.polyfit(np.log(self.time[part]), np.log(self.c1[part]), 1, cov=True)
        return -fit[0], 2 * np.sqrt(covariance[0, 0])


def critical_diversity(
    log_t_icl: NDArray[np.float64], n_items: NDArray, log_i_infinity: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Solve t_ICL = I_K(inf) for log10 K* (B,), with nothing fitted (eq. 12).

    I_K(inf) was measured at the K `n_items` (G,), ascending, and is taken as linear in the
    logarithms between them; where noise lets it fall with K, its greatest value so far counts. Each
    row of the logarithms of t_ICL (B,) and of I_K(inf) (B, G) is one resample. K* is NaN where
    t_ICL is outside what was measured.
    """
    log_items = np.log10(n_items)
    found = np.full(len(log_t_icl), np.nan)
    for row, (time, integral) in enumerate(zip(log_t_icl, log_i_infinity, strict=True)):
        increasing = np.maximum.accumulate(integral)
        if increasing[0] <= time <= increasing[-1]:
            found[row] = np.interp(time, increasing, log_items)
    return found
