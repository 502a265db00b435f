"""Compute I_K(t) from a measured c1(t), its error, and a bound on what the record leaves out."""

import numpy as np

from icl.theory.memorisation import MemorisationRecord, i_k


def integral(time: np.ndarray, c1: np.ndarray) -> np.ndarray:
    """Integrate c1 (R, T) over theory time (T,) to I_K; NaN where a replicate had stopped."""
    return np.where(np.isnan(c1), np.nan, i_k(time, c1))


def summarise(time: np.ndarray, c1: np.ndarray) -> dict[str, np.ndarray]:
    """Summarise each replicate's record: `i_recorded`, `i_error` and `i_tail_bound`, (R,) each.

    The error of integration falls as the square of the spacing. So leaving out every other
    evaluation changes the integral by three times its error; the whole change is reported. The
    bound on the tail is infinite if the record's end is too short or sparse: it takes 8 evaluations
    in each half of the last decade. Source: equation 10; `MemorisationRecord.decide`.
    """
    out = {name: np.full(len(c1), np.nan) for name in ("i_recorded", "i_error", "i_tail_bound")}
    for row, curve in enumerate(c1):
        measured = np.flatnonzero(np.isfinite(curve))
        if len(measured) < 2:
            continue
        record = MemorisationRecord(time[measured], curve[measured])
        out["i_recorded"][row] = record.integral(record.time[-1])
        kept = np.union1d(measured[::2], measured[-1:])
        sparse = MemorisationRecord(time[kept], curve[kept])
        out["i_error"][row] = abs(sparse.integral(sparse.time[-1]) - out["i_recorded"][row])
        try:
            out["i_tail_bound"][row] = record.decide().tail_bound
        except ValueError:  # too few evaluations at its end
            out["i_tail_bound"][row] = np.inf
    return out
