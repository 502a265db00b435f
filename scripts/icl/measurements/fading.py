"""Measure how long ICL lasts under weight decay (Figures 2 e, 3 c and A.6)."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.statistics import curves, hypotheses


@dataclass(frozen=True)
class Fading:
    """The times at which each run acquired ICL and lost it again, (R,) each."""

    runs: xr.Dataset
    decay: np.ndarray  # lambda, 0 where it is negligible
    acquired: np.ndarray  # whether ICL accuracy ever reached the level of acquisition
    t_acquired: np.ndarray  # theory time of that, or of the last evaluation
    faded: np.ndarray  # whether it fell to the level of fading after that
    t_faded: np.ndarray  # theory time of that, or of the last evaluation


def fading(
    dataset: xr.Dataset, options: dict[str, Any], decayed: str = "attention", for_good: bool = False
) -> Fading:
    """Time the fading of ICL: the first accuracy at or below `lost` after one at or above `had`.

    The next evaluation must confirm both (our addition). Source: caption of Figure A.6.

    Args:
        decayed: "attention" takes the runs whose beta and w (all of the attention) share one decay;
            "w" those whose beta has none.
        for_good: count only a fading after which accuracy stays below `had` to the end.
    """
    runs = base.usable(dataset)
    on_w, on_beta = runs["w_decay"].values, runs["beta_decay"].values
    none = options["negligible_decay"]
    chosen = (on_beta == on_w) if decayed == "attention" else (on_beta <= none)
    chosen |= (on_w <= none) & (on_beta <= none)
    runs = base.where(runs, chosen)
    accuracy, clock = runs["icl_accuracy"].values, runs["theory_time"].values
    # `first_passage` wants values above its level; here the level itself counts.
    had = curves.first_passage(accuracy, clock, np.nextafter(options["had"], 0))
    since = had.index
    if for_good:
        reversed_ = (accuracy >= options["had"])[:, ::-1]
        since = np.where(had.reached, accuracy.shape[1] - 1 - reversed_.argmax(axis=1), since)
    after = np.arange(accuracy.shape[1]) > since[:, None]
    shortfall = np.where(after & had.reached[:, None], -accuracy, np.nan)
    lost = curves.first_passage(shortfall, clock, -np.nextafter(options["lost"], 1))
    end = curves.last_value(np.where(np.isfinite(accuracy), clock, np.nan))
    decay = runs["w_decay"].values
    return Fading(
        runs,
        np.where(decay <= none, 0.0, decay),
        had.reached,
        np.where(had.reached, had.time, end),
        lost.reached,
        np.where(lost.reached, lost.time, end),
    )


@statistic(
    roles="transience",
    quantities="log_rank_p fade_slope acquired_at_largest",
    options="had lost negligible_decay confidence least_replicates",
)
def transience(
    data: dict[str, xr.Dataset],
    options: dict[str, Any],
    decayed: str = "attention",
    for_good: bool = False,
) -> Measurement:
    """Measure whether ICL fades under weight decay of the attention, and only then.

    Runs are followed from acquisition up to one budget, that of the shortest run.

    - `log_rank_p`: log-rank test of the time from acquisition to fading, lambda > 0 against 0;
      1 if the runs without decay fade sooner.
    - `fade_slope`: slope of log fading time (since the start, as in Figure A.6) on log lambda, over
      the runs with decay that acquired. Times are log-normal, censored where a run did not fade;
      the interval is Wald's.
    - `acquired_at_largest`: how many runs at the largest lambda ever acquired. It counts these
      very runs, so its interval is the count itself.

    Source: Figures 2 e and A.6.
    """
    runs = base.sorted_runs(data["transience"])
    base.require_unstopped(runs, "which ends a run before its ICL can fade")
    found = fading(runs, options, decayed, for_good)
    decay = found.decay
    values = np.unique(decay)
    if values[0] != 0 or len(values) < 2:
        raise NotComputableError(
            f"lambda = {values.tolist()}: runs with and runs without decay are needed"
        )
    budget = found.runs["theory_time"].max("evaluation").values.min()
    faded = found.faded & (found.t_faded <= budget)
    t_faded = np.minimum(found.t_faded, budget)
    timed = found.acquired & (found.t_acquired < budget)
    least, notes = options["least_replicates"], []
    p, earlier, slope, trend = np.nan, 0.0, UNKNOWN, None
    counts = [int((timed & group).sum()) for group in (decay == 0, decay > 0)]
    if not timed.all():
        notes.append(
            f"{int((~timed).sum())} of {len(decay)} runs never acquire ICL, "
            f"{int((~timed & (decay < values[-1])).sum())} of them below the largest lambda: "
            "fading is timed in the others"
        )
    if min(counts) >= least:
        durations = (t_faded - found.t_acquired)[timed]
        p, earlier = hypotheses.log_rank(durations, faded[timed], decay[timed] > 0)
        p = 1.0 if earlier < 0 else p
    else:
        notes.append(
            f"{counts[0]} runs without decay and {counts[1]} with it acquired ICL, "
            f"{least} of each are needed"
        )
    with_decay = timed & (decay > 0)
    if with_decay.sum() >= least:
        log_decay = np.log(decay[with_decay])
        trend = hypotheses.accelerated_times(
            t_faded[with_decay], faded[with_decay], log_decay, options["confidence"]
        )
    if trend is None:
        notes.append("ICL fades at fewer than two values of lambda: no slope")
    else:
        slope = Estimate(trend.slope, trend.low, trend.high)
    at_largest = decay == values[-1]
    reached = int(found.acquired[at_largest].sum())
    by_decay = []
    for value in values:
        own = decay == value
        at_risk, median = own & timed, np.nan
        if at_risk.any():
            median = float(curves.censored_median(t_faded[at_risk], faded[at_risk]))
        by_decay.append(
            {
                "decay": value,
                "replicates": int(own.sum()),
                "acquired": int(found.acquired[own].sum()),
                "faded": int(faded[own].sum()),
                "median_fade_time": median,
            }
        )
    return Measurement(
        estimates={
            "log_rank_p": Estimate(p, p, p, test=True),
            "fade_slope": slope,
            "acquired_at_largest": Estimate(
                reached, reached, reached, f"of {int(at_largest.sum())} runs"
            ),
        },
        replicates=len(decay),
        censored=int((timed & ~faded).sum()),
        diverged=base.count_diverged(runs),
        details={
            "decayed": decayed,
            "budget": budget,
            "levels": [options["had"], options["lost"]],
            "by_decay": by_decay,
            "trend": None if trend is None else vars(trend),
            "earlier_with_decay": earlier > 0,
        },
        notes=notes,
    )


@statistic(
    roles="transience",
    quantities="log_rank_p fade_slope last_accuracy acquired_at_largest",
    options="had lost negligible_decay acquiring confidence least_replicates",
)
def lasting_transience(
    data: dict[str, xr.Dataset], options: dict[str, Any], decayed: str = "attention"
) -> Measurement:
    """Measure whether ICL fades for good under weight decay, and only then.

    As `transience`, except that a run has faded only if its accuracy stays below the option `had`
    to its end: an instability of a large learning rate throws accuracy down, and it comes back.

    - `last_accuracy`: mean last ICL accuracy of those that acquired, at the largest lambda at which
      the option `acquiring` of the seeds do.

    Source: Figures 2 e and A.6.
    """
    measured = transience(data, options, decayed, for_good=True)
    found = fading(data["transience"], options, decayed, for_good=True)
    shares = {
        value: found.acquired[found.decay == value].mean() for value in np.unique(found.decay)
    }
    enough = [value for value, share in shares.items() if value and share >= options["acquiring"]]
    last, notes = UNKNOWN, [*measured.notes]
    if enough:
        own = (found.decay == max(enough)) & found.acquired
        last = intervals.mean(base.final(found.runs, "icl_accuracy")[own], options)
        notes.append(f"the last accuracy is that at lambda = {max(enough):g}")
    return replace(measured, estimates={**measured.estimates, "last_accuracy": last}, notes=notes)
