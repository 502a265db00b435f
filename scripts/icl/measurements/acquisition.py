"""Measure t_ICL at K = infinity against N, and its tail (Figures 6 b and A.4)."""

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.statistics import curves, fits, tails

LARGE_N = 64  # from here on a local exponent is one of large N


@dataclass(frozen=True)
class _Times:
    """t_ICL of every run at K = infinity, ordered by N, then seed."""

    runs: xr.Dataset  # none diverged
    lengths: np.ndarray  # (G,) the values of N
    members: list[np.ndarray]  # the runs at each N
    passage: curves.Passage  # of the threshold, in theory time
    order: np.ndarray  # (1 + B, R)
    by_length: list[dict[str, Any]]  # plain data for figures and readers
    notes: list[str]  # on the spacing of evaluations
    diverged: int


def _times(dataset: xr.Dataset, options: dict[str, Any]) -> _Times:
    infinite = base.sorted_runs(base.infinite_only(dataset))
    if not infinite.sizes["run"]:
        raise NotComputableError("no run has K = infinity")
    runs = base.undiverged(infinite)  # a diverged run is no slow run
    length_of_run = runs["context_length"].values
    lengths = np.unique(length_of_run)
    base.require_replicates(length_of_run, options["least_replicates"], "N")
    passage = base.acquisition_time(runs, options)
    if too_early := int((base.stopped(runs) & ~passage.reached).sum()):
        raise NotComputableError(
            f"{too_early} runs were stopped before t_ICL as it is "
            "defined here: their stop rule is looser than the threshold and its confirmation"
        )
    groups = _lengths_of_seed(infinite, runs)
    order = base.resampled(length_of_run, runs["seed"].values, options, groups=groups)
    members = [np.flatnonzero(length_of_run == length) for length in lengths]
    by_length, notes = [], []
    for length, own in zip(lengths, members, strict=True):
        medians = passage.median(order[:, own])
        median, apart = float(medians[0]), base.spacing(runs["theory_time"].values[own])
        low, high = curves.interval(medians[1:], options["confidence"])
        by_length.append(
            {
                "context_length": length,
                "median": median,
                "interval": [low, high],
                "replicates": len(own),
                "censored": int((~passage.reached[own]).sum()),
                "evaluation_spacing": apart,
                "seed": runs["seed"].values[own],
                "t_icl": passage.time[own],
                "acquired": passage.reached[own],
            }
        )
        notes += base.resolution_note(apart, median, options["finest_spacing"], f"N = {length}")
    return _Times(
        runs, lengths, members, passage, order, by_length, notes, base.count_diverged(infinite)
    )


def _lengths_of_seed(planned: xr.Dataset, runs: xr.Dataset) -> np.ndarray:
    """Name the values of N at which each run's seed was to be run: (R,)."""
    lengths = planned["context_length"].values
    at = {seed: lengths[planned["seed"].values == seed] for seed in runs["seed"].values}
    return np.array([str(sorted(at[seed])) for seed in runs["seed"].values])


