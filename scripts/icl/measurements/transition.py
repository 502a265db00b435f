"""The transition from memorisation to in-context learning as K grows, at one N (Figure 2)."""

from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base
from icl.measurements.base import Measurement, NotComputableError, statistic
from icl.statistics import curves, fits


@statistic(
    roles="transition",
    quantities="width threshold spearman spearman_tied first_accuracy last_accuracy",
    options=(
        "response acquired_above floor ceiling resolution confidence resamples seed "
        "least_replicates"
    ),
)
def sharp_transition(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure K*, the transition's width in decades of K, and how IWL gives way to ICL.

    A logistic in log10 K is fitted to the last ICL accuracies, or with the option `response` to
    the fraction of them above `acquired_above`. Its floor is chance; its ceiling is fitted within
    the option `ceiling`. Between two values of K the data say nothing. So the interval of K* is at
    least the gap of the grid around it, and the width's upper end grows by that gap: a bootstrap
    of few seeds is too sure where they all agree.

    Among the runs that memorised, and among those that generalised, last accuracies differ by
    little but noise; ranking it holds Spearman's correlation of an ideal transition near -3/4.
    So `spearman_tied` takes accuracies closer than the option `resolution` for ties.

    `first_accuracy` and `last_accuracy` are the mean last ICL accuracies at the smallest and at the
    largest K.

    Source: Figure 2 b, c.
    """
    runs = base.sorted_runs(data["transition"])
    length = base.only_length(runs)
    base.require_unstopped(runs, "which makes a transition sharp by itself")
    kept = base.undiverged(runs)
    n_items = kept["n_items"].values
    values = np.unique(n_items)
    if len(values) < 4:
        raise NotComputableError(f"{len(values)} values of K; a transition needs four or more")
    base.require_replicates(n_items, options["least_replicates"], "K")

    icl, iwl = (base.final(kept, name) for name in ("icl_accuracy", "iwl_accuracy"))
    order = base.resampled(n_items, kept["seed"].values, options)
    fit = fit_finals(n_items, icl, order, options)
    correlation = curves.spearman(icl[order], iwl[order])
    tied = curves.spearman(
        *(np.round(finals / options["resolution"])[order] for finals in (icl, iwl))
    )

    means = mean_responses(n_items, icl, order, {**options, "response": "final_accuracy"})[2]

    seeds = len(np.unique(kept["seed"]))
    width = base.bootstrapped(fit.width, options, "decades of K")
    threshold = base.estimate(
        10 ** fit.midpoint[0], 10 ** fit.midpoint[1:], options, "items", seeds
    )
    notes, gap = [], None
    if np.isfinite(threshold.value):
        gap = gap_around(values, threshold.value)
        width = replace(width, high=width.high + np.log10(gap[1] / gap[0]))
        low, high = min(threshold.low, gap[0]), max(threshold.high, gap[1])
        threshold = replace(threshold, low=low, high=high)
    elif np.isnan(width.value):
        notes.append("the mean response does not cross half height: K* is not inside the grid of K")
    return Measurement(
        estimates={
            "width": width,
            "threshold": threshold,
            "spearman": base.bootstrapped(correlation, options, seeds=seeds),
            "spearman_tied": base.bootstrapped(tied, options, seeds=seeds),
            "first_accuracy": base.bootstrapped(means[:, 0], options),
            "last_accuracy": base.bootstrapped(means[:, -1], options),
        },
        replicates=kept.sizes["run"],
        diverged=base.count_diverged(runs),
        details={
            "context_length": length,
            "response": options["response"],
            "n_items": n_items,
            "seed": kept["seed"].values,
            "icl_accuracy": icl,
            "iwl_accuracy": iwl,
            "fit": fit_details(fit, options),
            "gap": gap,
        },
        notes=notes,
    )


def floor_of(options: dict[str, Any]) -> float:
    """Choose the lower plateau of the response: chance, or no run that acquires."""
    return 0.0 if options["response"] == "fraction_acquired" else options["floor"]


def ceiling_of(options: dict[str, Any]) -> tuple[float, float]:
    """Choose the range of the upper plateau of the response: all runs, or the option `ceiling`."""
    return (1.0, 1.0) if options["response"] == "fraction_acquired" else tuple(options["ceiling"])


def mean_responses(
    n_items: np.ndarray, finals: np.ndarray, order: np.ndarray, options: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average the response at each K: its values (G,), their runs (G,) and the means (B, G)."""
    values, starts, counts = np.unique(n_items, return_index=True, return_counts=True)
    response = finals
    if options["response"] == "fraction_acquired":
        response = (finals > options["acquired_above"]).astype(float)
    return values, counts, np.add.reduceat(response[order], starts, axis=1) / counts


def fit_finals(
    n_items: np.ndarray, finals: np.ndarray, order: np.ndarray, options: dict[str, Any]
) -> fits.LogisticFit:
    """Fit the logistic in log10 K to final ICL accuracies (R,) at one N, resample by resample.

    K of the runs ascends. `order` (B, R) has the runs of each resample; each place holds a run with
    the K of its own run.
    """
    values, counts, means = mean_responses(n_items, finals, order, options)
    return fits.fit_logistic(
        np.log10(values), means, counts.astype(float), floor_of(options), ceiling_of(options)
    )


def fit_details(fit: fits.LogisticFit, options: dict[str, Any]) -> dict[str, float]:
    """Describe the fit to the data themselves, for the figures."""
    return {
        "midpoint": fit.midpoint[0],
        "width": fit.width[0],
        "floor": floor_of(options),
        "ceiling": fit.ceiling[0],
    }


def gap_around(values: np.ndarray, at: float) -> tuple[float, float]:
    """Find the neighbours in an ascending grid that enclose a value."""
    right = int(np.clip(np.searchsorted(values, at), 1, len(values) - 1))
    return float(values[right - 1]), float(values[right])


@statistic(
    roles="transition",
    quantities="rise",
    options="from to threshold finest_spacing confidence resamples seed least_replicates",
)
def abrupt_acquisition(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the rise from plateau to acquisition as a share of t_ICL, median over runs.

    The rise ends at the first confirmed evaluation above the option `to`. It begins at the last
    evaluation before the first confirmed one above `from`, so sparse evaluations can only lengthen
    it. A run that leaves the plateau but does not acquire within its budget counts as infinitely
    slow; one that never leaves it has no rise and does not count.

    Source: Figure 2 d.
    """
    runs = base.sorted_runs(data["transition"])
    accuracy, clock = runs["icl_accuracy"].values, runs["theory_time"].values
    left = curves.first_passage(accuracy, clock, options["from"])
    high = curves.first_passage(accuracy, clock, options["to"])
    acquired = base.acquisition_time(runs, options)
    start = clock[np.arange(len(clock)), np.maximum(left.index - 1, 0)]
    timed = np.flatnonzero(left.reached)
    base.require_number(len(timed), options, f"of {len(clock)} runs left the plateau")
    duration = np.where(acquired.reached, high.time - start, np.inf)[timed]
    rise = duration / np.where(acquired.reached, acquired.time, 1.0)[timed]
    n_items = runs["n_items"].values[timed]
    order = base.resampled(n_items, runs["seed"].values[timed], options)
    medians = curves.censored_median(rise[order], np.ones(order.shape, dtype=bool))
    typical = acquired.median(timed)
    return Measurement(
        estimates={"rise": base.bootstrapped(medians, options, "of t_ICL")},
        replicates=len(timed),
        censored=int((~acquired.reached[timed]).sum()),
        diverged=base.count_diverged(runs),
        details={
            "n_items": n_items,
            "seed": runs["seed"].values[timed],
            "rise": rise,
            "t_icl": acquired.time[timed],
            "acquired": acquired.reached[timed],
            "never_left_the_plateau": len(clock) - len(timed),
            "levels": [options["from"], options["to"], options["threshold"]],
        },
        notes=base.resolution_note(
            base.spacing(clock), float(typical), options["finest_spacing"], "all K together"
        ),
    )
