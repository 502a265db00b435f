"""I_K(t) of a measured c1(t), with what is known of its error and of what the record leaves out."""

import numpy as np

from icl.theory.memorisation import MemorisationRecord, i_k


def integral(time: np.ndarray, c1: np.ndarray) -> np.ndarray:
    """Integrate c1 (R, T) over theory time (T,) to I_K: NaN where a replicate had stopped."""
    return np.where(np.isnan(c1), np.nan, i_k(time, c1))


def summarise(time: np.ndarray, c1: np.ndarray) -> dict[str, np.ndarray]:
    """Summarise each replicate's record: I_K at its end, its error, a bound on its tail.

    The error of integration falls as the square of the spacing, so that leaving out every other
    evaluation changes the integral by three times its error; the whole change is reported.

    Returns `records.SUMMARIES`, each (R,). The bound on the tail is infinity where the record's end
    is too short or too sparse (it takes 8 evaluations in each half of the last decade). Source:
    equation 10; `icl.theory.memorisation.MemorisationRecord.decide`.

    Args:
        time: (T,), theory time from 0.
        c1: (R, T), NaN where a replicate had stopped.
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
        change = sparse.integral(sparse.time[-1]) - out["i_recorded"][row]
        out["i_error"][row] = abs(change)
        try:
            out["i_tail_bound"][row] = record.decide().tail_bound
        except ValueError:  # too few evaluations at its end
            out["i_tail_bound"][row] = np.inf
    return out