@statistic(
    roles="acquisition longest minimal_acquisition two_layer",
    quantities=(
        "exponent r_squared curvature slope intercept geometric_exponent local_exponent "
        "minimal_exponent minimal_r_squared minimal_curvature minimal_slope minimal_intercept "
        "minimal_geometric_exponent minimal_local_exponent "
        "two_layer_exponent two_layer_r_squared two_layer_curvature two_layer_slope "
        "two_layer_intercept two_layer_geometric_exponent two_layer_local_exponent"
    ),
    options="threshold finest_spacing confidence resamples seed least_replicates",
    optional="longest minimal_acquisition two_layer",
)
def linear_ticl(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how the median t_ICL grows with N, in each model.

    Three curves are fitted to the Kaplan-Meier medians, all N with equal weight: a straight line
    with intercept (R^2 says how straight), a power law (its exponent says how linear) and a
    quadratic in the logarithms (its curvature says whether one exponent serves). Seeds are
    resampled, each with its runs at every N. The interval of R^2 is BCa: noise only lowers R^2, and
    a percentile interval would count that noise twice. Exponent and curvature have BCa intervals
    if every N has seeds of its own, else expanded percentile ones.

    `geometric_exponent` and `local_exponent` are those of `paired_exponents`, of the seeds that
    have run at every N, if all of them acquired ICL there. If a claim gives `longest`, its runs
    join those of `acquisition`: one more N.

    Source: Figures 6 b and A.5.
    """
    roles = {"acquisition": "", "minimal_acquisition": "minimal_", "two_layer": "two_layer_"}
    estimates: dict[str, Estimate] = {}
    details, notes, counts = {}, [], np.zeros(3, dtype=int)
    for role, prefix in roles.items():
        if role not in data:
            continue
        try:
            own = base.joined(data, "acquisition", "longest") if not prefix else data[role]
            found = _trend(own, options)
        except NotComputableError as error:
            if role == "acquisition":
                raise
            notes.append(f"{role}: {error}")
            continue
        estimates |= {prefix + name: value for name, value in found.estimates.items()}
        details[role] = found.details
        notes += [f"{role}: {note}" if prefix else note for note in found.notes]
        counts += found.replicates, found.censored, found.diverged
    return Measurement(
        estimates=estimates,
        replicates=int(counts[0]),
        censored=int(counts[1]),
        diverged=int(counts[2]),
        details={**details.pop("acquisition"), **details},
        notes=notes,
    )


def _trend(dataset: xr.Dataset, options: dict[str, Any]) -> Measurement:
    """Measure the trend of t_ICL with N in one model."""
    times = _times(dataset, options)
    if len(times.lengths) < 3:
        raise NotComputableError(f"{len(times.lengths)} values of N; a trend needs three or more")
    lengths = times.lengths.astype(float)

    def fit(*drawn: np.ndarray) -> fits.TrendFit:
        medians = np.stack([times.passage.median(own) for own in drawn], axis=-1)
        return fits.fit_trend(lengths, medians)

    point = fit(*(own[None] for own in times.members))
    drawn = fit(*(times.order[1:, own] for own in times.members))
    seeds = [times.runs["seed"].values[own] for own in times.members]
    paired = all(np.array_equal(seeds[0], other) for other in seeds)
    # A shared seed moves all N at once, and BCa intervals from few seeds are too narrow then.
    few = dict.fromkeys(("exponent", "curvature"), len(seeds[0])) if paired else {}
    estimates = {
        name: base.estimate(
            getattr(point, name)[0], getattr(drawn, name), options, seeds=few.get(name)
        )
        for name in ("exponent", "r_squared", "curvature", "slope", "intercept")
    }
    for name in ("exponent", "r_squared", "curvature"):
        found = estimates[name]
        if name not in few and not found.failed and np.isfinite(found.value):
            ends = curves.bca_interval(
                times.members,
                lambda *drawn, name=name: getattr(fit(*drawn), name),
                options["resamples"],
                options["seed"],
                options["confidence"],
                paired=paired,
            )
            estimates[name] = Estimate(found.value, *ends)
    estimates |= dict.fromkeys(("geometric_exponent", "local_exponent"), UNKNOWN)
    common = reduce(np.intersect1d, seeds)
    at = [own[np.isin(seeds[i], common)] for i, own in enumerate(times.members)]
    if len(common) >= options["least_replicates"] and times.passage.reached[np.stack(at)].all():
        t_icl = times.passage.time[np.stack(at, axis=1)]
        estimates |= paired_exponents(times.lengths, t_icl, options)
    unfinished = [str(row["context_length"]) for row in times.by_length if np.isinf(row["median"])]
    notes = times.notes
    if unfinished:
        notes = [
            *notes,
            f"at N = {', '.join(unfinished)} less than half of the runs acquire ICL: no median",
        ]
    return Measurement(
        estimates=estimates,
        replicates=times.runs.sizes["run"],
        censored=times.passage.censored,
        diverged=times.diverged,
        details={
            "by_length": times.by_length,
            "line": {"slope": point.slope[0], "intercept": point.intercept[0]},
            "power_law": {"exponent": point.exponent[0], "log_prefactor": point.log_prefactor[0]},
            "threshold": options["threshold"],
        },
        notes=notes,
    )


def paired_exponents(
    lengths: np.ndarray, t_icl: np.ndarray, options: dict[str, Any]
) -> dict[str, Estimate]:
    """Measure the exponent of t_ICL (S, G) of S seeds at the same N (G,), over all N and locally.

    Each seed has a slope of log t_ICL on log N, whose mean over seeds is the slope of the geometric
    mean. What a seed has in common at all N drops out of it. `local_exponent` is that of the
    largest N and the largest N at most half of it; it is unknown where that one is below `LARGE_N`,
    for at small N a power law with an offset looks like another power law.
    """
    slopes = fits.fit_trend(lengths.astype(float), t_icl).exponent
    found = {"geometric_exponent": intervals.mean(slopes, options), "local_exponent": UNKNOWN}
    halves = np.flatnonzero((lengths <= lengths[-1] / 2) & (lengths >= LARGE_N))
    if len(halves):
        half = halves[-1]
        local = np.log(t_icl[:, -1] / t_icl[:, half]) / np.log(lengths[-1] / lengths[half])
        found["local_exponent"] = intervals.mean(local, options)
    return found


@statistic(
    roles="acquisition more_seeds",
    quantities="skewness aic_advantage",
    options="threshold finest_spacing confidence resamples seed least_replicates",
    optional="more_seeds",
)
def long_tail(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the tail of t_ICL: its skewness, and log-normal against normal at each N.

    If a claim gives `more_seeds`, its runs join those of `acquisition`.

    Skewness is taken over all runs together, each time divided by the median of its N, for one N
    has too few. A censored time counts as its censoring time, which can only shorten the tail. "At
    every N" is a conjunction, so the quantity is the least AIC advantage over N. Its interval runs
    from the least lower to the least upper end of the intervals at each N: all above 0 if every one
    is, all below if any one is.

    Source: Figure A.4.
    """
    times = _times(base.joined(data, "acquisition", "more_seeds"), options)
    passage, order = times.passage, times.order
    relative = np.empty(order.shape)
    advantages = []
    for own, row in zip(times.members, times.by_length, strict=True):
        t, reached = passage.time[order[:, own]], passage.reached[order[:, own]]
        median = curves.censored_median(t, reached)
        relative[:, own] = t / np.where(np.isfinite(median), median, np.nan)[:, None]
        advantage = curves.aic_advantage(t, reached)
        advantages.append(base.bootstrapped(advantage, options))
        row["aic_advantage"] = advantage[0]
        row["aic_advantage_interval"] = [advantages[-1].low, advantages[-1].high]
        row |= _shape(t[:1], reached[:1])
    tail = curves.skewness(relative)
    least = Estimate(
        value=min(a.value for a in advantages),
        low=min(a.low for a in advantages),
        high=min(a.high for a in advantages),
        failed=sum(a.failed for a in advantages),
    )
    return Measurement(
        estimates={"skewness": base.bootstrapped(tail, options), "aic_advantage": least},
        replicates=times.runs.sizes["run"],
        censored=times.passage.censored,
        diverged=times.diverged,
        details={
            "by_length": times.by_length,
            "aic_advantage_of_all": sum(a.value for a in advantages),
            "threshold": options["threshold"],
        },
        notes=times.notes,
    )


def _shape(t: np.ndarray, reached: np.ndarray) -> dict[str, Any]:
    """Describe times (1, R) for the figures: skewness, and both fits of largest likelihood."""
    _, mean, sd = curves.normal_log_likelihood(t, reached)
    _, log_mean, log_sd = curves.normal_log_likelihood(np.log(t), reached)
    return {
        "skewness": curves.skewness(t)[0],
        "normal": {"mean": mean[0], "sd": sd[0]},
        "log_normal": {"log_mean": log_mean[0], "log_sd": log_sd[0]},
    }


@statistic(
    roles="acquisition initial_beta",
    quantities=(
        "aic_advantage aic_over_gamma aic_over_inverse_gaussian beta0_slope beta0_r2 skewness"
    ),
    options=("threshold shortest finest_spacing confidence resamples seed least_replicates"),
)
def tail_of_beta0(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the tail of t_ICL against a normal one, and how t_ICL falls with beta0.

    - `aic_advantage`: AIC of a normal less that of a log-normal, the least over N from the option
      `shortest` on. `aic_over_gamma`, `aic_over_inverse_gaussian`: the same of two rivals with a
      tail, which are shown.
    - `beta0_slope`: slope of log t_ICL on the seed's own beta0 at the largest N; -1 by equation 35.
      beta0 is that of the theory, whose items have unit length: the beta of the transformer times
      the overlap of an item in the context with itself as target. `beta0_r2` (shown) is the share
      of the variance of log t_ICL that beta0 explains: the rest has another cause.

    Source: Figure A.4; section 3.5.
    """
    times = _times(data["acquisition"], options)
    for own, row in zip(times.members, times.by_length, strict=True):
        row |= _shape(times.passage.time[own][None], times.passage.reached[own][None])
    if times.passage.censored:
        raise NotComputableError(
            f"{times.passage.censored} runs never acquire ICL: their tail is open",
            by_length=times.by_length,
        )
    rivals: dict[str, list[Estimate]] = {"aic_advantage": [], **{n: [] for n in _RIVALS}}
    for own, row in zip(times.members, times.by_length, strict=True):
        if row["context_length"] < options["shortest"]:
            continue
        t = times.passage.time[times.order[:, own]]
        log_normal = tails.log_normal_aic(t)
        advantages = {"aic_advantage": tails.normal_aic(t) - log_normal}
        advantages |= {name: law(t) - log_normal for name, law in _RIVALS.items()}
        for name, advantage in advantages.items():
            rivals[name].append(base.bootstrapped(advantage, options))
            row[name] = advantage[0]
    least = {name: intervals.least(found, options["confidence"]) for name, found in rivals.items()}
    largest = times.members[-1]
    beta0 = beta0_of(times.runs["seed"].values[largest], data["initial_beta"])
    log_t = np.log(times.passage.time[largest])
    skewness = curves.skewness(times.passage.time[times.order[:, largest]])
    return Measurement(
        estimates={
            **least,
            "beta0_slope": intervals.slope(beta0, log_t, options),
            "beta0_r2": intervals.explained(beta0, log_t, options),
            "skewness": base.bootstrapped(skewness, options),
        },
        replicates=times.runs.sizes["run"],
        diverged=times.diverged,
        details={
            "by_length": times.by_length,
            "beta0": beta0,
            "log_t_icl": log_t,
            "threshold": options["threshold"],
        },
        notes=times.notes,
    )


_RIVALS = {
    "aic_over_gamma": tails.gamma_aic,
    "aic_over_inverse_gaussian": tails.inverse_gaussian_aic,
}


def beta0_of(seeds: np.ndarray, initial: xr.Dataset) -> np.ndarray:
    """Read the theory's beta0 of seeds (R,) off the first evaluation of runs that record it."""
    if "item_overlap" not in initial:
        raise NotComputableError("the runs do not record order parameters")
    at_start = (initial["beta"] * initial["item_overlap"]).values[:, 0].tolist()
    of_seed = dict(zip(initial["seed"].values.tolist(), at_start, strict=True))
    if missing := sorted(set(seeds.tolist()) - set(of_seed)):
        raise NotComputableError(f"beta0 of seeds {missing} is not known")
    return np.array([of_seed[seed] for seed in seeds.tolist()])
