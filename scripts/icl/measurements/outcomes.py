"""Measure whether runs acquire ICL at all: near K*, on D' and at the saddle of D'."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.measurements.memorisation import memorising_runs
from icl.measurements.transition import fit_finals, mean_responses
from icl.statistics import curves, hypotheses
from icl.theory.memorisation import MemorisationRecord


def share_rows(dataset: xr.Dataset, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Tabulate the fraction that acquires at each K, with its exact interval.

    Source: section 4, "the fraction of seeds whose final ICL performance exceeds 75 %".
    """
    runs = base.usable(dataset)
    acquires = base.final(runs, "icl_accuracy") > options["acquired_above"]
    values, index, counts = np.unique(runs["n_items"], return_inverse=True, return_counts=True)
    acquired = np.bincount(index[acquires], minlength=len(values))
    return [
        {
            "n_items": value,
            "replicates": int(count),
            "acquired": int(number),
            "fraction": number / count,
            "interval": hypotheses.proportion_interval(number, count, options["confidence"]),
        }
        for value, count, number in zip(values, counts, acquired, strict=True)
    ]


@dataclass(frozen=True)
class Race:
    """I_K(t) of the MLP alone, and when it has each seed acquire ICL."""

    n_items: float  # K of the MLP alone
    curves: list[tuple[np.ndarray, np.ndarray]]  # theory time and I_K of each seed
    total: float  # I_K at the end of the records, mean over seeds
    seeds: int  # run at K = infinity
    t_icl: np.ndarray  # (S,) there, ascending, of those that acquire ICL
    predicted: np.ndarray  # (S,) the time at which I_K equals that, infinite if it never does


def predicted_race(
    memorisation: xr.Dataset,
    acquisition: xr.Dataset,
    n_items: float,
    length: int,
    budget: float,
    options: dict[str, Any],
) -> Race:
    """Predict when seeds acquire ICL at one N and K, by I_K(t) = t_ICL(K = infinity) (eq. 10).

    I_K is that of the MLP alone at the nearest K that was run; its first seed predicts. The curves
    end at the theory time `budget`.
    """
    alone = base.undiverged(memorisation)
    values = np.unique(alone["n_items"].values)
    nearest = values[np.abs(np.log(values / n_items)).argmin()]
    records, drawn = [], []
    for row in np.flatnonzero(alone["n_items"].values == nearest):
        time, c1 = alone["theory_time"].values[row], alone["c1"].values[row]
        seen = np.isfinite(time) & np.isfinite(c1)
        records.append(MemorisationRecord(time[seen], np.clip(c1[seen], 0, 1)))
        clock = np.linspace(0, min(budget, time[seen][-1]), 200)
        drawn.append((clock, records[-1].integral(clock)))
    totals = [float(record.integral(record.time[-1])) for record in records]
    infinite = base.infinite_only(base.undiverged(acquisition))
    own = base.where(infinite, infinite["context_length"] == length)
    passage = base.acquisition_time(own, options)
    t_icl = np.sort(passage.time[passage.reached])
    return Race(
        n_items=float(nearest),
        curves=drawn,
        total=float(np.mean(totals)),
        seeds=own.sizes["run"],
        t_icl=t_icl,
        predicted=records[0].acquisition_time(t_icl),
    )


