"""Tests and intervals of counts and of censored times, from libraries: log-rank, dip, proportions.

A test's p-value has no interval. `claims.judge` takes it as it is: in the band it decides, outside
it leaves a claim undecided, for a test that does not reject shows nothing.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats


def proportion_interval(successes: int, number: int, level: float) -> tuple[float, float]:
    """Exact (Clopper-Pearson) interval of a proportion: never narrower than its level says."""
    found = stats.binomtest(int(successes), int(number)).proportion_ci(level, method="exact")
    return float(found.low), float(found.high)


def difference_interval(
    successes: tuple[int, int], numbers: tuple[int, int], level: float
) -> tuple[float, float]:
    """Newcombe's interval of a difference of proportions, the first less the second.

    It joins the two Wilson intervals, so it does not collapse where a proportion is 0 or 1.

    Source: Newcombe 1998, Statistics in Medicine 17:873, method 10.
    """
    p, q = (s / n for s, n in zip(successes, numbers, strict=True))
    (p_low, p_high), (q_low, q_high) = (
        stats.binomtest(int(s), int(n)).proportion_ci(level, method="wilson")
        for s, n in zip(successes, numbers, strict=True)
    )
    low = p - q - np.hypot(p - p_low, q_high - q)
    high = p - q + np.hypot(p_high - p, q - q_low)
    return float(low), float(high)


def log_rank(
    durations: np.ndarray, observed: np.ndarray, exposed: np.ndarray
) -> tuple[float, float]:
    """Test by log-rank that the exposed and the others have one survival.

    Durations (R,) are until the event or, where none was observed, until censoring.

    Returns the two-sided p, and the sign of the difference: 1 if the exposed have the event
    earlier, -1 if later, 0 if neither group has one (p is then 1).
    """
    from lifelines.statistics import logrank_test  # heavy, and no figure needs it

    if not observed.any():
        return 1.0, 0.0
    found = logrank_test(
        durations[exposed], durations[~exposed], observed[exposed], observed[~exposed]
    )
    # More events than expected under one survival: rates per time at risk say which way.
    rates = [observed[group].sum() / durations[group].sum() for group in (exposed, ~exposed)]
    return float(found.p_value), float(np.sign(rates[0] - rates[1]))


def between_groups(values: np.ndarray, level: float = 0.95) -> tuple[float, float, float]:
    """Estimate the share of the variance of values (G, k) that lies between groups of k.

    The intraclass correlation of a one-way analysis of variance, with its interval, which is exact
    for normal values. The share can come out below 0.

    Source: Shrout and Fleiss 1979, Psychological Bulletin 86:420, ICC(1).
    """
    groups, size = values.shape
    means = values.mean(axis=1)
    inside = ((values - means[:, None]) ** 2).sum() / (groups * (size - 1))
    if not inside:
        return (1.0, 1.0, 1.0) if np.ptp(means) else (np.nan, np.nan, np.nan)
    ratio = size * means.var(ddof=1) / inside
    tails = stats.f.ppf([(1 + level) / 2, (1 - level) / 2], groups - 1, groups * (size - 1))
    share, low, high = ((f - 1) / (f + size - 1) for f in (ratio, *(ratio / tails)))
    return float(share), float(low), float(high)


@dataclass(frozen=True)
class Trend:
    """The dependence of log time on a covariate: its slope with Wald's interval, and the rest."""

    slope: float  # of log time on the covariate
    low: float
    high: float
    intercept: float  # log time where the covariate is 0
    spread: float  # standard deviation of log time around the line


def accelerated_times(
    durations: np.ndarray, observed: np.ndarray, covariate: np.ndarray, level: float
) -> Trend | None:
    """Fit log time as linear in a covariate with normal noise, censored times by their survival.

    Returns the fit, None where it has no answer: events at fewer than two values of the covariate.
    Durations (R,) are positive, until the event or, where none was observed, until censoring.
    """
    from lifelines import LogNormalAFTFitter
    from lifelines.exceptions import ConvergenceError

    if len(np.unique(covariate[observed])) < 2:
        return None
    centre, scale = covariate.mean(), max(np.ptp(covariate), 1e-12)
    unit = np.exp(np.log(durations).mean())
    frame = pd.DataFrame(
        {"t": durations / unit, "event": observed, "x": (covariate - centre) / scale}
    )
    fitter = LogNormalAFTFitter(alpha=1 - level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitter.fit(frame, "t", "event")
    except ConvergenceError:
        return None
    row = fitter.summary.loc[("mu_", "x")]
    slope, low, high = (
        row[name] / scale
        for name in ("coef", f"coef lower {100 * level:g}%", f"coef upper {100 * level:g}%")
    )
    intercept = fitter.params_[("mu_", "Intercept")] + np.log(unit) - slope * centre
    spread = float(np.exp(fitter.params_[("sigma_", "Intercept")]))
    if not np.isfinite([low, high]).all():
        return None
    return Trend(float(slope), float(low), float(high), float(intercept), spread)


def dip(values: np.ndarray) -> tuple[float, float]:
    """Hartigan's dip statistic and its p under one mode."""
    from diptest import diptest

    statistic, p = diptest(np.ascontiguousarray(values, dtype=np.float64))
    return float(statistic), float(p)
