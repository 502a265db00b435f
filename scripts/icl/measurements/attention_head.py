"""Test that one number, beta, describes the one-layer transformer's attention (eq. 2)."""

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import Estimate, Measurement, NotComputableError, statistic

LABEL_BLOCK = ("value_label_pp", "value_label_pm", "value_label_mp", "value_label_mm")


def _acquiring(
    dataset: xr.Dataset, options: dict[str, Any], recorded: str, what: str, typical: Callable
) -> tuple[xr.Dataset, np.ndarray, Callable[[str], np.ndarray]]:
    """Return the runs, which of them acquire ICL, and what takes a typical value from then on.

    Too few that do, or runs that lack a record, are refused.
    """
    runs = base.usable(dataset)
    if recorded not in runs:
        raise NotComputableError(f"the runs do not record {what}")
    passage = base.acquisition_time(runs, options)
    reached = passage.reached
    if len(np.unique(runs["seed"].values[reached])) < options["least_replicates"]:
        raise NotComputableError(
            f"{reached.sum()} of {len(reached)} runs acquire ICL; "
            f"{options['least_replicates']} seeds are needed"
        )
    acquired = np.flatnonzero(reached)

    def after(name: str) -> np.ndarray:
        values = runs[name].values
        return np.array([typical(values[r, passage.index[r] :]) for r in acquired])

    return runs, acquired, after


@statistic(
    roles="order_parameters",
    quantities=(
        "r2_acquired r2_initial squared_correlation_acquired value_label_pp value_label_pm "
        "value_label_mp value_label_mm value_label_contrast"
    ),
    options="threshold confidence resamples seed least_replicates",
)
def order_parameters(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how well beta x'_j . x'_target explains held-out pre-softmax scores.

    A run has its R^2 at the first evaluation, before any step, and its median R^2 from acquisition
    on; the estimates are medians over runs. R^2 uses the beta of eq. 2, the mean diagonal of the
    item block of K^T Q. Nothing is fitted to the scores, so R^2 can be below 0.

    Not judged: the squared correlation, which any beta would reach, and V's label block, which in
    eq. 2 is w times the identity. Labels are one-hot, so that only differences matter: its mean
    diagonal less the mean of the rest is the w of the logit.

    Source: section 3.2, equation 2.
    """
    what = "order parameters"
    runs, acquired, after = _acquiring(
        data["order_parameters"], options, "score_r2", what, np.nanmedian
    )
    seeds = runs["seed"].values

    def median(values: np.ndarray) -> Estimate:
        return intervals.median(values, seeds[acquired], options)

    initial = runs["score_r2"].values[:, 0]
    block = {name: after(name) for name in LABEL_BLOCK}
    signs = (1, -1, -1, 1)
    signed = [s * block[name] / 2 for s, name in zip(signs, LABEL_BLOCK, strict=True)]
    contrast = np.sum(signed, axis=0)
    return Measurement(
        estimates={
            "r2_acquired": median(after("score_r2")),
            "r2_initial": intervals.median(initial, seeds, options),
            "squared_correlation_acquired": median(after("score_correlation") ** 2),
            **{name: median(values) for name, values in block.items()},
            "value_label_contrast": median(contrast),
        },
        replicates=len(acquired),
        censored=runs.sizes["run"] - len(acquired),
        diverged=base.count_diverged(data["order_parameters"]),
        details={
            "seed": seeds[acquired],
            "r2_acquired": after("score_r2"),
            "r2_initial": initial,
            "beta": after("beta"),
            "w": after("w"),
            **block,
        },
    )


@statistic(
    roles="order_parameters",
    quantities="icl_of_beta icl_of_label icl_without_beta icl_of_both icl_of_w icl r2_acquired",
    options="threshold confidence resamples seed least_replicates",
)
def parts_of_attention(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure what ICL is left when a part of K^T Q or of V stands in the place of the whole.

    A run has the mean over its evaluations from acquisition on; the estimates are means over seeds.

    - `icl_of_beta`: with beta times the identity on items in the place of K^T Q.
    - `icl_without_beta`: with that part taken out of K^T Q.
    - `icl_of_label`: with V's answer to the label alone, a map of rank one, in the place of V.
    - `icl_of_both`, `icl_of_w` (shown): with both of these parts; with equation 2's V, w times the
      identity on labels.
    - `icl`, `r2_acquired` (shown): with nothing replaced; the R^2 of order_parameters.

    Source: section 3.2, equation 2.
    """
    what = "what each part of the attention does"
    runs, acquired, after = _acquiring(
        data["order_parameters"], options, "icl_of_beta", what, np.nanmean
    )
    parts = ("icl_of_beta", "icl_of_label", "icl_without_beta", "icl_of_both", "icl_of_w")
    names = {name: name for name in parts} | {"icl": "icl_accuracy", "r2_acquired": "score_r2"}
    measured = {quantity: after(name) for quantity, name in names.items()}
    return Measurement(
        estimates={name: intervals.mean(values, options) for name, values in measured.items()},
        replicates=len(acquired),
        censored=runs.sizes["run"] - len(acquired),
        diverged=base.count_diverged(data["order_parameters"]),
        details={"seed": runs["seed"].values[acquired], **measured},
    )
