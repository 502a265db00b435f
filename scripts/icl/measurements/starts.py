"""Split what differs between seeds into a share of the start and a share of the data."""

import json
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.acquisition import beta0_of
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.statistics import hypotheses


@statistic(
    roles="acquisition near_threshold initial_beta",
    quantities="start_share fate_share beta0_share beta0_slope",
    options="threshold acquired_above confidence resamples seed least_replicates",
    optional="near_threshold initial_beta",
)
def start_or_data(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how much of the spread over seeds the weights at step 0 make, and how much the data.

    Seeds of one start have the same weights at step 0; each draws data of its own
    (`seeds.per_start`). Shares are intraclass correlations.

    - `start_share`: share of the variance of log t_ICL, at K = infinity, that lies between starts.
    - `fate_share` (shown): the same of whether a run near K* acquires ICL. Two groups of runs that
      a threshold makes of a normal variable share less than that does: (2/pi) arcsin of its share.
    - `beta0_share`, `beta0_slope` (shown): of the mean log t_ICL of each start on its beta0.

    Source: section 4, which has t_ICL of a seed depend on its start.
    """
    runs = base.undiverged(base.infinite_only(data["acquisition"]))
    runs, table = by_start(runs, options)
    passage = base.acquisition_time(runs, options)
    if not passage.reached.all():
        raise NotComputableError(f"{passage.censored} runs never acquire ICL")
    log_t = np.log(passage.time)[table]
    found = {"fate_share": UNKNOWN, "beta0_share": UNKNOWN, "beta0_slope": UNKNOWN}
    start_share = Estimate(*hypotheses.between_groups(log_t, options["confidence"]))
    details: dict[str, Any] = {"log_t_icl": log_t}
    if "near_threshold" in data:
        near, places = by_start(base.undiverged(data["near_threshold"]), options)
        acquired = (base.final(near, "icl_accuracy") > options["acquired_above"])[places]
        drawn = base.resampled(np.zeros(len(acquired)), np.arange(len(acquired)), options)
        shares = np.array([hypotheses.between_groups(acquired[rows])[0] for rows in drawn])
        found["fate_share"] = base.bootstrapped(shares, options, seeds=len(acquired))
        details["acquired"] = acquired
    if "initial_beta" in data:
        beta0 = beta0_of(runs["seed"].values[table[:, 0]], data["initial_beta"])
        found["beta0_slope"] = intervals.slope(beta0, log_t.mean(1), options)
        found["beta0_share"] = intervals.explained(beta0, log_t.mean(1), options)
        details["beta0"] = beta0
    return Measurement(
        estimates={"start_share": start_share, **found},
        replicates=runs.sizes["run"],
        diverged=base.count_diverged(data["acquisition"]),
        details=details,
    )


def by_start(runs: xr.Dataset, options: dict[str, Any]) -> tuple[xr.Dataset, np.ndarray]:
    """Order runs, and list those of each whole start: (S, seeds of a start)."""
    runs = base.sorted_runs(runs)
    together = {job.get("seeds_per_start", 1) for job in json.loads(runs.attrs["jobs"])}
    if len(together) > 1 or together == {1}:
        raise NotComputableError("no two seeds share a start, or not all as many (per_start)")
    starts = runs["seed"].values // (size := together.pop())
    whole, counts = np.unique(starts, return_counts=True)
    whole = whole[counts == size]
    base.require_number(len(whole), options, "starts have all their runs")
    return runs, np.stack([np.flatnonzero(starts == start) for start in whole])
