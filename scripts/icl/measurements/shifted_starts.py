"""Measure what an intervention on the start does: beta raised or lowered before the first step."""

from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import intervals
from icl.measurements.acquisition import beta0_of
from icl.measurements.base import (
    UNKNOWN,
    Estimate,
    Measurement,
    NotComputableError,
    acquisition_time,
    count_diverged,
    infinite_only,
    require_replicates,
    require_unstopped,
    sorted_runs,
    statistic,
    undiverged,
    where,
)
from icl.measurements.memorisation import growth
from icl.measurements.thresholds import Thresholds, beside_nu, predicted_line, thresholds

SHIFT = "beta_shift"
MOST_CENSORED = 0.05  # of the runs at an N, which may end before they acquire ICL
PACE = "pace"  # e^beta0, by which the theory has the network learn to use its context sooner


@statistic(
    roles="acquisition initial_beta near_threshold memorisation",
    quantities="least_slope greatest_slope exponent difference race",
    options=(
        "threshold response acquired_above floor ceiling least_seeds_alone confidence resamples "
        "seed least_replicates"
    ),
    optional="near_threshold memorisation",
)
def shifted_start(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how t_ICL and K* follow beta0 where `beta_shift` alone moves it.

    A seed's runs differ in the shift and in nothing else, so their slope of log t_ICL on beta0 is
    an effect, and not a correlation over seeds.

    - `least_slope`, `greatest_slope`: of the mean over seeds of that slope at K = infinity, the
      least and the greatest over N. The theory has t_ICL as e^-beta0: -1. The few runs that never
      acquire ICL count with the time of their end, which makes a slope less steep.
    - `exponent`: of K* on e^beta0, beta0 being the mean over seeds at each shift.
    - `race`: what equation 12 makes of the slope at the N of those runs, slope / nu.
    - `difference`: `exponent` less `race`.

    Source: section 4 and equation 12; the paper does not intervene.
    """
    everything = sorted_runs(infinite_only(data["acquisition"]))
    initial = data["initial_beta"]
    rows = slopes(undiverged(everything), initial, options)
    of_length = [Estimate(row["slope"], *row["interval"]) for row in rows]
    level = options["confidence"]
    found = {
        "least_slope": intervals.least(of_length, level),
        "greatest_slope": intervals.greatest(of_length, level),
        **dict.fromkeys(("exponent", "difference", "race"), UNKNOWN),
    }
    details: dict[str, Any] = {"by_length": rows}
    replicates = sum(row["log_t_icl"].size for row in rows)
    notes: list[str] = []
    diverged = count_diverged(everything)
    if {"near_threshold", "memorisation"} <= set(data):
        near = sorted_runs(data["near_threshold"])
        stars = _thresholds(near, initial, options)
        alone = growth(data["memorisation"], options["least_seeds_alone"])
        compared, notes = beside_nu(stars, alone, options, PACE)
        diverged += count_diverged(near) + count_diverged(data["memorisation"])
        length = near["context_length"].values[0]
        slope = next((s for s, r in zip(of_length, rows, strict=True) if r["N"] == length), UNKNOWN)
        race = _over(slope, compared["nu"])
        between = np.isfinite(compared["difference"].value)
        found |= {
            "exponent": compared["exponent"],
            "race": race,
            "difference": intervals.difference(compared["exponent"], race) if between else UNKNOWN,
        }
        details |= {
            "by_pace": stars.rows,
            "power_law": {
                "exponent": compared["exponent"].value,
                "log_prefactor": stars.power_law.intercept[0],
            },
            "predicted_line": predicted_line(stars, race.value),
        }
        replicates += sum(row["replicates"] for row in stars.rows)
    return Measurement(
        estimates=found,
        replicates=replicates,
        censored=sum(row["censored"] for row in rows),
        diverged=diverged,
        details=details,
        notes=notes,
    )


def log_times(runs: xr.Dataset, options: dict[str, Any], at: str) -> tuple[np.ndarray, int]:
    """Return log t_ICL of runs (R,), and how many never acquire ICL.

    Those few count with the time of their end; `NotComputableError` if they are more than a few.
    """
    passage = acquisition_time(runs, options)
    never = int((~passage.reached).sum())
    if never > MOST_CENSORED * len(passage.reached):
        raise NotComputableError(f"{at}: {never} of {len(passage.reached)} runs never acquire ICL")
    return np.log(passage.time), never


def slopes(runs: xr.Dataset, initial: xr.Dataset, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Fit each seed's log t_ICL to its beta0 over the shifts, at each N."""
    beta0 = _beta0(runs, initial)
    length, seed, shift = (runs[name].values for name in ("context_length", "seed", SHIFT))
    rows = []
    for n in np.unique(length):
        own = length == n
        seeds, shifts = np.unique(seed[own]), np.unique(shift[own])
        if own.sum() != len(seeds) * len(shifts) or len(shifts) < 3:
            raise NotComputableError(f"N = {n}: not every seed has runs of three shifts or more")
        log_t, never = log_times(where(runs, own), options, f"N = {n}")
        if len(seeds) < options["least_replicates"]:
            needed = options["least_replicates"]
            raise NotComputableError(f"N = {n}: {len(seeds)} seeds; {needed} are needed")
        table = np.lexsort((shift[own], seed[own])).reshape(len(seeds), len(shifts))
        x, y = beta0[own][table], log_t[table]
        x_off, y_off = (values - values.mean(axis=1, keepdims=True) for values in (x, y))
        of_seed = (x_off * y_off).sum(axis=1) / (x_off**2).sum(axis=1)
        effect = intervals.mean(of_seed, options)
        # Of seeds as they start, without an intervention: what goes with beta0 acts with it.
        seen = UNKNOWN
        if (unmoved := shifts == 0).any():
            seen = intervals.slope(x[:, unmoved].ravel(), y[:, unmoved].ravel(), options)
        rows.append(
            {
                "N": int(n),
                "slope": effect.value,
                "interval": [effect.low, effect.high],
                "seen": seen.value,
                "seen_interval": [seen.low, seen.high],
                "shifts": shifts,
                "seeds": seeds,
                "censored": never,
                "beta0": x,
                "log_t_icl": y,
            }
        )
    return rows


def _beta0(runs: xr.Dataset, initial: xr.Dataset) -> np.ndarray:
    """Read the beta0 of each run (R,) off the runs of its shift that record it."""
    shift = runs[SHIFT].values
    found = np.full(runs.sizes["run"], np.nan)
    for value in np.unique(shift):
        own = shift == value
        recorded = where(initial, initial[SHIFT] == value)
        found[own] = beta0_of(runs["seed"].values[own], recorded)
    return found


def _thresholds(near: xr.Dataset, initial: xr.Dataset, options: dict[str, Any]) -> Thresholds:
    """Measure K* at each shift, against e^beta0."""
    require_unstopped(near, "which makes a transition sharp by itself")
    runs = undiverged(near)
    if len(np.unique(runs["context_length"])) != 1:
        raise NotComputableError("runs of several N; K* is compared at one")
    shift, beta0 = runs[SHIFT].values, _beta0(runs, initial)
    values, place = np.unique(shift, return_inverse=True)
    if len(values) < 3:
        raise NotComputableError("fewer than three shifts; a trend needs three or more")
    mean = np.array([beta0[place == i].mean() for i in range(len(values))])
    runs = runs.assign_coords({PACE: ("run", np.exp(mean)[place])})
    runs = runs.isel(run=np.lexsort((runs["seed"], runs["n_items"], runs[PACE])))
    for value in values:
        own = runs["n_items"].values[runs[SHIFT].values == value]
        require_replicates(own, options["least_replicates"], f"{SHIFT} = {value:g}, K")
    return thresholds(runs, options, PACE)


def _over(slope: Estimate, nu: Estimate) -> Estimate:
    """Divide a slope by a positive nu, measured on other runs: to first order in their errors."""
    value = slope.value / nu.value
    of_nu = [abs(value) * abs(end - nu.value) / nu.value for end in (nu.low, nu.high)]
    of_slope = [abs(end - slope.value) / nu.value for end in (slope.low, slope.high)]
    return Estimate(
        value,
        float(value - np.hypot(of_slope[0], max(of_nu))),
        float(value + np.hypot(of_slope[1], max(of_nu))),
    )
