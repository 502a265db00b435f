"""What a run measures and how it ends; free of torch, so that analysis can read it."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

METRICS = {
    "icl_accuracy": "accuracy on sequences of novel items",
    "iwl_accuracy": "accuracy on training items without a copy of the target in the context",
    "icl_loss": "binary cross-entropy on sequences of novel items",
    "iwl_loss": "binary cross-entropy on training items without a copy in the context",
    "train_loss": "binary cross-entropy on sequences drawn as in training",
}


class StopReason(IntEnum):
    """Why a replicate's record ends."""

    LAST_STEP = 0
    ACQUIRED = 1
    MEMORISED = 2
    DIVERGED = 3


@dataclass(frozen=True)
class Record:
    """What a job measured.

    Attributes:
        steps: (T,) int64, the SGD steps done at each evaluation.
        metrics: name -> (R, T) float64, NaN where a replicate had stopped.
        stop_step: (R,) int64, the step of each replicate's last evaluation.
        stop_reason: (R,) int8, a `StopReason`.
    """

    steps: np.ndarray
    metrics: dict[str, np.ndarray]
    stop_step: np.ndarray
    stop_reason: np.ndarray
