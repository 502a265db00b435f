"""Measure what becomes of ICL where the MLP stops learning while it memorises."""

import re
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic


@statistic(
    roles="halted few",
    quantities="least_gain least_lead few_gain",
    options="acquired_above confidence least_replicates",
    optional="few",
)
def halted_memory(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Compare runs whose MLP is held from a step on with runs of the same seeds that go on.

    Where the MLP is held, c1 stays as it is, and so does what drives attention. In a race a run
    then acquires ICL in the end, if it is held before memorising has won.

    - `least_gain`: share that acquires ICL where the MLP is held earliest, less that of free runs,
      the least over N.
    - `least_lead`: that share less the one where it is held latest, the least over N. Networks
      that are held have equally many weights to train, whenever it is.
    - `few_gain` (shown): `least_gain` in the role `few`, at fewer items.

    Source: section 3.6; the paper does not intervene.
    """
    rows = _rows(data["halted"], options)
    level = options["confidence"]
    gain = [_difference(of[0], of[-1], level) for of in rows.values()]
    lead = [_difference(of[0], of[-2], level) for of in rows.values()]
    few = _rows(data["few"], options) if "few" in data else {}
    few_gain = [_difference(of[0], of[-1], level) for of in few.values()]
    return Measurement(
        estimates={
            "least_gain": intervals.least(gain, level),
            "least_lead": intervals.least(lead, level),
            "few_gain": intervals.least(few_gain, level) if few_gain else UNKNOWN,
        },
        replicates=sum(row["runs"] for of in rows.values() for row in of),
        diverged=sum(base.count_diverged(dataset) for dataset in data.values()),
        details={"by_length": list(rows.values()), "few": list(few.values())},
    )


def _held_from(runs: xr.Dataset) -> np.ndarray:
    """Return the step from which each run's MLP is held, infinite if it is free: (R,)."""
    if "hold" not in runs.coords:
        raise NotComputableError("the runs do not say what is held")
    steps = []
    for words in runs["hold"].values.tolist():
        found = re.fullmatch(r"mlp from (\d+)", words)
        if not found and words != "nothing":
            raise NotComputableError(f"a run is held otherwise than in its MLP: {words}")
        steps.append(float(found[1]) if found else np.inf)
    return np.array(steps)


def _rows(dataset: xr.Dataset, options: dict[str, Any]) -> dict[tuple, list[dict[str, Any]]]:
    """Tabulate the share that acquires ICL by N and K, from the earliest hold to none."""
    runs = base.unstopped(dataset, "which may hide that a run acquires ICL later")
    held = _held_from(runs)
    acquires = base.final(runs, "icl_accuracy") > options["acquired_above"]
    cells = np.stack([runs["context_length"], runs["n_items"]], axis=1)
    found = {}
    for cell in np.unique(cells, axis=0):
        here = (cells == cell).all(axis=1)
        base.require_replicates(held[here], options["least_replicates"], "step")
        steps = np.unique(held[here])
        if len(steps) < 3 or np.isfinite(steps[-1]):
            text = "its MLP is not held from two steps and free in others"
            raise NotComputableError(f"N = {cell[0]:g}, K = {cell[1]:g}: {text}")
        found[tuple(cell.tolist())] = [
            _row(cell, step, acquires[here & (held == step)], options) for step in steps
        ]
    return found


def _row(cell: np.ndarray, step: float, acquires: np.ndarray, options: dict[str, Any]) -> dict:
    share = intervals.proportion(acquires.sum(), acquires.size, options)
    return {
        "context_length": int(cell[0]),
        "n_items": cell[1],
        "held_from": step,
        "runs": acquires.size,
        "acquired": int(acquires.sum()),
        "share": share.value,
        "interval": [share.low, share.high],
    }


def _difference(a: dict[str, Any], b: dict[str, Any], level: float) -> Estimate:
    return intervals.difference_of_proportions(
        (a["acquired"], b["acquired"]), (a["runs"], b["runs"]), level
    )
