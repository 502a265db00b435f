"""K* against N, its exponent, and K* with no fitted constant (Figures 6 a and A.7)."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import intervals
from icl.measurements.base import (
    UNKNOWN,
    Estimate,
    Measurement,
    NotComputableError,
    count_diverged,
    estimate,
    joined,
    require_replicates,
    require_same_outcomes,
    sorted_runs,
    statistic,
    undiverged,
)
from icl.measurements.finite_k import finite_over_infinite, largest_ratio
from icl.measurements.memorisation import growth, memorising_runs
from icl.measurements.transition import fit_finals, floor_of, gap_around
from icl.statistics import curves, fits
from icl.theory.memorisation import critical_diversity

SATURATED = 0.1  # a mean within this share of a plateau says nothing of where it leaves it


@dataclass(frozen=True)
class Thresholds:
    """K* at each N, the data first, then resamples of the seeds.

    Attributes:
        lengths: (G,) N.
        log_items: (1 + B, G) log10 K*, NaN where the data do not cross half height.
        by_length: for each N, plain data for figures and readers.
        seeds: how many were resampled, the fewest at any N.
    """

    lengths: np.ndarray
    log_items: np.ndarray
    by_length: list[dict[str, Any]]
    seeds: int

    @cached_property
    def weights(self) -> np.ndarray:
        """(G,) inverse variance of each log K* over the resamples; NaN where none has a K*."""
        resamples = self.log_items[1:] * np.log(10)
        known = np.isfinite(resamples).any(axis=0)
        weights = np.full(len(known), np.nan)
        weights[known] = 1 / np.maximum(np.nanvar(resamples[:, known], axis=0), 1e-6)
        return weights

    @cached_property
    def power_law(self) -> fits.PowerFit:
        """Log K* fitted on log N, so weighted: the data first, then the resamples."""
        return fits.fit_power(np.log(self.lengths), self.log_items * np.log(10), self.weights)


def thresholds(runs: xr.Dataset, options: dict[str, Any]) -> Thresholds:
    """Fit a logistic in log K to the last ICL accuracies at each N, and resample the seeds.

    One draw of the seeds serves every N, since a seed starts from the same weights at each. Where
    no K has an intermediate response, the data say only that K* lies in a gap of the grid: there a
    resample's K* is drawn uniformly (in log K) from that gap.
    """
    length, n_items = runs["context_length"].values, runs["n_items"].values
    finals = curves.last_value(runs["icl_accuracy"].values)
    cells = np.unique(np.stack([length, n_items]), axis=1, return_inverse=True)[1].ravel()
    drawn = curves.seed_resamples(cells, runs["seed"].values, options["resamples"], options["seed"])
    order = np.vstack([np.arange(len(finals)), drawn])
    lengths = np.unique(length)
    generator = np.random.default_rng(options["seed"])
    found = np.full((len(order), len(lengths)), np.nan)
    # Runs of two experiments may have other seeds: the fewest at any N are what an interval has.
    seeds = min(len(np.unique(runs["seed"].values[length == value])) for value in lengths)
    by_length = []
    for column, value in enumerate(lengths):
        own = np.flatnonzero(length == value)
        own_order = order[:, own] - own[0]
        fit = fit_finals(n_items[own], finals[own], own_order, options)
        at = np.unique(n_items[own])
        found[:, column] = _within_gaps(
            fit, n_items[own], finals[own], own_order, options, generator
        )
        level = curves.expanded_level(options["confidence"], seeds)
        low, high = curves.interval(10 ** found[1:, column], level)
        middle = 10 ** fit.midpoint[0]
        by_length.append(
            {
                "context_length": int(value),
                "threshold": middle,
                "interval": [low, high],
                "gap": gap_around(at, middle) if np.isfinite(middle) else None,
                "replicates": len(own),
                "n_items": at,
                "fit": {
                    "midpoint": fit.midpoint[0],
                    "width": fit.width[0],
                    "floor": floor_of(options),
                    "ceiling": fit.ceiling[0],
                },
            }
        )
    return Thresholds(lengths.astype(float), found, by_length, seeds)


def exponent(found: Thresholds, options: dict[str, Any]) -> Estimate:
    """Estimate the slope of log K* on log N over resamples of the seeds."""
    slope = found.power_law.slope
    return estimate(slope[0], slope[1:], options, seeds=found.seeds)


def _within_gaps(
    fit: fits.LogisticFit,
    n_items: np.ndarray,
    finals: np.ndarray,
    order: np.ndarray,
    options: dict[str, Any],
    generator: np.random.Generator,
) -> np.ndarray:
    """Return midpoints, those of saturated resamples drawn from the gap that holds them."""
    values, starts, counts = np.unique(n_items, return_index=True, return_counts=True)
    floor, height = floor_of(options), fit.ceiling - floor_of(options)
    response = finals
    if options["response"] == "fraction_acquired":
        response = (finals > options["acquired_above"]).astype(float)
    means = np.add.reduceat(response[order], starts, axis=1) / counts
    share = (means - floor) / height[:, None]
    between = ((share > SATURATED) & (share < 1 - SATURATED)).any(axis=1)
    grid = np.log10(values)
    right = np.clip(np.searchsorted(grid, fit.midpoint), 1, len(grid) - 1)
    low, high = grid[right - 1], grid[right]
    inside = low + (high - low) * generator.random(len(order))
    jittered = np.where(between | ~np.isfinite(fit.midpoint), fit.midpoint, inside)
    jittered[0] = fit.midpoint[0]
    return jittered


def memorised(dataset: xr.Dataset, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return K and log I_K(inf), mean over seeds: (G,), (1 + B, G), the data first.

    I_K at the end of a record stands for I_K(inf); `i_tail_bound` says what may be missing.
    """
    runs = memorising_runs(dataset)
    n_items = runs["n_items"].values
    values, starts, counts = np.unique(n_items, return_index=True, return_counts=True)
    drawn = curves.seed_resamples(
        n_items, runs["seed"].values, options["resamples"], options["seed"] + 1
    )
    order = np.vstack([np.arange(len(n_items)), drawn])
    integral = runs["i_recorded"].values[order]
    return values, np.log(np.add.reduceat(integral, starts, axis=1) / counts)


