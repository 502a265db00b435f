"""Fits of many datasets at once: a logistic, and trends.

A batch of B datasets (the data, then its bootstrap resamples) is fitted in one go. What cannot be
fitted is NaN, for `statistics.interval` to count.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

TEN_TO_NINETY = 2 * np.log(9)  # 10-90 % width of a logistic in units of its scale


@dataclass(frozen=True)
class LogisticFit:
    """floor + (ceiling - floor) / (1 + exp(-(x - midpoint) 2 ln 9 / width)), (B,) each."""

    midpoint: np.ndarray  # NaN if the data do not cross half height, or do not rise
    # From 10 to 90 %, in units of x; inf if the data do not rise, NaN if they do not cross half
    # height within the grid.
    width: np.ndarray
    ceiling: np.ndarray  # the upper plateau


def logistic(
    x: np.ndarray,
    midpoint: float | np.ndarray,
    width: float | np.ndarray,
    floor: float,
    ceiling: float,
) -> np.ndarray:
    """Evaluate the curve of `LogisticFit`."""
    return floor + (ceiling - floor) * special.expit(TEN_TO_NINETY * (x - midpoint) / width)


def fit_logistic(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray, floor: float, ceiling: tuple[float, float]
) -> LogisticFit:
    """Fit a rising logistic by least squares, globally: the best of a fine grid of curves.

    Saturated data (all at the floor up to one x, all at the ceiling from the next) leave the width
    and the place within the gap open, and an iterative fit wanders. Here the width is at least the
    finest spacing of x, below which no data can resolve it, and the midpoint of such data is the
    middle of the gap. The ceiling is linear, so each curve's best one is known in closed form.

    Args:
        x: (G,) ascending, log10 K.
        y: (B, G) means over runs at each x.
        weights: (G,) numbers of runs.
        floor: the lower plateau, fixed (chance).
        ceiling: the range of the upper plateau; equal ends fix it.
    """
    midpoints = np.linspace(x[0], x[-1], 201)
    widths = np.geomspace(np.diff(x).min(), 10 * (x[-1] - x[0]), 80)
    grid_midpoint, grid_width = (a.ravel() for a in np.meshgrid(midpoints, widths, indexing="ij"))
    curves = logistic(x, grid_midpoint[:, None], grid_width[:, None], 0.0, 1.0)  # (M, G)
    norm = curves**2 @ weights  # (M,)
    best, height = np.empty(len(y), dtype=np.int64), np.empty(len(y))
    for start in range(0, len(y), 50):  # bounds the memory
        overlap = ((y[start : start + 50] - floor) * weights) @ curves.T  # (b, M)
        heights = np.clip(overlap / norm, ceiling[0] - floor, ceiling[1] - floor)
        cost = heights * (heights * norm - 2 * overlap)
        chosen = cost.argmin(axis=1)
        best[start : start + 50] = chosen
        height[start : start + 50] = heights[np.arange(len(chosen)), chosen]
    half = floor + height / 2
    crosses = (y.min(axis=1) < half) & (y.max(axis=1) > half)
    rises = (y * weights) @ (x - np.average(x, weights=weights)) > 0
    return LogisticFit(
        midpoint=np.where(crosses & rises, grid_midpoint[best], np.nan),
        width=np.where(crosses, np.where(rises, grid_width[best], np.inf), np.nan),
        ceiling=floor + height,
    )


@dataclass(frozen=True)
class TrendFit:
    """A power law of positive y in positive x; (B,) each, NaN where a y is not finite."""

    slope: np.ndarray  # of the straight line, by least squares, as the next two
    intercept: np.ndarray
    r_squared: np.ndarray
    exponent: np.ndarray  # slope of log y on log x
    log_prefactor: np.ndarray  # log y at x = 1 by that power law
    # Coefficient of (log x)^2 when a quadratic is fitted to log y: half the change of the local
    # exponent for a factor e in x.
    curvature: np.ndarray


def fit_trend(x: np.ndarray, y: np.ndarray) -> TrendFit:
    """Fit a straight line, a power law and a quadratic in the logarithms of x (G,) and y (B, G).

    There must be three different values of x or more.
    """
    usable = np.isfinite(y).all(axis=1) & (y > 0).all(axis=1)
    rows = np.where(usable[:, None], y, 1.0 + x)  # any that fits; replaced by NaN below
    slope, intercept = np.polyfit(x, rows.T, 1)
    residual = rows - slope[:, None] * x - intercept[:, None]
    deviation = rows - rows.mean(axis=1, keepdims=True)
    total = (deviation**2).sum(axis=1)
    r_squared = 1 - (residual**2).sum(axis=1) / np.where(total > 0, total, np.nan)
    exponent, log_prefactor = np.polyfit(np.log(x), np.log(rows).T, 1)
    curvature = np.polyfit(np.log(x), np.log(rows).T, 2)[0]
    fits = (slope, intercept, r_squared, exponent, log_prefactor, curvature)
    return TrendFit(*(np.where(usable, values, np.nan) for values in fits))


@dataclass(frozen=True)
class PowerFit:
    """A straight line through logarithms; (B,) each, NaN where a y is not finite."""

    slope: np.ndarray  # the exponent
    intercept: np.ndarray  # log y at x = 1
    curvature: np.ndarray  # coefficient of the square when a quadratic is fitted
    residuals: np.ndarray  # (G,) of the first dataset, log y less the line


def fit_power(log_x: np.ndarray, log_y: np.ndarray, weights: np.ndarray) -> PowerFit:
    """Fit a power law to many datasets by weighted least squares of the logarithms.

    Args:
        log_x: (G,) at least two different values; three for the curvature, else NaN.
        log_y: (B, G).
        weights: (G,) inverse variances of log y, in any unit; not finite where log y never is.
    """
    weights = np.where(np.isfinite(weights), weights, 1.0)
    usable = np.isfinite(log_y).all(axis=1)
    rows = np.where(usable[:, None], log_y, log_x)  # any that fits; replaced by NaN below
    root = np.sqrt(weights / weights.max())
    slope, intercept = np.polyfit(log_x, rows.T, 1, w=root)
    curvature = np.full(len(rows), np.nan)
    if len(np.unique(log_x)) > 2:
        curvature = np.polyfit(log_x, rows.T, 2, w=root)[0]
    residuals = log_y[0] - slope[0] * log_x - intercept[0]
    slope, intercept, curvature = (
        np.where(usable, values, np.nan) for values in (slope, intercept, curvature)
    )
    return PowerFit(slope, intercept, curvature, residuals)
