"""The record of a job and why its runs end; free of torch, so that analysis can read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from icl.job import Stop

# One number for each replicate of the MLP alone.
SUMMARIES = {
    "i_recorded": "I_K at the last evaluation",
    "i_error": "error of its integration: its change if every other evaluation is left out",
    "i_tail_bound": "bound on I_K(inf) - i_recorded if c1 keeps to its law (inf: none known)",
}


class StopReason(IntEnum):
    """Why a replicate's record ends."""

    LAST_STEP = 0
    ACQUIRED = 1
    MEMORISED = 2
    DIVERGED = 3


def passing(stop: Stop, measured: Mapping[str, np.ndarray]) -> dict[StopReason, np.ndarray]:
    """Find which measured values, of any shape, pass for each reason that a stop rule knows.

    A replicate that passes for both at once stops as the last, acquired.
    """
    passed = {}
    if stop.when in ("memorised", "decided"):
        if stop.c1 is None:
            passed[StopReason.MEMORISED] = measured["iwl_accuracy"] >= stop.iwl_accuracy
        else:
            passed[StopReason.MEMORISED] = measured["c1"] <= stop.c1
    if stop.when in ("acquired", "decided"):
        passed[StopReason.ACQUIRED] = measured["icl_accuracy"] > stop.icl_accuracy
    return passed


@dataclass(frozen=True)
class Record:
    """The measurements of a job."""

    steps: np.ndarray  # (T,) int64, SGD steps done at each evaluation
    metrics: dict[str, np.ndarray]  # name -> (R, T) float64, NaN once a replicate has stopped
    stop_step: np.ndarray  # (R,) int64, of each replicate's last evaluation
    stop_reason: np.ndarray  # (R,) int8, a `StopReason`
    summaries: dict[str, np.ndarray] = field(default_factory=dict)  # of `SUMMARIES`: (R,) float64
    # step, or "end" -> parameter -> (R, ...), NaN where a replicate had stopped before that step
    weights: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
