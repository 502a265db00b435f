"""Measure what the theory alone decides (Figure A.1)."""

from typing import Any

import numpy as np
import xarray as xr

from icl.measurements.base import Estimate, Measurement, statistic


@statistic(
    roles="initial_conditions",
    quantities="slope_near_origin slope_along_nullcline",
    options="",
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
        censored=0,
        diverged=0,
        details={"fit_range": np.asarray(curve["fit_range"].values)},
        notes=["no replicates: equations 31 and 32 are integrated, nothing is trained"],
    )
