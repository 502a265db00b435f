"""How wide the transition is, beside what the spread of t_ICL over seeds predicts (section 4)."""

from typing import Any

import numpy as np
import xarray as xr
from scipy import special

from icl.measurements import base, intervals
from icl.measurements.base import Measurement, NotComputableError, statistic
from icl.measurements.memorisation import growth
from icl.measurements.transition import ceiling_of, fit_finals, floor_of, mean_responses
from icl.statistics import fits

TEN_TO_NINETY = 2 * special.ndtri(0.9)  # 10-90 % width of a normal, 2.56 standard deviations


@statistic(
    roles="transition acquisition memorisation",
    quantities="width predicted_width ratio ratio_local log_sd nu nu_local",
    options=(
        "response acquired_above floor ceiling threshold least_seeds_alone confidence resamples "
        "seed least_replicates"
    ),
)
def transition_width(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure the width of the transition in decades of K, and compare it with a race's.

    A seed acquires ICL where its t_ICL is below I_K ~ K^nu. So its own K* goes as t_ICL^(1/nu), and
    the mean response over seeds is the distribution of log K*: 2.56 sd(log t_ICL) / (nu ln 10)
    decades from 10 to 90 % if t_ICL is log-normal. Its sd comes from runs at K = infinity of the
    transition's N, nu from the MLP alone.

    - `width`: of the logistic that fits the mean responses, as in sharp_transition. The interval is
      the bootstrap's: it needs two K or more between 10 and 90 %, else the grid decides the width.
    - `ratio`: that width over the width of the same fit to the predicted responses at the same K.
      A logistic is not a normal distribution, and so a fit to one is some 10 % wide of the other.
    - `ratio_local` (shown): the same with the local exponent of I_K around K* in the place of nu.

    Source: Figure 2 b; section 4.
    """
    runs = base.unstopped(data["transition"], "which makes a transition sharp by itself")
    length = base.only_length(runs)
    n_items, finals = runs["n_items"].values, base.final(runs, "icl_accuracy")
    order = base.resampled(n_items, runs["seed"].values, options)
    values, counts, means = mean_responses(n_items, finals, order, options)
    fit = fit_finals(n_items, finals, order, options)
    floor, height = floor_of(options), fit.ceiling[0] - floor_of(options)
    between = np.abs((means[0] - floor) / height - 0.5) < 0.4
    if between.sum() < 2:
        raise NotComputableError(
            f"at {between.sum()} K the mean response is between 10 and 90 %; 2 are needed"
        )
    infinite = base.infinite_only(base.usable(data["acquisition"]))
    infinite = base.where(infinite, infinite["context_length"] == length)
    if infinite.sizes["run"] < options["least_replicates"]:
        raise NotComputableError(f"{infinite.sizes['run']} runs at K = infinity, N = {length}")
    passage = base.acquisition_time(infinite, options)
    if not passage.reached.all():
        raise NotComputableError("not every run at K = infinity acquires ICL: its spread is open")
    drawn = base.resampled(
        infinite["context_length"].values, infinite["seed"].values, options, base.Draw.INFINITE_K
    )
    log_sd = np.log(passage.time)[drawn].std(axis=1, ddof=1)
    alone = growth(data["memorisation"], options["least_seeds_alone"])
    seen = np.log(alone.values), np.log(alone.runs["i_recorded"].values[alone.index])
    pair = int(np.clip(np.searchsorted(seen[0], fit.midpoint[0] * np.log(10)), 1, len(seen[0]) - 1))
    local = np.diff(seen[1])[:, pair - 1] / np.diff(seen[0])[pair - 1]
    seeds = len(local)
    whose = base.resampled(np.zeros(seeds), np.arange(seeds), options, base.Draw.MLP_ALONE)
    predicted_sd, local_sd = (
        log_sd / (exponents[whose].mean(axis=1) * np.log(10))
        for exponents in (alone.trend.exponent, local)
    )
    ratio, ratio_local = (
        fit.width / _as_fitted(np.log10(values), counts, fit, sd, options)
        for sd in (predicted_sd, local_sd)
    )
    return Measurement(
        estimates={
            "width": base.bootstrapped(fit.width, options, "decades of K"),
            "predicted_width": base.bootstrapped(
                TEN_TO_NINETY * predicted_sd, options, "decades of K"
            ),
            "ratio": base.bootstrapped(ratio, options),
            "ratio_local": base.bootstrapped(ratio_local, options),
            "log_sd": base.bootstrapped(log_sd, options),
            "nu": intervals.mean(alone.trend.exponent, options),
            "nu_local": intervals.mean(local, options),
        },
        replicates=runs.sizes["run"],
        diverged=base.count_diverged(data["transition"]),
        details={
            "context_length": length,
            "n_items": values,
            "mean_response": means[0],
            "midpoint": fit.midpoint[0],
            "predicted_sd": predicted_sd[0],
        },
    )


def _as_fitted(
    x: np.ndarray,
    counts: np.ndarray,
    fit: fits.LogisticFit,
    sd: np.ndarray,
    options: dict[str, Any],
) -> np.ndarray:
    """Fit the logistic to normal responses of these sd (1 + B,) around each midpoint: widths."""
    floor, ceiling = floor_of(options), fit.ceiling[:, None]
    share = special.ndtr((x - fit.midpoint[:, None]) / sd[:, None])
    response = floor + (ceiling - floor) * np.nan_to_num(share, nan=0.5)
    weights = counts.astype(float)
    return fits.fit_logistic(x, response, weights, floor, ceiling_of(options)).width
