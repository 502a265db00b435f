"""Measure what the theory alone decides (Figure A.1)."""

from typing import Any

import numpy as np
import xarray as xr
from scipy.interpolate import PchipInterpolator

from icl.measurements import base, intervals
from icl.measurements.base import Estimate, Measurement, NotComputableError, statistic
from icl.theory.acquisition import t_icl_integrated


@statistic(
    roles="initial_conditions", quantities="slope_near_origin slope_along_nullcline", options=""
)
def exponential_beta0(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how fast log t_ICL falls with beta0, near the origin and far below it.

    The curve is integrated, not sampled, so it has no confidence interval. Its interval is the
    range of the local slope where it is fitted.

    Source: Figure A.1 a; equations 31 and 32 with c1 = c2 = 1/2 and w0 = 0.
    """
    curve = data["initial_conditions"]
    beta0, local = curve["beta0"].values, curve["local_slope"].values
    estimates = {}
    for regime, slope, (low, high) in zip(
        curve["regime"].values, curve["slope"].values, curve["fit_range"].values, strict=True
    ):
        inside = local[(beta0 >= low) & (beta0 <= high)]
        estimates[f"slope_{regime}"] = Estimate(float(slope), inside.min(), inside.max())
    return Measurement(
        estimates=estimates,
        replicates=0,
        details={"fit_range": np.asarray(curve["fit_range"].values)},
        notes=["no replicates: equations 31 and 32 are integrated, nothing is trained"],
    )


GRID = 9  # values of beta0 from which the flow is integrated


@statistic(
    roles="initial_conditions minimal_beta0",
    quantities="slope_near_origin slope_along_nullcline trained_less_flow trained_slope flow_slope",
    options="threshold nearest confidence least_replicates",
)
def exponential_of_beta0(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure, beside `exponential_beta0`, how log t_ICL falls with beta0 in training.

    The minimal model is trained at K = infinity from beta0 around 0 and w0 = 0. The slope of log
    t_ICL on beta0, over the seeds within the option `nearest` of 0, is compared with that of the
    integrated flow (equation 5) over the same beta0: it is not -1 there, but what the flow says.

    Source: Figure A.1 a; equations 5 and 35.
    """
    of_theory = exponential_beta0({"initial_conditions": data["initial_conditions"]}, options)
    runs = base.infinite_only(base.usable(data["minimal_beta0"]))
    if "beta" not in runs:
        raise NotComputableError("beta was not recorded: evaluation.order_parameters is false")
    length = base.only_length(runs)
    if (runs["w"].values[:, 0] != 0).any():
        raise NotComputableError("it is about w0 = 0, and the data have others")
    runs = base.where(runs, np.abs(runs["beta"].values[:, 0]) < options["nearest"])
    passage = base.acquisition_time(runs, options)
    if runs.sizes["run"] < options["least_replicates"] or not passage.reached.all():
        raise NotComputableError(
            f"{int(passage.reached.sum())} of {runs.sizes['run']} runs acquire ICL; all must, and "
            f"{options['least_replicates']} are needed"
        )
    beta0, log_t = runs["beta"].values[:, 0], np.log(passage.time)
    grid = np.linspace(-options["nearest"], options["nearest"], GRID)
    flow = np.log(t_icl_integrated(grid, length, flow="loss", accuracy=options["threshold"]))
    expected = PchipInterpolator(grid, flow)(beta0)
    trained, of_flow, excess = (
        intervals.slope(beta0, y, options) for y in (log_t, expected, log_t - expected)
    )
    return Measurement(
        estimates={
            **of_theory.estimates,
            "trained_less_flow": excess,
            "trained_slope": trained,
            "flow_slope": of_flow,
        },
        replicates=len(beta0),
        diverged=base.count_diverged(data["minimal_beta0"]),
        details={**of_theory.details, "beta0": beta0, "log_t_icl": log_t, "log_flow": expected},
    )
