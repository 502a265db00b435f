"""Measure how the MLP alone memorises: I_K(inf) by K and seed (Figures 5, A.2 and A.3)."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.measurements.transition import fit_finals
from icl.statistics import fits
from icl.theory.memorisation import Kinetics, MemorisationRecord

# Options of sharp_transition; as not_capacity's own they would change the digest of its options.
PLATEAUS = {"response": "final_accuracy", "floor": 0.5, "ceiling": [0.9, 1.0]}


def memorising_runs(dataset: xr.Dataset) -> xr.Dataset:
    """Select the runs of the MLP alone that did not diverge, on items drawn uniformly and clean."""
    runs = base.usable(dataset)
    plain = runs["zipf_exponent"] == 0
    if "label_noise" in runs.coords:  # files from before it do not have it
        plain &= runs["label_noise"] == 0
    return base.where(runs, plain)


@dataclass(frozen=True)
class Growth:
    """The growth of I_K(inf) of the MLP alone with K, for each seed."""

    runs: xr.Dataset  # `memorising_runs`, by K, then seed
    values: np.ndarray  # (G,) K, ascending
    index: np.ndarray  # (S, G) the run of each seed at each K
    seeds: int  # all of them; S have a run at every K
    trend: fits.TrendFit  # one for each of the S seeds


def growth(dataset: xr.Dataset, least_seeds: int) -> Growth:
    """Fit I_K(inf) on K for each seed that has a run at every K."""
    runs = memorising_runs(dataset)
    n_items, seeds = runs["n_items"].values, runs["seed"].values
    values = np.unique(n_items)
    if len(values) < 3:
        raise NotComputableError(f"{len(values)} values of K; an exponent needs three or more")
    rows = [np.flatnonzero(seeds == seed) for seed in np.unique(seeds)]
    whole = [own for own in rows if len(own) == len(values)]
    if len(whole) < least_seeds:
        raise NotComputableError(
            f"{len(whole)} seeds have a run at every K; {least_seeds} are needed"
        )
    index = np.stack(whole)
    trend = fits.fit_trend(values, runs["i_recorded"].values[index])
    return Growth(runs, values, index, len(rows), trend)


@statistic(
    roles="memorisation",
    quantities="exponent curvature exponent_with_tail local_exponent_first local_exponent_last",
    options="confidence least_replicates",
)
def memorisation_exponent(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure nu in I_K(inf) ~ K^nu, and whether one exponent serves.

    The slope of log I_K(inf) on log K is linear in the data. So it is fitted for each seed, which
    starts from the same weights at every K, and averaged; Student's interval over seeds then covers
    whatever a seed's runs share. A power law has no curvature: the coefficient of the quadratic and
    the local exponents between neighbouring K show whether the range of K decides the exponent.
    `exponent_with_tail` is the slope with each record's bound on its tail added.

    Source: Figure 5; section 3.6.
    """
    everything = data["memorisation"]
    found = growth(everything, options["least_replicates"])
    runs, values, index, trend = found.runs, found.values, found.index, found.trend
    recorded, bound = (runs[name].values[index] for name in ("i_recorded", "i_tail_bound"))
    with_tail = fits.fit_trend(values, recorded + bound)
    local = np.diff(np.log(recorded), axis=1) / np.diff(np.log(values))  # (S, G-1)
    locals_ = [intervals.mean(column, options) for column in local.T]
    estimates = {
        "exponent": intervals.mean(trend.exponent, options),
        "curvature": intervals.mean(trend.curvature, options),
        "exponent_with_tail": intervals.mean(with_tail.exponent, options),
        "local_exponent_first": locals_[0],
        "local_exponent_last": locals_[-1],
    }
    mean_log = np.log(recorded).mean(axis=0)
    fitted = trend.log_prefactor.mean() + trend.exponent.mean() * np.log(values)
    relative, notes = bound / recorded, []
    if len(index) < found.seeds:
        notes.append(f"{found.seeds - len(index)} seeds lack a run at some K and are left out")
    if unbounded := int(np.isinf(relative).sum()):
        notes.append(
            f"{unbounded} of {relative.size} records end too soon, or c1 falls too slowly at "
            "their end, for a bound on the rest of I_K(inf)"
        )
    return Measurement(
        estimates=estimates,
        replicates=index.size,
        censored=unbounded,
        diverged=base.count_diverged(everything),
        details={
            "n_items": values,
            "i_infinity": np.exp(mean_log),
            "seeds": len(index),
            "residuals": mean_log - fitted,
            "spread": np.log(recorded).std(axis=0, ddof=1),
            "tail_bound": np.median(relative, axis=0),
            "integration_error": np.median(runs["i_error"].values[index] / recorded, axis=0),
            "local_exponents": [
                {"between": pair, "value": e.value, "interval": [e.low, e.high]}
                for pair, e in zip(pairwise(values), locals_, strict=True)
            ],
            "log_prefactor": trend.log_prefactor.mean(),
        },
        notes=notes,
    )


