"""Measure K* against N and its exponent, and predict K* unfitted (Figures 6 a and A.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.measurements.finite_k import finite_over_infinite, largest_ratio
from icl.measurements.memorisation import Growth, growth, memorising_runs
from icl.measurements.transition import (
    fit_details,
    fit_finals,
    floor_of,
    gap_around,
    mean_responses,
)
from icl.statistics import curves, fits
from icl.theory.memorisation import critical_diversity

SATURATED = 0.1  # a mean so close to a plateau does not tell where the transition is


@dataclass(frozen=True)
class Thresholds:
    """K* at each N, or at each value of something else."""

    values: np.ndarray  # (G,) N
    log_items: np.ndarray  # (1 + B, G) log10 K*, NaN where the data do not cross half height
    rows: list[dict[str, Any]]  # plain data for figures and readers
    seeds: int  # how many were resampled, the fewest at any N
    over: str = "context_length"  # the key of `rows` that holds `values`

    @cached_property
    def weights(self) -> np.ndarray:
        """Inverse variance of each log K* over the resamples, (G,); NaN where none has a K*."""
        resamples = self.log_items[1:] * np.log(10)
        known = np.isfinite(resamples).any(axis=0)
        weights = np.full(len(known), np.nan)
        weights[known] = 1 / np.maximum(np.nanvar(resamples[:, known], axis=0), 1e-6)
        return weights

    @cached_property
    def power_law(self) -> fits.PowerFit:
        """The weighted fit of log K* on log N, 1 + B of them."""
        return fits.fit_power(np.log(self.values), self.log_items * np.log(10), self.weights)


def thresholds(
    runs: xr.Dataset, options: dict[str, Any], over: str = "context_length"
) -> Thresholds:
    """Fit a logistic in log K to the last ICL accuracies at each N, and resample the seeds.

    `over` names the coordinate of the runs in the place of N.

    One draw of the seeds serves every N, since a seed starts from the same weights at each. Where
    no K of a resample has an intermediate response, the data only say which gap of the grid holds
    K*, and it is drawn uniformly (in log K) from that gap.
    """
    length, n_items = runs[over].values, runs["n_items"].values
    finals = base.final(runs, "icl_accuracy")
    cells = np.unique(np.stack([length, n_items]), axis=1, return_inverse=True)[1].ravel()
    groups = base.alike(runs["seed"].values, length)
    order = base.resampled(cells, runs["seed"].values, options, groups=groups)
    lengths = np.unique(length)
    generator = np.random.default_rng(options["seed"])
    found = np.full((len(order), len(lengths)), np.nan)
    # Runs of two experiments may have other seeds: the fewest at any N are what an interval has.
    seeds = min(len(np.unique(runs["seed"].values[length == value])) for value in lengths)
    level = curves.expanded_level(options["confidence"], seeds)
    rows = []
    for column, value in enumerate(lengths):
        own = np.flatnonzero(length == value)
        at_own = n_items[own], finals[own], order[:, own] - own[0], options
        fit = fit_finals(*at_own)
        found[:, column] = _within_gaps(fit, *at_own, generator)
        low, high = curves.interval(10 ** found[1:, column], level)
        at, middle = np.unique(n_items[own]), 10 ** fit.midpoint[0]
        rows.append(
            {
                over: value.item(),
                "threshold": middle,
                "interval": [low, high],
                "gap": gap_around(at, middle) if np.isfinite(middle) else None,
                "replicates": len(own),
                "n_items": at,
                "fit": fit_details(fit, options),
            }
        )
    return Thresholds(lengths.astype(float), found, rows, seeds, over)


def exponent(found: Thresholds, options: dict[str, Any]) -> Estimate:
    """Estimate the slope of log K* on log N."""
    slope = found.power_law.slope
    return base.bootstrapped(slope, options, seeds=found.seeds)


def _within_gaps(
    fit: fits.LogisticFit,
    n_items: np.ndarray,
    finals: np.ndarray,
    order: np.ndarray,
    options: dict[str, Any],
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the midpoints (1 + B,), redrawn within their gap where the resample is saturated."""
    values, _, means = mean_responses(n_items, finals, order, options)
    floor = floor_of(options)
    share = (means - floor) / (fit.ceiling - floor)[:, None]
    between = ((share > SATURATED) & (share < 1 - SATURATED)).any(axis=1)
    grid = np.log10(values)
    right = np.clip(np.searchsorted(grid, fit.midpoint), 1, len(grid) - 1)
    low, high = grid[right - 1], grid[right]
    inside = low + (high - low) * generator.random(len(order))
    jittered = np.where(between | ~np.isfinite(fit.midpoint), fit.midpoint, inside)
    jittered[0] = fit.midpoint[0]
    return jittered


