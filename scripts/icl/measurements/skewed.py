"""Measure I_K(inf) and the transition with items drawn by Zipf's law (beyond the paper)."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from icl.measurements.base import sorted_runs, undiverged
from icl.measurements.transition import gap_around
from icl.statistics import curves, fits
from icl.theory.memorisation import critical_diversity

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


def threshold(found: list[Cell]) -> tuple[float, tuple[float, float]]:
    """Find K* of the cells of one alpha, and the gap of the grid around it.

    K* is the midpoint of a logistic in log10 K: NaN if the fraction acquired does not cross a half.
    """
    found = [cell for cell in found if len(cell.acquired)]
    items = np.array([cell.n_items for cell in found])
    if len(items) < 3:
        return np.nan, (np.nan, np.nan)
    fraction = np.array([cell.fraction for cell in found])
    weights = np.array([len(cell.acquired) for cell in found], dtype=float)
    fit = fits.fit_logistic(np.log10(items), fraction[None], weights, 0.0, (1.0, 1.0))
    middle = float(10 ** fit.midpoint[0])
    if np.isnan(middle):
        return np.nan, (np.nan, np.nan)
    return middle, gap_around(items, middle)


def predicted_threshold(found: list[Cell], t_icl: float) -> float:
    """Predict K*, at which I_K(inf) passes t_ICL, from the cells of one alpha (eq. 12).

    It is 0 if every measured I_K(inf) is larger, infinity if every one is smaller, and NaN if there
    is none or they do not rise with K.
    """
    found = [cell for cell in found if len(cell.i_infinity)]
    if not found or not np.isfinite(t_icl):
        return np.nan
    items = np.array([cell.n_items for cell in found])
    measured = np.array([cell.mean_integral for cell in found])
    if t_icl < measured[0]:
        return 0.0
    if t_icl > measured.max():
        return np.inf
    if (np.diff(measured) <= 0).any():
        return np.nan
    return float(10 ** critical_diversity(np.log([t_icl]), items, np.log([measured]))[0])


def on_predicted_side(found: list[Cell], t_icl: float) -> int:
    """Count the cells where most runs acquire ICL if and only if I_K(inf) > t_ICL (eq. 12)."""
    return sum((cell.fraction > 0.5) == (cell.mean_integral > t_icl) for cell in found)