@statistic(roles="memorisation", quantities="variation", options="c1 confidence least_replicates")
def seed_invariance(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how much I_K(inf) differs over seeds, at the K where it differs most.

    At each K the coefficient of variation has the chi-square interval of a log-normal sample. "At
    every K" is a conjunction, so the largest is judged (`intervals.worst`). The details say how
    c1, c2 and c3 differ over seeds while c1 falls.

    Source: Figure A.2 ("the variability across seeds is negligible").
    """
    everything = data["memorisation"]
    runs = memorising_runs(everything)
    n_items = runs["n_items"].values
    values = np.unique(n_items)
    base.require_replicates(n_items, options["least_replicates"], "K")
    level = options["confidence"]
    estimates, guarded, by_items = [], [], []
    for value in values:
        own = base.where(runs, n_items == value)
        recorded = own["i_recorded"].values
        estimates.append(intervals.variation(recorded, level))
        guarded.append(intervals.variation(recorded, 1 - (1 - level) / len(values)))
        found = estimates[-1]
        by_items.append(
            {
                "n_items": value,
                "variation": found.value,
                "interval": [found.low, found.high],
                "seeds": own.sizes["run"],
                **_variation_of_curves(own, options["c1"]),
            }
        )
    return Measurement(
        estimates={"variation": intervals.worst(estimates, guarded)},
        replicates=runs.sizes["run"],
        diverged=base.count_diverged(everything),
        details={"by_items": by_items},
    )


def _variation_of_curves(own: xr.Dataset, c1: float) -> dict[str, float]:
    """Find the largest coefficients of variation of c1, c2 and c3 until the mean c1 is small."""
    curve = own["c1"].values
    kept = np.isfinite(curve).all(axis=0)
    kept[kept] &= curve[:, kept].mean(axis=0) >= c1
    found = {}
    for name in ("c1", "c2", "c3"):
        values = own[name].values[:, kept]
        found[f"variation_of_{name}"] = float(
            np.max(np.std(values, axis=0, ddof=1) / values.mean(axis=0))
        )
    return found


@statistic(
    roles="memorisation",
    quantities="variation variation_of_c1 variation_of_c2 variation_of_c3",
    options="c1_range confidence least_replicates",
)
def curve_invariance(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how much c1, c2 and I_K(inf) differ over seeds.

    The curves are compared at equal times, while the mean c1 is within the option `c1_range`: from
    when memorisation has begun until it is nearly done. The coefficient of variation has the
    chi-square interval of a log-normal sample; the largest over times and K is judged. c3 is shown.

    Source: Figure A.2 ("the variability across seeds is negligible").
    """
    everything = data["memorisation"]
    runs = memorising_runs(everything)
    n_items = runs["n_items"].values
    base.require_replicates(n_items, options["least_replicates"], "K")
    low, high = options["c1_range"]
    samples: dict[str, list[np.ndarray]] = {name: [] for name in ("i_recorded", "c1", "c2", "c3")}
    by_items = []
    for value in np.unique(n_items):
        own = base.where(runs, n_items == value)
        mean = own["c1"].values.mean(axis=0)
        kept = np.flatnonzero((mean >= low) & (mean <= high))
        samples["i_recorded"].append(own["i_recorded"].values)
        for name in ("c1", "c2", "c3"):
            samples[name] += list(own[name].values[:, kept].T)
        by_items.append({"n_items": value, "seeds": own.sizes["run"], "evaluations": len(kept)})
    if not samples["c1"]:
        raise NotComputableError(f"no evaluation has a mean c1 from {low} to {high}")
    level, found = options["confidence"], {}
    for name, columns in samples.items():
        guarded = 1 - (1 - level) / len(columns)
        found[name] = intervals.worst(
            [intervals.variation(column, level) for column in columns],
            [intervals.variation(column, guarded) for column in columns],
        )
    found["variation"] = found.pop("i_recorded")
    return Measurement(
        estimates={n if n == "variation" else f"variation_of_{n}": e for n, e in found.items()},
        replicates=runs.sizes["run"],
        diverged=base.count_diverged(everything),
        details={"by_items": by_items},
    )


def threshold_of(dataset: xr.Dataset) -> tuple[int, float]:
    """Find the smallest N of a transition and its K* there, the midpoint of a logistic in log10 K.

    K* is NaN if the mean final ICL accuracy does not cross half height within the grid.
    """
    runs = base.usable(dataset)
    runs = base.where(runs, np.isfinite(runs["n_items"]))
    length = int(runs["context_length"].min()) if runs.sizes["run"] else 0
    runs = base.where(runs, runs["context_length"] == length)
    n_items = runs["n_items"].values
    n_values = len(np.unique(n_items))
    if n_values < 3:
        raise NotComputableError(f"{n_values} values of K in the transition: no K*")
    finals = base.final(runs, "icl_accuracy")
    fit = fit_finals(n_items, finals, np.arange(len(finals))[None], PLATEAUS)
    return length, float(10 ** fit.midpoint[0])


@statistic(
    roles="memorisation capacity transition",
    quantities="accuracy gain gain_with_tail threshold",
    options="multiples accuracy c1 lasting confidence least_replicates",
)
def not_capacity(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure whether the MLP alone memorises K*, 2 K* and 4 K* items, and I_K stays finite.

    K* is that of `transition`, at its smallest N. Each of the option `multiples` of K* is
    represented by the smallest K at or above it in `memorisation` and `capacity` (which holds K too
    large for the range of nu). Two quantities are judged over those K: the least of the highest
    accuracies, and the greatest gain, the share by which I_K grows from when c1 falls below the
    option `c1` until the record ends. A record that ends early has a small gain, so the gain with
    the bound on its tail stands beside it.

    Nothing is known at a K where a run ends before it is accurate, or before `lasting` times the
    time that c1 took to fall so low. But if its record follows the law of limited capacity
    (`MemorisationRecord.decide`), its accuracy counts as it is.

    Source: abstract; section 3.6.
    """
    everything = [data[role] for role in ("memorisation", "capacity")]
    runs = [run for each in everything for _, run in memorising_runs(each).groupby("run")]
    n_items = np.array([run["n_items"].item() for run in runs])
    length, threshold = threshold_of(data["transition"])
    if np.isnan(threshold):
        raise NotComputableError("the transition has no K* within its grid")
    chosen = _at_multiples(np.unique(n_items), threshold, options["multiples"])
    base.require_replicates(n_items[np.isin(n_items, chosen)], options["least_replicates"], "K")
    by_items, with_tails, censored = [], [], 0
    for multiple, value in zip(options["multiples"], chosen, strict=True):
        found = [_memorised(runs[r], options) for r in np.flatnonzero(n_items == value)]
        accuracy, gain, tail, kinetics = (np.array(column) for column in zip(*found, strict=True))
        censored += int((np.isnan(gain) | np.isnan(accuracy)).sum())
        with_tails.append(np.where(np.isfinite(tail), (1 + gain) * (1 + tail) - 1, np.nan))
        by_items.append(
            {
                "multiple": multiple,
                "n_items": value,
                "accuracy": accuracy,
                "gain": gain,
                "tail_bound": tail,
                "kinetics": kinetics,
            }
        )
    laws = [law for row in by_items for law in row["kinetics"]]
    most_wrong = _greatest([-row["accuracy"] for row in by_items], options)
    return Measurement(
        estimates={
            "accuracy": Estimate(-most_wrong.value, -most_wrong.high, -most_wrong.low),
            "gain": _greatest([row["gain"] for row in by_items], options),
            "gain_with_tail": _greatest(with_tails, options),
            "threshold": Estimate(threshold, np.nan, np.nan, "items"),
        },
        replicates=int(np.isin(n_items, chosen).sum()),
        censored=censored,
        diverged=sum(map(base.count_diverged, everything)),
        details={"context_length": length, "threshold": threshold, "by_items": by_items},
        notes=[
            f"K* = {threshold:,.0f} at N = {length}; K taken: "
            + ", ".join(f"{v:,.0f}" for v in chosen)
            + (f"; {censored} runs ended too early" if censored else "")
            + f"; of {len(laws)} records {laws.count(Kinetics.UNDECIDED)} are too short to tell "
            "that I_K is finite from their shape"
        ],
    )


def _at_multiples(values: np.ndarray, threshold: float, multiples: list[float]) -> list[float]:
    """Choose the smallest K at or above each multiple of K*."""
    chosen = []
    for multiple in multiples:
        above = values[values >= multiple * threshold]
        if not len(above):
            raise NotComputableError(
                f"K* = {threshold:,.0f}, and no K of the MLP alone is at or above {multiple} K*: "
                f"the largest is {values[-1]:,.0f}"
            )
        chosen.append(above[0])
    return chosen


def _memorised(run: xr.Dataset, options: dict[str, Any]) -> tuple[float, float, float, str]:
    """Measure a run's highest accuracy, gain and relative tail bound, and name its law.

    What the record is too short for is NaN.
    """
    c1, i_k, time = (run[name].values.ravel() for name in ("c1", "i_k", "theory_time"))
    kept = np.isfinite(c1)
    c1, i_k, time = c1[kept], i_k[kept], time[kept]
    accuracy = float(np.nanmax(run["item_accuracy"].values))
    try:
        decision = MemorisationRecord(time, c1).decide()
        kinetics, tail = decision.kinetics, decision.tail_bound / decision.i_recorded
    except ValueError:  # too few evaluations at its end
        kinetics, tail = Kinetics.UNDECIDED, np.inf
    if accuracy < options["accuracy"] and kinetics != Kinetics.CAPACITY:
        accuracy = np.nan
    small = np.flatnonzero(c1 < options["c1"])
    long_enough = len(small) and time[-1] >= options["lasting"] * time[small[0]]
    gain = i_k[-1] / i_k[small[0]] - 1 if long_enough else np.nan
    return accuracy, float(gain), float(tail), str(kinetics)


def _greatest(columns: list[np.ndarray], options: dict[str, Any]) -> Estimate:
    """Estimate the greatest over K of means over seeds (S,); unknown where a value is missing."""
    guarded = {**options, "confidence": 1 - (1 - options["confidence"]) / len(columns)}
    plain, careful = (
        [UNKNOWN if np.isnan(values).any() else intervals.mean(values, o) for values in columns]
        for o in (options, guarded)
    )
    return intervals.worst(plain, careful)