@statistic(
    roles="bimodality",
    quantities="dip_p intermediates early fraction_acquired",
    options=(
        "threshold acquired_above near_threshold intermediate confidence resamples seed "
        "least_replicates"
    ),
)
def bimodality(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure whether a seed near K* generalises early or never.

    Judged is the K whose acquired fraction is nearest to one half, and only if that fraction lies
    in the option `near_threshold`: elsewhere all seeds do the same, and two kinds cannot show.

    - `dip_p`: p of Hartigan's dip test of the final ICL accuracies (one mode).
    - `intermediates`: share of finals within the option `intermediate`; exact interval.
    - `early`: median t_ICL of the runs that acquire, over the budget; bootstrap over seeds.

    Source: Figure 6 c.
    """
    runs = base.unstopped(data["bimodality"], "which makes finals bimodal by itself")
    rows = share_rows(runs, options)
    row = min(rows, key=lambda row: abs(row["fraction"] - 0.5))
    lowest, highest = options["near_threshold"]
    if not lowest <= row["fraction"] <= highest:
        raise NotComputableError(
            f"at K = {row['n_items']:,.0f} {row['acquired']} of {row['replicates']} runs acquire "
            f"ICL: that is not near K*, where {lowest:g} to {highest:g} of them do"
        )
    runs = base.where(runs, runs["n_items"] == row["n_items"])
    base.require_number(runs.sizes["run"], options, f"runs at K = {row['n_items']:,.0f}")
    finals = base.final(runs, "icl_accuracy")
    depth, p = hypotheses.dip(finals)
    low, high = options["intermediate"]
    between = int(((finals >= low) & (finals <= high)).sum())
    passage = base.acquisition_time(runs, options)
    budget = float(np.nanmax(runs["theory_time"].values))
    early = UNKNOWN
    if passage.reached.sum() >= options["least_replicates"]:
        times = passage.time[passage.reached] / budget
        drawn = curves.stratified_resamples(
            np.zeros(len(times)), options["resamples"], options["seed"]
        )
        early = base.estimate(
            np.median(times), np.median(times[drawn], axis=1), options, "of budget"
        )
    return Measurement(
        estimates={
            "dip_p": Estimate(p, p, p, test=True),
            "intermediates": intervals.proportion(between, len(finals), options),
            "early": early,
            "fraction_acquired": Estimate(row["fraction"], *row["interval"]),
        },
        replicates=len(finals),
        censored=passage.censored,
        diverged=base.count_diverged(data["bimodality"]),
        details={
            "context_length": int(runs["context_length"][0]),
            "n_items": row["n_items"],
            "dip": depth,
            "budget": budget,
            "by_items": rows,
            "seed": runs["seed"].values,
            "final": finals,
            "t_icl": passage.time,
            "reached": passage.reached,
        },
    )


@statistic(
    roles="bimodality memorisation",
    quantities="dip_p intermediates early lead memorised_at fraction_acquired",
    options=(
        "threshold acquired_above near_threshold intermediate c1 confidence resamples seed "
        "least_replicates"
    ),
)
def early_or_never(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure, beside `bimodality`, whether those that acquire ICL do so before memorisation ends.

    - `memorised_at`: the time by which the MLP alone has c1 below the option `c1`, geometric mean
      over seeds, at the judged K: linear in the logarithms between the K that were run.
    - `lead`: median t_ICL of the runs that acquire, over that time.

    Source: Figure 6 c; section 4 ("early during training or never").
    """
    measured = bimodality({"bimodality": data["bimodality"]}, options)
    n_items, reached = measured.details["n_items"], measured.details["reached"]
    if reached.sum() < options["least_replicates"]:
        raise NotComputableError(f"{reached.sum()} runs acquire ICL near K*")
    alone = memorising_runs(data["memorisation"])
    values = np.unique(alone["n_items"].values)
    above = int(np.searchsorted(values, n_items))
    if not 0 < above < len(values):
        raise NotComputableError(f"K = {n_items:,.0f} is outside the K of the MLP runs")
    neighbours = values[above - 1], values[above]
    ends = [_log_time_below(alone, value, options) for value in neighbours]
    share = np.log(n_items / neighbours[0]) / np.log(neighbours[1] / neighbours[0])
    log_time = Estimate(
        *(
            (1 - share) * getattr(ends[0], end) + share * getattr(ends[1], end)
            for end in ("value", "low", "high")
        )
    )
    times = np.log(measured.details["t_icl"][reached])
    drawn = curves.stratified_resamples(np.zeros(len(times)), options["resamples"], options["seed"])
    typical = base.estimate(np.median(times), np.median(times[drawn], axis=1), options)
    lead = intervals.difference(typical, log_time)
    return replace(
        measured,
        estimates={
            **measured.estimates,
            "lead": intervals.rescaled(lead, np.exp),
            "memorised_at": intervals.rescaled(log_time, np.exp),
        },
    )


def _log_time_below(alone: xr.Dataset, n_items: float, options: dict[str, Any]) -> Estimate:
    """Estimate the mean over seeds of the logarithm of when c1 falls below the option `c1`."""
    own = base.where(alone, alone["n_items"] == n_items)
    passage = curves.first_passage(
        -own["c1"].values, own["theory_time"].values, -np.nextafter(options["c1"], 0)
    )
    if not passage.reached.all():
        raise NotComputableError(f"at K = {n_items:,.0f} not every MLP has c1 < {options['c1']}")
    return intervals.mean(np.log(passage.time), options)


@statistic(
    roles="unbalanced balanced",
    quantities="threshold_ratio difference threshold_on_d threshold_on_d_balanced",
    options="acquired_above surely floor ceiling confidence resamples seed least_replicates",
)
def balanced_threshold(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how far K* on D' is above K* on D, beside the difference of `balanced_failure`.

    K* is where half of the runs acquire ICL, by a logistic in log10 K. Where D' never passes half
    within the grid, the largest K stands for its K*, and the ratio is a lower bound. Source:
    Figures 6 e and A.8; section 4.
    """
    found = balanced_failure(data, options)
    logs, notes = {}, [*found.notes]
    for draw, name in enumerate(("unbalanced", "balanced")):
        runs = base.usable(data[name])
        n_items = runs["n_items"].values
        base.require_replicates(n_items, options["least_replicates"], "K")
        by_fraction = {**options, "response": "fraction_acquired"}
        seeds, drawn = runs["seed"].values, {**options, "seed": options["seed"] + draw}
        order = base.resampled(n_items, seeds, drawn, groups=base.alike(seeds, n_items))
        finals = base.final(runs, "icl_accuracy")
        middle = fit_finals(n_items, finals, order, by_fraction).midpoint
        if name == "balanced":
            _, _, means = mean_responses(n_items, finals, order, by_fraction)
            never = means.max(axis=1) <= 0.5
            middle = np.where(never, np.log10(n_items.max()), middle)
            if never[0]:
                notes.append("on D' K* is beyond the grid: the ratio is a lower bound")
        logs[name] = middle
    ratio = 10 ** (logs["balanced"] - logs["unbalanced"])
    plain, forced = (
        base.estimate(10 ** logs[name][0], 10 ** logs[name][1:], options, "items")
        for name in ("unbalanced", "balanced")
    )
    return replace(
        found,
        estimates={
            "threshold_ratio": base.bootstrapped(ratio, options),
            "difference": found.estimates["difference"],
            "threshold_on_d": plain,
            "threshold_on_d_balanced": forced,
        },
        replicates=sum(
            base.undiverged(data[name]).sizes["run"] for name in ("unbalanced", "balanced")
        ),
        notes=notes,
    )


@statistic(
    roles="unbalanced balanced",
    quantities="difference fraction_on_d fraction_on_d_balanced",
    options="acquired_above surely confidence",
)
def balanced_failure(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure by how much fewer runs acquire ICL on D' than on D, at one N and K.

    Judged at the smallest K that both have and at which the option `surely` of the runs on D
    acquires: at larger K both may, at smaller neither. Only the K with the most runs count, lest a
    few lucky ones choose. Newcombe's interval.

    Source: Figure 6 e; section 4.
    """
    both = {name: base.sorted_runs(data[name]) for name in ("unbalanced", "balanced")}
    for runs in both.values():
        base.require_unstopped(runs, "whose final accuracy is therefore not what decides")
    lengths = {int(n) for runs in both.values() for n in np.unique(runs["context_length"])}
    if len(lengths) != 1:
        raise NotComputableError(f"it is defined at one N, and the data have {sorted(lengths)}")
    rows = {name: share_rows(runs, options) for name, runs in both.items()}
    on_balanced = {row["n_items"]: row for row in rows["balanced"]}
    shared = [row for row in rows["unbalanced"] if row["n_items"] in on_balanced]
    most = max((row["replicates"] for row in shared), default=0)
    sure = [
        row
        for row in shared
        if row["fraction"] >= options["surely"] and 2 * row["replicates"] > most
    ]
    if not sure:
        best = max((row["fraction"] for row in shared), default=0.0)
        raise NotComputableError(
            f"at no K of both do {options['surely']:.0%} of the runs on D acquire ICL, "
            f"at most {best:.0%}",
            **rows,
        )
    plain = sure[0]
    forced = on_balanced[plain["n_items"]]
    difference = intervals.difference_of_proportions(
        (forced["acquired"], plain["acquired"]),
        (forced["replicates"], plain["replicates"]),
        options["confidence"],
    )
    return Measurement(
        estimates={
            "difference": difference,
            "fraction_on_d": Estimate(plain["fraction"], *plain["interval"]),
            "fraction_on_d_balanced": Estimate(forced["fraction"], *forced["interval"]),
        },
        replicates=plain["replicates"] + forced["replicates"],
        diverged=sum(map(base.count_diverged, both.values())),
        details={
            "context_length": lengths.pop(),
            "n_items": plain["n_items"],
            "unbalanced": rows["unbalanced"],
            "balanced": rows["balanced"],
        },
    )


@statistic(
    roles="minimal_balanced",
    quantities="on_predicted_side",
    options="acquired_above confidence least_replicates",
)
def balanced_saddle(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the share of minimal models on D' that end on the side beta0 predicts.

    From w0 = 0 the flow reaches ICL if and only if beta0 > 0 (equation 9 has a saddle at the
    origin). A run acquires ICL if its last ICL accuracy is above `acquired_above`, measured on
    contexts with free labels: on D' itself the other solution is right too. Exact interval.

    Source: equation 9; section 3.4.
    """
    runs = base.unstopped(data["minimal_balanced"], "before its side could be seen")
    if "beta" not in runs:
        raise NotComputableError("beta was not recorded: evaluation.order_parameters is false")
    beta0, w0 = runs["beta"].values[:, 0], runs["w"].values[:, 0]
    if np.any(w0 != 0) or not np.isinf(runs["n_items"].values).all():
        raise NotComputableError("it is about w0 = 0 and K = infinity, and the data have others")
    base.require_number(len(beta0), options, "runs")
    acquires = base.final(runs, "icl_accuracy") > options["acquired_above"]
    right = acquires == (beta0 > 0)
    return Measurement(
        estimates={
            "on_predicted_side": intervals.proportion(int(right.sum()), len(right), options)
        },
        replicates=len(right),
        diverged=base.count_diverged(data["minimal_balanced"]),
        details={
            "seed": runs["seed"].values,
            "beta0": beta0,
            "acquired": acquires,
            "last_beta": base.final(runs, "beta"),
            "last_w": base.final(runs, "w"),
        },
    )
