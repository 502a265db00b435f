"""Measure whether K* moves with the MLP's own learning rate, as a race does (section 3.6)."""

from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base
from icl.measurements.base import Measurement, NotComputableError, statistic
from icl.measurements.memorisation import growth
from icl.measurements.thresholds import (
    Thresholds,
    beside_nu,
    exponent,
    infinite_medians,
    memorised,
    missing,
    predicted_line,
    thresholds,
)
from icl.statistics import curves, fits
from icl.theory.memorisation import critical_diversity

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
    K* ~ r^(1/nu). `difference` is the exponent less 1/nu. nu is that of memorisation_exponent, and
    I_K in the MLP's own time is taken to be the same at every r. nu's range must hold every K*.

    Source: section 3.6; equation 12.
    """
    found = _by_rate(data["mlp_rates"], options)
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


def _by_rate(dataset: xr.Dataset, options: dict[str, Any]) -> Thresholds:
    """Measure K* at each rate of the MLP, at one N."""
    runs = base.unstopped(dataset, "which makes a transition sharp by itself")
    ratio = rate_ratio(runs)
    order = np.lexsort((runs["seed"], runs["n_items"], ratio))
    runs = runs.assign_coords({RATIO: ratio}).isel(run=order)
    if (lengths := np.unique(runs["context_length"])).size != 1:
        raise NotComputableError(f"{lengths.size} values of N; this claim compares K* at one")
    if len(np.unique(runs[RATIO])) < 3:
        raise NotComputableError("fewer than three rates of the MLP; a trend needs three or more")
    cells = runs[RATIO].values * 1e12 + runs["n_items"].values
    base.require_replicates(cells, options["least_replicates"], "rate, K")
    return thresholds(runs, options, RATIO)


@statistic(
    roles="mlp_rates acquisition memorisation",
    quantities="exponent raced difference delay",
    options=(
        "threshold response acquired_above floor ceiling least_seeds_alone confidence resamples "
        "seed least_replicates"
    ),
)
def raced_rates(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Compare the exponent of K* on r with that of a race whose two clocks are measured at each r.

    Equation 12 at each r: K* is where I_K(inf) of the MLP alone, trained at that r, is the median
    t_ICL at K = infinity and that r, both in the attention's time. Nothing is fitted.

    - `exponent`: of the measured K* on r, as in kinetics_not_capacity.
    - `raced`: of the K* that the clocks give.
    - `difference`: exponent on r of the measured K* over the race's. It is not quite `exponent`
      less `raced`, each of which weighs the rates by its own errors: where K* is no power of r,
      those would differ between two curves that are one.
    - `delay`: of the median t_ICL on r. Equation 12 alone, with one t_ICL for all r, has 0.

    Source: equation 12; the paper does not change rates.
    """
    found = _by_rate(data["mlp_rates"], options)
    length = data["mlp_rates"]["context_length"].values[0]
    infinite = base.usable(data["acquisition"])
    infinite = base.where(infinite, infinite["context_length"].values == length)
    alone = base.usable(data["memorisation"])
    level = curves.expanded_level(options["confidence"], found.seeds)
    medians, stars, rows = [], [], []
    for value in found.values:
        of_icl, of_mlp = (
            base.where(of, rate_ratio(of).values == value) for of in (infinite, alone)
        )
        if not of_icl.sizes["run"] or not of_mlp.sizes["run"]:
            raise NotComputableError(f"r = {value:g}: t_ICL or I_K was not measured at this rate")
        base.require_replicates(rate_ratio(of_icl).values, options["least_replicates"], "the rate")
        base.require_replicates(of_mlp["n_items"].values, options["least_seeds_alone"], "K")
        median = infinite_medians(of_icl, options)[1][:, 0]
        star = critical_diversity(np.log(median), *memorised(of_mlp, options))
        medians.append(np.log(median))
        stars.append(star)
        low, high = curves.interval(10 ** star[1:], level)
        rows.append(
            {
                RATIO: value,
                "threshold": 10 ** star[0],
                "interval": [low, high],
                "median_t_icl": median[0],
            }
        )
    raced = Thresholds(found.values, np.stack(stars, axis=1), rows, found.seeds, RATIO)
    # The two come from different runs and draws, so the resamples of their ratio have both errors.
    ratio = Thresholds(found.values, found.log_items - raced.log_items, rows, found.seeds, RATIO)
    equal = np.ones(len(found.values))
    delay = fits.fit_power(np.log(found.values), np.stack(medians, axis=1), equal)
    return Measurement(
        estimates={
            "exponent": exponent(found, options),
            "raced": exponent(raced, options),
            "difference": exponent(ratio, options),
            "delay": base.bootstrapped(delay.slope, options, seeds=found.seeds),
        },
        replicates=int(sum(row["replicates"] for row in found.rows)),
        diverged=sum(base.count_diverged(dataset) for dataset in data.values()),
        details={"by_rate": found.rows, "raced": rows},
        notes=missing(found, "r") + missing(raced, "r, of the race"),
    )
