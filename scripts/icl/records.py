"""What a run measures and how it ends; free of torch, so that analysis can read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from icl.config import Job, Stop

# Of every model that reads a context.
METRICS = {
    "icl_accuracy": "accuracy on sequences of novel items",
    "iwl_accuracy": "accuracy on training items without a copy of the target in the context",
    "icl_loss": "binary cross-entropy on sequences of novel items",
    "iwl_loss": "binary cross-entropy on training items without a copy in the context",
    "train_loss": "binary cross-entropy on sequences drawn as in training",
}

# Of an MLP that acts on items by themselves: over all K items, phi^+ its logit signed by the label.
ITEM_METRICS = {
    "c1": "<sigma(-phi+)>, weighted as in training",
    "c2": "1 - <sigma(-phi+)^2> / c1, weighted as in training",
    "c3": "<exp(-phi+)>, weighted as in training",
    "i_k": "I_K(t), twice the integral of c1 over theory time",
    "item_accuracy": "accuracy of the MLP over all items",
    "item_loss": "binary cross-entropy of the MLP over all items",
}

SCALAR_METRICS = {"beta": "query-key strength beta", "w": "value strength w"}

# Of the one-layer transformer, eq. 2; score: before the softmax, less its mean over the context.
HEAD_METRICS = {
    "beta": "beta that best fits the item block of K^T Q to beta times the identity",
    "w": "w that best fits the label block of V to w times the identity",
    "score_r2": "share of the variance of held-out scores that beta x'_j . x'_target explains",
    "score_correlation": "correlation of held-out scores with x'_j . x'_target",
    "value_label_pp": "V's label block: from the component of +1 to that of +1",
    "value_label_pm": "V's label block: from the component of -1 to that of +1",
    "value_label_mp": "V's label block: from the component of +1 to that of -1",
    "value_label_mm": "V's label block: from the component of -1 to that of -1",
}
SELF_METRICS = {"self_weight": "attention of the target to itself on held-out sequences"}

# One number for each replicate of the MLP alone.
SUMMARIES = {
    "i_recorded": "I_K at the last evaluation",
    "i_error": "error of its integration: its change if every other evaluation is left out",
    "i_tail_bound": "bound on I_K(inf) - i_recorded if c1 keeps to its law (inf: none known)",
}


def measures_items(job: Job) -> bool:
    """Whether a job measures its MLP over all its items."""
    if job.model.name == "minimal":
        return job.evaluation.order_parameters and job.n_items is not None
    return job.model.name == "mlp"


def metrics_of(job: Job) -> dict[str, str]:
    """Return what a job measures at every evaluation: name -> long name."""
    metrics = {} if job.model.name == "mlp" else dict(METRICS)
    if measures_items(job):
        metrics |= ITEM_METRICS
    if job.evaluation.order_parameters:
        metrics |= SCALAR_METRICS if job.model.name == "minimal" else HEAD_METRICS
        if job.model.attend_to == "context_and_self":
            metrics |= SELF_METRICS
    return metrics


class StopReason(IntEnum):
    """Why a replicate's record ends."""

    LAST_STEP = 0
    ACQUIRED = 1
    MEMORISED = 2
    DIVERGED = 3


def passing(stop: Stop, measured: Mapping[str, np.ndarray]) -> dict[StopReason, np.ndarray]:
    """Return, for each reason that a stop rule knows, which measured values, of any shape, pass.

    What passes for both at once stops as the last, acquired.
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
    """What a job measured.

    Attributes:
        steps: (T,) int64, the SGD steps done at each evaluation.
        metrics: name -> (R, T) float64, NaN where a replicate had stopped.
        stop_step: (R,) int64, the step of each replicate's last evaluation.
        stop_reason: (R,) int8, a `StopReason`.
        summaries: name -> (R,) float64, of `SUMMARIES`.
    """

    steps: np.ndarray
    metrics: dict[str, np.ndarray]
    stop_step: np.ndarray
    stop_reason: np.ndarray
    summaries: dict[str, np.ndarray] = field(default_factory=dict)
