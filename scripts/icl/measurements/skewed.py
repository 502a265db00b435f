"""Measure I_K(inf) and the transition with items drawn by Zipf's law (beyond the paper)."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from icl.measurements.base import sorted_runs, undiverged
from icl.statistics import curves, hypotheses

ACQUIRED_ABOVE = 0.75  # final ICL accuracy, as in Figure 6 e


@dataclass(frozen=True)
class Cell:
    """The runs at one alpha and K."""

    exponent: float  # alpha
    n_items: float
    i_infinity: np.ndarray  # (S,) I_K at the end of the records of the MLP alone
    tail: np.ndarray  # (S,) the bound on what those leave out; infinite where none is known
    acquired: np.ndarray  # (R,) whether each transformer ended with ICL

    @property
    def mean_integral(self) -> float:
        """The geometric mean of I_K(inf) over seeds."""
        return float(np.exp(np.log(self.i_infinity).mean()))

    @property
    def fraction(self) -> float:
        """The fraction of transformers that acquired ICL."""
        return float(self.acquired.mean())

    def interval(self, level: float) -> tuple[float, float]:
        """The exact interval of that fraction."""
        return hypotheses.proportion_interval(self.acquired.sum(), len(self.acquired), level)


def cells(memorisation: xr.Dataset, transition: xr.Dataset) -> list[Cell]:
    """Arrange runs of the MLP alone, and of the transformer at one N, by alpha and K, ordered."""
    alone, whole = (undiverged(sorted_runs(dataset)) for dataset in (memorisation, transition))
    final = curves.last_value(whole["icl_accuracy"].values)
    keys = {
        (float(alpha), float(k))
        for runs in (alone, whole)
        for alpha, k in zip(runs["zipf_exponent"].values, runs["n_items"].values, strict=True)
        if np.isfinite(k)
    }
    found = []
    for alpha, k in sorted(keys):
        own = _rows(alone, alpha, k)
        recorded, tail = (alone[name].values[own] for name in ("i_recorded", "i_tail_bound"))
        acquired = final[_rows(whole, alpha, k)] > ACQUIRED_ABOVE
        found.append(Cell(alpha, k, recorded, tail, acquired))
    return found


def _rows(runs: xr.Dataset, alpha: float, n_items: float) -> np.ndarray:
    chosen = (runs["zipf_exponent"] == alpha) & (runs["n_items"] == n_items)
    return np.flatnonzero(chosen)
