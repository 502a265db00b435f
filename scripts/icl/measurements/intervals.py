"""Intervals for few replicates, each with one number.

With eight seeds a percentile bootstrap of a mean or of a deviation is too narrow, as it cannot see
beyond its sample. So a mean has Student's interval and a deviation the chi-square one; only the
median is bootstrapped. tests/unit/coverage_kinetics.py measures how often each holds the truth.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from icl.measurements.base import UNKNOWN, Estimate, estimate
from icl.statistics import curves, hypotheses


def mean(values: np.ndarray, options: dict[str, Any]) -> Estimate:
    """Estimate the mean over independent replicates, with Student's interval.

    The interval's ends are NaN if there are fewer than two replicates.
    """
    if len(values) < 2:
        return Estimate(float(np.mean(values)) if len(values) else np.nan, np.nan, np.nan)
    if np.ptp(values) == 0:  # no spread, no interval: scipy would warn and give NaN
        return Estimate(float(values[0]), float(values[0]), float(values[0]))
    ends = stats.ttest_1samp(values, 0.0).confidence_interval(options["confidence"])
    return Estimate(float(np.mean(values)), float(ends.low), float(ends.high))


def median(values: np.ndarray, seeds: np.ndarray, options: dict[str, Any]) -> Estimate:
    """Estimate the median over runs (R,), with the percentile interval of a bootstrap of seeds.

    A seed is drawn with all its runs, for they are one replicate. If seeds have several runs, the
    interval is the expanded one: the median of many values varies almost as smoothly as a mean,
    without the steps that widen the interval where each seed has one run. Unknown without runs.
    """
    if not len(values):
        return UNKNOWN
    by_seed = pd.Series(values).groupby(seeds).agg(list)
    table = pd.DataFrame(by_seed.tolist()).to_numpy()  # (S, most runs of a seed), NaN-padded
    drawn = curves.stratified_resamples(np.zeros(len(table)), options["resamples"], options["seed"])
    medians = np.nanmedian(table[drawn], axis=(1, 2))
    several = len(table) if table.shape[1] > 1 else None
    return estimate(np.median(values), medians, options, seeds=several)


def slope(x: np.ndarray, y: np.ndarray, options: dict[str, Any]) -> Estimate:
    """Estimate the least-squares slope of y on x (R,), with Student's interval."""
    fit = stats.linregress(x, y)
    reach = stats.t.ppf((1 + options["confidence"]) / 2, len(x) - 2) * fit.stderr
    return Estimate(fit.slope, fit.slope - reach, fit.slope + reach)


def explained(x: np.ndarray, y: np.ndarray, options: dict[str, Any]) -> Estimate:
    """Estimate R^2, the share of the variance of y that a line in x (R,) explains."""
    r = stats.pearsonr(x, y)
    ends = np.array(r.confidence_interval(options["confidence"]))
    low = 0.0 if ends[0] < 0 < ends[1] else (ends**2).min()
    return Estimate(float(r.statistic**2), float(low), float((ends**2).max()))


def proportion(successes: int, number: int, options: dict[str, Any]) -> Estimate:
    """Estimate a proportion, with its exact interval."""
    ends = hypotheses.proportion_interval(successes, number, options["confidence"])
    return Estimate(successes / number, *ends)


def difference_of_proportions(
    successes: tuple[int, int], numbers: tuple[int, int], level: float
) -> Estimate:
    """Estimate the first of two proportions less the second, with Newcombe's interval."""
    first, second = (k / n for k, n in zip(successes, numbers, strict=True))
    return Estimate(first - second, *hypotheses.difference_interval(successes, numbers, level))


def rescaled(e: Estimate, scale: Callable[[np.ndarray], np.ndarray]) -> Estimate:
    """Take an estimate and its interval to another scale, as by `np.exp`; it must increase."""
    return Estimate(*scale(np.array([e.value, e.low, e.high])).tolist())


def reciprocal(e: Estimate) -> Estimate:
    """Estimate 1/x from the estimate of a positive x; the interval is infinite if x may be 0."""
    ends = (1 / e.high, 1 / e.low) if e.low > 0 else (-np.inf, np.inf)
    return Estimate(1 / e.value if e.value else np.nan, *ends)


def difference(a: Estimate, b: Estimate) -> Estimate:
    """Estimate a - b, measured on different runs, from their intervals at one level.

    The distances from values to ends add up as independent errors do.

    Source: Zou and Donner 2008, Statistics in Medicine 27:1693.
    """
    value = a.value - b.value
    return Estimate(
        value,
        float(value - np.hypot(a.value - a.low, b.high - b.value)),
        float(value + np.hypot(a.high - a.value, b.value - b.low)),
    )


def guarded(e: Estimate, number: int, level: float) -> Estimate:
    """Widen an interval at a level to what `number` of them need together (Bonferroni).

    The distances from the value to the ends grow as a normal error's do.
    """
    factor = stats.norm.isf((1 - level) / 2 / number) / stats.norm.isf((1 - level) / 2)
    return Estimate(
        e.value, e.value - factor * (e.value - e.low), e.value + factor * (e.high - e.value)
    )


def greatest(found: Sequence[Estimate], level: float) -> Estimate:
    """Estimate the largest of several quantities whose intervals are at a level (`worst`)."""
    return worst(found, [guarded(e, len(found), level) for e in found])


def least(found: Sequence[Estimate], level: float) -> Estimate:
    """Estimate the smallest of several quantities, as `greatest` the largest."""
    mirrored = greatest([Estimate(-e.value, -e.high, -e.low) for e in found], level)
    return Estimate(-mirrored.value, -mirrored.high, -mirrored.low)


def variation(values: np.ndarray, level: float) -> Estimate:
    """Estimate the coefficient of variation of two or more positive values, taken as log-normal.

    The deviation s of the logarithms has a chi-square interval; the coefficient of variation of a
    log-normal is sqrt(e^(s^2) - 1), which is s if s is small.
    """
    freedom = len(values) - 1
    squares = freedom * np.var(np.log(values), ddof=1)
    tail = (1 - level) / 2
    bounds = squares / stats.chi2.ppf([1 - tail, tail], freedom)
    low, high = np.sqrt(np.expm1(bounds))
    return Estimate(float(np.sqrt(np.expm1(squares / freedom))), float(low), float(high))


def worst(estimates: Sequence[Estimate], guarded: Sequence[Estimate]) -> Estimate:
    """Estimate the largest of several quantities: "at every K" is a conjunction.

    The upper end is the largest upper end: all lie below it only if every one does. The largest of
    many noisy lower ends is high by chance, so that end comes from the same quantities `guarded`
    (Bonferroni): their intervals are at the level 1 - (1 - level) / their number.
    """
    return Estimate(  # if one is NaN, unknown, so is the largest
        float(np.max([e.value for e in estimates])),
        float(np.max([e.low for e in guarded])),
        float(np.max([e.high for e in estimates])),
    )
