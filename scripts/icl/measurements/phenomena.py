"""The minimal model shows the phenomena of the transformer (Figure 3)."""

from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import intervals
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.measurements.fading import lasting_transience, transience
from icl.measurements.finite_k import finite_over_infinite, largest_ratio, predicted_fractions
from icl.measurements.thresholds import predicted_thresholds
from icl.measurements.transition import abrupt_acquisition, sharp_transition


@statistic(
    roles="minimal_transition minimal_transience minimal_acquisition memorisation_raw",
    quantities=(
        "width threshold spearman spearman_tied first_accuracy last_accuracy rise log_rank_p "
        "fade_slope acquired_at_largest predicted_outcomes finite_over_infinite"
    ),
    options=(
        "response acquired_above floor ceiling resolution from to threshold finest_spacing had "
        "lost negligible_decay confidence resamples seed least_replicates"
    ),
    optional="minimal_acquisition memorisation_raw",
)
def minimal_model(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the transition, the rise and the fading of ICL in the minimal model.

    Each is measured as in its own claim on the transformer, except that the decay is on w alone,
    as in section 3.7; the details also have fading with decay on w and beta.

    Reported beyond the paper: K* and the fraction that acquires at each K, both predicted with no
    fitted constant, and t_ICL at finite K over t_ICL at K = infinity.

    Source: Figure 3; section 3.2.
    """
    transition = {"transition": data["minimal_transition"]}
    parts = {
        "sharp": lambda: sharp_transition(transition, options),
        "abrupt": lambda: abrupt_acquisition(transition, options),
        "transient": lambda: transience({"transience": data["minimal_transience"]}, options, "w"),
        "transient_both": lambda: transience({"transience": data["minimal_transience"]}, options),
    }
    measured, notes = {}, []
    for name, measure in parts.items():
        try:
            measured[name] = measure()
        except NotComputableError as error:
            notes.append(f"{name}: {error}")
    if not {"sharp", "abrupt", "transient"} & set(measured):
        raise NotComputableError("; ".join(notes))
    estimates: dict[str, Estimate] = {}
    for name in ("sharp", "abrupt", "transient"):
        if name in measured:
            estimates |= measured[name].estimates
            notes += [f"{name}: {note}" for note in measured[name].notes]
    shown, beyond, remarks = _beyond_the_paper(data, options)
    return Measurement(
        estimates=estimates | shown,
        replicates=sum(measured[n].replicates for n in ("sharp", "transient") if n in measured),
        censored=measured["transient"].censored if "transient" in measured else 0,
        diverged=sum(measured[n].diverged for n in ("sharp", "transient") if n in measured),
        details={**{name: found.details for name, found in measured.items()}, **beyond},
        notes=notes + remarks,
    )


def _beyond_the_paper(
    data: dict[str, xr.Dataset], options: dict[str, Any]
) -> tuple[dict[str, Estimate], dict[str, Any], list[str]]:
    """Predict K* and who acquires, and compare t_ICL at finite K with that at K = infinity.

    Returns estimates, details for the figures, and notes.
    """
    runs, infinite = data["minimal_transition"], data.get("minimal_acquisition")
    estimates: dict[str, Estimate] = {}
    details: dict[str, Any] = {}
    notes = []
    if infinite is not None and "memorisation_raw" in data:
        alone = data["memorisation_raw"]
        details["predicted_thresholds"] = predicted_thresholds(infinite, [alone], options)
        try:
            found = predicted_fractions(runs, infinite, alone, options)
            details["prediction"] = found
            # Runs of one seed are no replicates: no interval.
            estimates["predicted_outcomes"] = Estimate(
                found["agreement"], np.nan, np.nan, f"of {found['runs']} runs"
            )
        except NotComputableError as error:
            notes.append(str(error))
    if infinite is not None:
        rows = finite_over_infinite(runs, infinite, options)
        details["finite_over_infinite"] = rows
        estimates |= largest_ratio(rows)
    return estimates, details, notes


def threshold_ratio(sharp: Measurement, predicted: list[dict[str, Any]]) -> Estimate:
    """Estimate a transition's K* over that predicted at its N; unknown if either is open."""
    star = sharp.estimates["threshold"]
    at = {row["context_length"]: row for row in predicted}
    row = at.get(sharp.details["context_length"])
    if row is None or not np.isfinite([star.low, star.high, *row["interval"]]).all():
        return UNKNOWN
    predicted_star = Estimate(row["threshold"], *row["interval"])
    logs = (intervals.rescaled(e, np.log) for e in (star, predicted_star))
    return intervals.rescaled(intervals.difference(*logs), np.exp)


@statistic(
    roles=("minimal_transition minimal_transience half_rate minimal_acquisition memorisation_raw"),
    quantities=(
        "threshold_ratio threshold width rise log_rank_p fade_slope last_accuracy "
        "half_rate_fade_slope half_rate_log_rank_p half_rate_last_accuracy predicted_outcomes "
        "finite_over_infinite"
    ),
    options=(
        "response acquired_above floor ceiling resolution from to threshold finest_spacing had "
        "lost negligible_decay acquiring confidence resamples seed least_replicates"
    ),
)
def minimal_race(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure whether the minimal model's K* is that of a race, its rise and its lasting fading.

    - `threshold_ratio`: K* over that of equation 12, from t_ICL at K = infinity and I_K of the MLP
      alone, at the transition's N; nothing is fitted.
    - `rise`: as in abrupt_acquisition.
    - `log_rank_p`, `fade_slope`, `last_accuracy`: as in lasting_transience, with decay on w alone,
      and again at half the learning rate, where an instability would go away.

    The width is shown. It is no result: the spread of beta0 in the configuration sets it. What
    `minimal_model` reports beyond the paper is shown too.

    Source: Figure 3; sections 3.2 and 3.7; equation 12.
    """
    transition = {"transition": data["minimal_transition"]}
    sharp = sharp_transition(transition, options)
    abrupt = abrupt_acquisition(transition, options)
    faded = lasting_transience({"transience": data["minimal_transience"]}, options, "w")
    slow = lasting_transience({"transience": data["half_rate"]}, options, "w")
    shown, beyond, remarks = _beyond_the_paper(data, options)
    parts = {"sharp": sharp, "abrupt": abrupt, "transient": faded, "half_rate": slow}
    lasting = ("log_rank_p", "fade_slope", "last_accuracy")
    return Measurement(
        estimates={
            "threshold_ratio": threshold_ratio(sharp, beyond["predicted_thresholds"]),
            "threshold": sharp.estimates["threshold"],
            "width": sharp.estimates["width"],
            "rise": abrupt.estimates["rise"],
            **{n: faded.estimates[n] for n in lasting},
            **{f"half_rate_{n}": slow.estimates[n] for n in lasting},
            **shown,
        },
        replicates=sharp.replicates + faded.replicates + slow.replicates,
        censored=faded.censored,
        diverged=sharp.diverged + faded.diverged + slow.diverged,
        details={**{name: part.details for name, part in parts.items()}, **beyond},
        notes=[f"{name}: {note}" for name, part in parts.items() for note in part.notes] + remarks,
    )
