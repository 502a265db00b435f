"""Measure whether K* moves with the MLP's own learning rate, as a race does (section 3.6)."""

from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base
from icl.measurements.base import Measurement, NotComputableError, statistic
from icl.measurements.memorisation import growth
from icl.measurements.thresholds import beside_nu, predicted_line, thresholds

RATIO = "rate_ratio"  # the MLP's learning rate over the attention's, r


def rate_ratio(runs: xr.Dataset) -> xr.DataArray:
    """Return the MLP's learning rate over the attention's, of each run."""
    return (runs["mlp_learning_rate"] / runs["learning_rate"]).round(6)


@statistic(
    roles="mlp_rates memorisation",
    quantities="exponent difference inverse_nu nu",
    options=(
        "response acquired_above floor ceiling least_seeds_alone confidence resamples seed "
        "least_replicates"
    ),
)
def kinetics_not_capacity(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the exponent of K* on the ratio r of the MLP's learning rate to the attention's.

    A network that holds only so many items has one K* whatever r is: the exponent is 0. In a race
    an MLP that learns r times as fast has I_K / r in the attention's time, so equation 12 gives
    K* ~ r^(1/nu). `difference` is the exponent less 1/nu. nu is that of memorisation_exponent: I_K
    in the MLP's own time is the same at every r. The range of nu must hold every K*.

    Source: section 3.6; equation 12.
    """
    runs = base.unstopped(data["mlp_rates"], "which makes a transition sharp by itself")
    ratio = rate_ratio(runs)
    order = np.lexsort((runs["seed"], runs["n_items"], ratio))
    runs = runs.assign_coords({RATIO: ratio}).isel(run=order)
    if (lengths := np.unique(runs["context_length"])).size != 1:
        raise NotComputableError(f"{lengths.size} values of N; this claim compares K* at one")
    if len(np.unique(runs[RATIO])) < 3:
        raise NotComputableError("fewer than three rates of the MLP; a trend needs three or more")
    cells = runs[RATIO].values * 1e12 + runs["n_items"].values
    base.require_replicates(cells, options["least_replicates"], "rate, K")
    found = thresholds(runs, options, RATIO)
    alone = growth(data["memorisation"], options["least_seeds_alone"])
    compared, notes = beside_nu(found, alone, options, "r")
    return Measurement(
        estimates=compared,
        replicates=int(sum(row["replicates"] for row in found.rows)),
        diverged=base.count_diverged(data["mlp_rates"]) + base.count_diverged(data["memorisation"]),
        details={
            "by_rate": found.rows,
            "power_law": {
                "exponent": compared["exponent"].value,
                "log_prefactor": found.power_law.intercept[0],
            },
            "predicted_line": predicted_line(found, compared["inverse_nu"].value),
        },
        notes=notes,
    )