def memorised(dataset: xr.Dataset, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return K (G,) and log I_K(inf) (1 + B, G), mean over seeds."""
    runs = memorising_runs(dataset)
    n_items = runs["n_items"].values
    values, starts, counts = np.unique(n_items, return_index=True, return_counts=True)
    order = base.resampled(n_items, runs["seed"].values, options, base.Draw.MLP_ALONE)
    integral = runs["i_recorded"].values[order]
    return values, np.log(np.add.reduceat(integral, starts, axis=1) / counts)


def infinite_medians(dataset: xr.Dataset, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return N (G,) and the median t_ICL at K = infinity (1 + B, G)."""
    runs = base.infinite_only(base.usable(dataset))
    length = runs["context_length"].values
    passage = base.acquisition_time(runs, options)
    order = base.resampled(length, runs["seed"].values, options, base.Draw.INFINITE_K)
    members = [order[:, length == value] for value in np.unique(length)]
    medians = np.stack([passage.median(own) for own in members], axis=1)
    return np.unique(length).astype(float), medians


def predicted_thresholds(
    acquisition: xr.Dataset, alone: Iterable[xr.Dataset], options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Predict K* at each N (eq. 12) from t_ICL at K = infinity and I_K(inf), measured apart.

    K* is NaN where t_ICL lies outside the measured I_K(inf); if it lies beyond, `beyond` is the
    largest K, else NaN. A resample whose t_ICL lies beyond leaves the interval open above. `alone`
    are experiments of the MLP alone, each at some K.
    """
    lengths, medians = infinite_medians(acquisition, options)
    # All are resampled with one random stream, so that seeds which several share stay together.
    measured = [memorised(dataset, options) for dataset in alone]
    n_items = np.concatenate([values for values, _ in measured])
    ascending = np.argsort(n_items)
    n_items = n_items[ascending]
    log_integral = np.hstack([integral for _, integral in measured])[:, ascending]
    most = np.exp(log_integral.max(axis=1))
    rows = []
    for column, length in enumerate(lengths):
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 10 ** critical_diversity(np.log(medians[:, column]), n_items, log_integral)
        beyond = medians[:, column] > most
        resampled_too = np.where(beyond, np.inf, found)[1:]
        low, high = curves.interval(resampled_too, options["confidence"])
        rows.append(
            {
                "context_length": int(length),
                "median_t_icl": medians[0, column],
                "threshold": found[0],
                "interval": [low, high],
                "beyond": n_items[-1] if beyond[0] else np.nan,
            }
        )
    return rows


@statistic(
    roles="thresholds transition memorisation capacity acquisition longest unstopped",
    quantities=(
        "exponent difference inverse_nu nu curvature nu_curvature finite_over_infinite "
        "least_log_ratio greatest_log_ratio"
    ),
    options=(
        "response acquired_above floor ceiling threshold least_seeds_alone least_unstopped "
        "confidence resamples seed least_replicates"
    ),
    optional="transition capacity acquisition longest unstopped",
)
def threshold_exponent(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the exponent of K* against N, and compare it with 1/nu.

    - `exponent`: slope of log K* on log N, weighted by the inverse variance of each log K* over
      resamples of the seeds.
    - `nu`: slope of log I_K(inf) on log K over all K of the MLP runs, as in memorisation_exponent.
      The configuration fixes that range, which must hold every K*.
    - `difference`: exponent less 1/nu. The two come from different runs, so their errors are taken
      as independent.
    - `curvature`, `nu_curvature`: coefficient of the square in a quadratic fit of the logarithms,
      half the change of the local exponent over a factor of e.

    If a claim gives `transition`, its runs join those of `thresholds`: one more N. Those of
    `longest` join `acquisition`.

    - `least_log_ratio`, `greatest_log_ratio`: the least and the greatest over N of log10 of K*
      predicted (`predicted_thresholds`) over K* measured.

    Reported beyond the paper: K* predicted with no fitted constant, and t_ICL at finite K over
    t_ICL at K = infinity. A predicted K* may exceed the range of nu, so the prediction also takes
    the larger K of `capacity`, which nu never does.

    Source: Figure 6 a; equations 12 and 13.
    """
    everything, remarks = _judged_runs(data, options)
    found = thresholds(base.undiverged(everything), options)
    alone = growth(data["memorisation"], options["least_seeds_alone"])
    power = found.power_law
    compared, unlike = beside_nu(found, alone, options)
    slope_of_race = compared["inverse_nu"].value
    prediction, ratios = [], []
    if "acquisition" in data:
        alone_too = [data[role] for role in ("memorisation", "capacity") if role in data]
        infinite = base.joined(data, "acquisition", "longest")
        prediction = predicted_thresholds(infinite, alone_too, options)
        ratios = finite_over_infinite(everything, infinite, options)
    return Measurement(
        estimates={
            **compared,
            "curvature": base.bootstrapped(power.curvature, options, seeds=found.seeds),
            "nu_curvature": intervals.mean(alone.trend.curvature, options),
            **largest_ratio(ratios),
            **_log_ratios(prediction, found.rows, options["confidence"]),
        },
        replicates=int(sum(row["replicates"] for row in found.rows)),
        diverged=base.count_diverged(everything) + base.count_diverged(data["memorisation"]),
        details={
            "by_length": found.rows,
            "power_law": {"exponent": power.slope[0], "log_prefactor": power.intercept[0]},
            "predicted_slope": slope_of_race,
            "predicted_line": predicted_line(found, slope_of_race),
            "residuals": power.residuals,
            "predicted_thresholds": prediction,
            "finite_over_infinite": ratios,
            "response": options["response"],
        },
        notes=remarks + unlike,
    )


def _log_ratios(
    predicted: list[dict[str, Any]], measured: list[dict[str, Any]], level: float
) -> dict[str, Estimate]:
    """Compare K* predicted with K* measured, in decades, at the N where it is least and greatest.

    The two come from different runs, so their errors are taken as independent. Where K* is
    predicted beyond the K of the MLP alone, the largest of those is its lower bound.
    """
    at = {row["context_length"]: row for row in predicted}
    ratios = []
    for row in measured:
        if (other := at.get(row["context_length"])) is None:
            continue
        known = np.isfinite([other["interval"][0], *row["interval"]])
        stars = [Estimate(each["threshold"], *each["interval"]) for each in (other, row)]
        logs = [
            intervals.rescaled(star, np.log10) if is_known else UNKNOWN
            for star, is_known in zip(stars, (known[0], known[1:].all()), strict=True)
        ]
        if np.isfinite(other["beyond"]):
            bound = np.log10(other["beyond"])
            logs[0] = Estimate(bound, bound, np.inf)
        ratios.append(intervals.difference(*logs))
    if not ratios:
        return {}
    return {
        "least_log_ratio": intervals.least(ratios, level),
        "greatest_log_ratio": intervals.greatest(ratios, level),
    }


def _judged_runs(
    data: dict[str, xr.Dataset], options: dict[str, Any]
) -> tuple[xr.Dataset, list[str]]:
    """Return the runs that decide K*, and notes on them, once they are found fit to be judged."""
    everything = base.sorted_runs(base.joined(data, "thresholds", "transition"))
    because = "which makes a transition sharp by itself"
    notes = base.require_same_outcomes(everything, because, data, options)
    if notes and options["response"] != "fraction_acquired":
        raise NotComputableError(
            "a stop rule ended runs before their last step: `response` must be fraction_acquired"
        )
    everything, left_out = _without_single_items(everything)
    runs = base.undiverged(everything)
    cells = runs["context_length"].values * 1e12 + runs["n_items"].values
    base.require_replicates(cells, options["least_replicates"], "N, K")
    if len(np.unique(runs["context_length"])) < 3:
        raise NotComputableError("fewer than three values of N; a trend needs three or more")
    return everything, notes + left_out


def _without_single_items(runs: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Leave out each N whose runs have one K, as where blocks are missing, and say so."""
    length, n_items = runs["context_length"].values, runs["n_items"].values
    alone = [n for n in np.unique(length) if len(np.unique(n_items[length == n])) < 2]
    notes = [f"at N = {n} there are runs of one K alone, which cannot give K*" for n in alone]
    return base.where(runs, ~np.isin(length, alone)), notes


def beside_nu(
    found: Thresholds, alone: Growth, options: dict[str, Any], symbol: str = "N"
) -> tuple[dict[str, Estimate], list[str]]:
    """Estimate the exponent of K*, nu and 1/nu, and compare them; note where that cannot be done.

    `symbol` names to a reader what K* is measured against.
    """
    slope, nu = exponent(found, options), intervals.mean(alone.trend.exponent, options)
    inverse = intervals.reciprocal(nu)
    outside = _outside(found, alone, symbol)
    estimates = {
        "exponent": slope,
        "difference": UNKNOWN if outside else intervals.difference(slope, inverse),
        "inverse_nu": inverse,
        "nu": nu,
    }
    return estimates, missing(found, symbol) + outside


def missing(found: Thresholds, symbol: str) -> list[str]:
    """Note where K* is not inside the grid."""
    return [
        f"{symbol} = {row[found.over]:g}: K* is not inside the grid of K"
        for row in found.rows
        if not np.isfinite(row["threshold"])
    ]


def _outside(found: Thresholds, alone: Growth, symbol: str) -> list[str]:
    """Note where K* is outside the range of nu, which then does not compare; else nothing."""
    first, last = alone.values[[0, -1]]
    outside = [
        f"{row[found.over]:g} ({row['threshold']:,.0f})"
        for row in found.rows
        if np.isfinite(row["threshold"]) and not first <= row["threshold"] <= last
    ]
    if not outside:
        return []
    return [
        f"K* at {symbol} = {', '.join(outside)} is outside the K of the MLP runs, "
        f"{first:,.0f} to {last:,.0f}: no comparison with 1/nu"
    ]


def predicted_line(found: Thresholds, slope: float) -> dict[str, float]:
    """Draw the paper's line: of slope 1/nu through the weighted centre of the measured K*."""
    stars = np.array([row["threshold"] for row in found.rows])
    middle, centre = (
        np.average(np.log(values), weights=found.weights) for values in (stars, found.values)
    )
    return {"exponent": slope, "log_prefactor": middle - slope * centre}