def infinite_medians(dataset: xr.Dataset, options: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return N and the median t_ICL at K = infinity: (G,), (1 + B, G), the data first."""
    runs = undiverged(sorted_runs(dataset))
    runs = runs.isel(run=np.flatnonzero(np.isinf(runs["n_items"])))
    length = runs["context_length"].values
    passage = curves.acquisition_time(
        runs["icl_accuracy"].values, runs["theory_time"].values, options["threshold"]
    )
    drawn = curves.seed_resamples(
        length, runs["seed"].values, options["resamples"], options["seed"] + 2
    )
    order = np.vstack([np.arange(len(length)), drawn])
    medians = [
        curves.censored_median(
            passage.time[order[:, length == value]], passage.reached[order[:, length == value]]
        )
        for value in np.unique(length)
    ]
    return np.unique(length).astype(float), np.stack(medians, axis=1)


def predicted_thresholds(
    acquisition: xr.Dataset, alone: Iterable[xr.Dataset], options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Predict K* at each N from t_ICL at K = infinity and I_K(inf), measured apart.

    Returns for each N its predicted K*, interval and what it rests on; NaN where t_ICL lies outside
    the measured I_K(inf).

    Args:
        acquisition: one-layer runs at K = infinity.
        alone: experiments of the MLP alone, each of some K.
    """
    lengths, medians = infinite_medians(acquisition, options)
    # Each is resampled apart, but by the same draw: seeds that several share stay together.
    measured = [memorised(dataset, options) for dataset in alone]
    n_items = np.concatenate([values for values, _ in measured])
    ascending = np.argsort(n_items)
    n_items = n_items[ascending]
    log_integral = np.hstack([integral for _, integral in measured])[:, ascending]
    rows = []
    for column, length in enumerate(lengths):
        with np.errstate(divide="ignore", invalid="ignore"):
            found = 10 ** critical_diversity(np.log(medians[:, column]), n_items, log_integral)
        low, high = curves.interval(found[1:], options["confidence"])
        rows.append(
            {
                "context_length": int(length),
                "median_t_icl": medians[0, column],
                "threshold": found[0],
                "interval": [low, high],
            }
        )
    return rows


@statistic(
    roles="thresholds transition memorisation capacity acquisition unstopped",
    quantities="exponent difference inverse_nu nu curvature nu_curvature finite_over_infinite",
    options=(
        "response acquired_above floor ceiling threshold least_seeds_alone least_unstopped "
        "confidence resamples seed least_replicates"
    ),
    optional="transition capacity acquisition unstopped",
)
def threshold_exponent(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the exponent of K* against N, and compare it with 1/nu.

    `exponent`: slope of log K* on log N, weighted by the inverse variance of each log K* over
    resamples of the seeds. `nu`: slope of log I_K(inf) on log K over all K of the MLP runs, a range
    fixed by the configuration, which must hold every K*; as in memorisation_exponent the mean over
    seeds of each seed's slope, with Student's interval. `difference`: exponent less 1/nu; the runs
    of the two are others, so their errors are taken as independent. `curvature` and `nu_curvature`:
    coefficient of the square when a quadratic is fitted to the logarithms, half the change of the
    local exponent for a factor e.

    The runs of `transition`, where they are given, join those of `thresholds`: one more N.

    Beyond the paper, reported: K* predicted with no fitted constant, and t_ICL at finite K over
    that at K = infinity. The prediction lies above K*, where nu's range may have ended: there it
    takes the K of `capacity` too, which nu never does.

    Source: Figure 6 a; equations 12 and 13.
    """
    everything = sorted_runs(joined(data, "thresholds", "transition"))
    because = "which makes a transition sharp by itself"
    remarks = require_same_outcomes(everything, because, data, options)
    if remarks and options["response"] != "fraction_acquired":
        raise NotComputableError(
            "a stop rule ended runs before their last step: `response` must be fraction_acquired"
        )
    runs = undiverged(everything)
    cells = runs["context_length"].values * 1e12 + runs["n_items"].values
    require_replicates(cells, options["least_replicates"], "N, K")
    if len(np.unique(runs["context_length"])) < 3:
        raise NotComputableError("fewer than three values of N; a trend needs three or more")
    found = thresholds(runs, options)
    notes = remarks + [
        f"N = {row['context_length']}: K* is not inside the grid of K"
        for row in found.by_length
        if not np.isfinite(row["threshold"])
    ]
    alone = growth(data["memorisation"], options["least_seeds_alone"])
    n_items = alone.values
    power, slope, weights = found.power_law, exponent(found, options), found.weights
    nu = intervals.mean(alone.trend.exponent, options)
    inverse = intervals.reciprocal(nu)
    difference = intervals.difference(slope, inverse)
    stars = np.array([row["threshold"] for row in found.by_length])
    outside = [
        f"{row['context_length']} ({row['threshold']:,.0f})"
        for row in found.by_length
        if np.isfinite(row["threshold"]) and not n_items[0] <= row["threshold"] <= n_items[-1]
    ]
    if outside:
        notes.append(
            f"K* at N = {', '.join(outside)} is outside the K of the MLP runs, "
            f"{n_items[0]:,.0f} to {n_items[-1]:,.0f}: no comparison with 1/nu"
        )
        difference = UNKNOWN
    prediction, ratios = [], []
    if "acquisition" in data:
        alone_too = [data[role] for role in ("memorisation", "capacity") if role in data]
        prediction = predicted_thresholds(data["acquisition"], alone_too, options)
        ratios = finite_over_infinite(everything, data["acquisition"], options)
    estimates = {
        "exponent": slope,
        "difference": difference,
        "inverse_nu": inverse,
        "nu": nu,
        "curvature": estimate(power.curvature[0], power.curvature[1:], options, seeds=found.seeds),
        "nu_curvature": intervals.mean(alone.trend.curvature, options),
    }
    largest = largest_ratio(ratios)
    if largest:
        estimates["finite_over_infinite"] = Estimate(
            largest["ratio"],
            *largest["interval"],
            f"at N = {largest['context_length']}, K = {largest['n_items']:,.0f}",
        )
    return Measurement(
        estimates=estimates,
        replicates=runs.sizes["run"],
        censored=0,
        diverged=count_diverged(everything) + count_diverged(data["memorisation"]),
        details={
            "by_length": found.by_length,
            "power_law": {"exponent": power.slope[0], "log_prefactor": power.intercept[0]},
            "predicted_slope": inverse.value,
            # The paper's line: of slope 1/nu through the weighted centre of the measured K*.
            "predicted_line": {
                "exponent": inverse.value,
                "log_prefactor": np.average(np.log(stars), weights=weights)
                - inverse.value * np.average(np.log(found.lengths), weights=weights),
            },
            "residuals": power.residuals,
            "predicted_thresholds": prediction,
            "finite_over_infinite": ratios,
            "response": options["response"],
        },
        notes=notes,
    )
