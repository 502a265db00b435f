"""From one number for each replicate to an estimate with its interval, where replicates are few.

With eight seeds a percentile bootstrap of a mean or of a deviation is too narrow, for it cannot see
beyond its sample. So a mean has Student's interval, a deviation the chi-square one; only the median
is bootstrapped. tests/unit/coverage_kinetics.py measures how often each holds the truth.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from icl.measurements.base import UNKNOWN, Estimate, estimate
from icl.statistics import curves


def mean(values: np.ndarray, options: dict[str, Any], unit: str = "") -> Estimate:
    """Estimate the mean over independent replicates, with Student's interval.

    Returns the estimate; its ends are NaN where there are fewer than two replicates.

    Args:
        values: (R,) one for each replicate.
        unit: in words.
    """
    if len(values) < 2:
        return Estimate(float(np.mean(values)) if len(values) else np.nan, np.nan, np.nan, unit)
    if np.ptp(values) == 0:  # no spread, no interval: scipy would warn and give NaN
        return Estimate(float(values[0]), float(values[0]), float(values[0]), unit)
    ends = stats.ttest_1samp(values, 0.0).confidence_interval(options["confidence"])
    return Estimate(float(np.mean(values)), float(ends.low), float(ends.high), unit)


def median(
    values: np.ndarray, seeds: np.ndarray, options: dict[str, Any], unit: str = ""
) -> Estimate:
    """Estimate the median over runs, with the percentile interval of a bootstrap of their seeds.

    A seed is drawn with all its runs, for they are one replicate. Where seeds have several, the
    interval is the expanded one: the median of many values varies almost as smoothly as a mean, and
    the steps that widen the interval of one run a seed are missing.

    Returns the estimate; unknown where there is no run.

    Args:
        values: (R,) one for each run.
        seeds: (R,) of each run.
        unit: in words.
    """
    if not len(values):
        return UNKNOWN
    by_seed = pd.Series(values).groupby(seeds).agg(list)
    table = pd.DataFrame(by_seed.tolist()).to_numpy()  # (S, most runs of a seed), NaN-padded
    drawn = curves.stratified_resamples(np.zeros(len(table)), options["resamples"], options["seed"])
    medians = np.nanmedian(table[drawn], axis=(1, 2))
    several = len(table) if table.shape[1] > 1 else None
    return estimate(np.median(values), medians, options, unit, several)


def reciprocal(e: Estimate) -> Estimate:
    """Estimate 1/x from the estimate of a positive x: no end is known where x may be 0."""
    ends = (1 / e.high, 1 / e.low) if e.low > 0 else (-np.inf, np.inf)
    return Estimate(1 / e.value if e.value else np.nan, *ends)


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Estimate a less b, measured on different runs, from their intervals at one level.

    Each keeps the interval that its own number of seeds asks for; the distances from values to
    ends add as independent errors do.

    Source: Zou and Donner 2008, Statistics in Medicine 27:1693.
    """
    value = a.value - b.value
    return Estimate(
        value,
        float(value - np.hypot(a.value - a.low, b.high - b.value)),
        float(value + np.hypot(a.high - a.value, b.value - b.low)),
    )


def variation(values: np.ndarray, level: float) -> Estimate:
    """Estimate a coefficient of variation, with the interval of a log-normal sample.

    The deviation s of the logarithms has a chi-square interval; the coefficient of variation of a
    log-normal is sqrt(e^(s^2) - 1), which for small s is s.

    Args:
        values: (R,) positive, one for each replicate, at least two.
        level: of confidence.
    """
    freedom = len(values) - 1
    squares = freedom * np.var(np.log(values), ddof=1)
    tail = (1 - level) / 2
    bounds = squares / stats.chi2.ppf([1 - tail, tail], freedom)
    low, high = np.sqrt(np.expm1(bounds))
    return Estimate(float(np.sqrt(np.expm1(squares / freedom))), float(low), float(high))


def worst(estimates: Sequence[Estimate], guarded: Sequence[Estimate]) -> Estimate:
    """Estimate the largest of several quantities: "at every K" is a conjunction.

    The upper end is the largest upper end: all lie below it only if every one does. The lower end
    is the largest lower end of intervals at the level that their number asks for (Bonferroni), as
    the largest of many noisy ends is high by chance.

    Args:
        estimates: at the level of confidence.
        guarded: of the same quantities, at 1 - (1 - level) / their number.
    """
    return Estimate(  # NaN, where one is unknown, is the largest
        float(np.max([e.value for e in estimates])),
        float(np.max([e.low for e in guarded])),
        float(np.max([e.high for e in estimates])),
    )
