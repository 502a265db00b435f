"""The ICL loss against the IWL loss after ICL is acquired (equation 16, Figure 6 d)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import UNKNOWN, Measurement, NotComputableError, statistic
from icl.statistics import curves
from icl.theory import transience

DECADES = 2.0  # of the small loss, over which the slope on equation 16 is measured


@dataclass(frozen=True)
class Branches:
    """The evaluations (R, T) of runs that equation 16 is about."""

    acquired: np.ndarray  # from acquisition until ICL fades, the ICL loss small
    faded: np.ndarray  # after ICL has faded, the IWL loss small
    after: np.ndarray  # all from acquisition on
    t_acquired: curves.Passage
    t_faded: curves.Passage


def branches(runs: xr.Dataset, options: dict[str, Any]) -> Branches:
    """Find the two branches of equation 16.

    ICL is acquired at the first confirmed accuracy above the option `threshold`, and has faded at
    the first confirmed one below `faded_below` after that. A loss below `small_loss` is small.
    """
    accuracy, clock = runs["icl_accuracy"].values, runs["theory_time"].values
    acquired = base.acquisition_time(runs, options)
    index = np.arange(accuracy.shape[1])
    after = (index >= acquired.index[:, None]) & acquired.reached[:, None]
    shortfall = np.where(after, 1 - accuracy, np.nan)
    faded = curves.first_passage(shortfall, clock, 1 - options["faded_below"])
    gone = (index >= faded.index[:, None]) & faded.reached[:, None]
    small = options["small_loss"]
    icl, iwl = (
        (runs[name].values > 0) & (runs[name].values < small) for name in ("icl_loss", "iwl_loss")
    )
    return Branches(after & ~gone & icl, gone & iwl, after, acquired, faded)


@statistic(
    roles="loss",
    quantities="ratio_acquired ratio_faded slope_acquired slope_faded",
    options=(
        "threshold faded_below small_loss least_evaluations confidence resamples seed "
        "least_replicates"
    ),
)
def loss_relation(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the ratio of the other loss to what equation 16 predicts from the small one.

    Evaluations of one run are not independent. So a run counts once on each branch, by the median
    over its evaluations there (at least `least_evaluations`), and the estimate is the median over
    runs. Seeds are resampled, each with its runs at every decay.

    A ratio near 1 is also that of a loss that does not change. So `slope` is that of the logarithm
    of the other loss on the logarithm of its prediction: 1 by equation 16, 0 of a constant. It is
    measured on runs whose small loss spans `DECADES`.

    Source: equation 16; Figure 6 d.
    """
    runs = base.unstopped(data["loss"], "which ends a run before its ICL can fade")
    found = branches(runs, options)
    if not found.after.any():
        raise NotComputableError("no run acquired ICL: equation 16 is about what follows")
    laws = {
        "acquired": ("icl_loss", "iwl_loss", transience.iwl_loss_after_acquisition),
        "faded": ("iwl_loss", "icl_loss", transience.icl_loss_after_fading),
    }
    estimates, notes, details = {}, [], {}
    for name, (small, other, law) in laws.items():
        mask = getattr(found, name)
        counted = np.flatnonzero(mask.sum(axis=1) >= options["least_evaluations"])
        pairs = [(runs[small].values[r, mask[r]], runs[other].values[r, mask[r]]) for r in counted]
        ratios = np.array([np.median(y / law(x)) for x, y in pairs])
        wide = [i for i, (x, _) in enumerate(pairs) if np.ptp(np.log10(x)) >= DECADES]
        logs = (np.log([law(pairs[i][0]), pairs[i][1]]) for i in wide)
        slopes = np.array([np.polyfit(x, y, 1)[0] for x, y in logs])
        seeds = runs["seed"].values[counted]
        n_seeds, least = len(np.unique(seeds)), options["least_replicates"]
        measured = {f"ratio_{name}": (ratios, seeds), f"slope_{name}": (slopes, seeds[wide])}
        for quantity, (values, own) in measured.items():
            enough = len(np.unique(own)) >= least
            estimates[quantity] = intervals.median(values, own, options) if enough else UNKNOWN
        if n_seeds < least:
            notes.append(
                f"the branch where ICL is {name} has runs of {n_seeds} seeds, {least} are needed"
            )
        details[name] = {
            "seed": seeds,
            "n_items": runs["n_items"].values[counted],
            "ratio": ratios,
            "slope": slopes,
            "evaluations": mask[counted].sum(axis=1),
        }
    return Measurement(
        estimates=estimates,
        replicates=runs.sizes["run"],
        censored=found.t_acquired.censored,
        diverged=base.count_diverged(data["loss"]),
        details={
            **details,
            "acquired_runs": int(found.t_acquired.reached.sum()),
            "faded_runs": int(found.t_faded.reached.sum()),
        },
        notes=notes,
    )
