"""Measure how finite K delays the acquisition of ICL, and which seeds it keeps from it."""

from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base
from icl.measurements.base import Estimate, NotComputableError
from icl.statistics import curves, hypotheses


def finite_over_infinite(
    finite: xr.Dataset, infinite: xr.Dataset, options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Compare the median t_ICL at each N and finite K with that at K = infinity.

    Medians are Kaplan-Meier's: none exists where fewer than half of the runs acquire. Both sides
    use one draw of the seeds, which they share if the configuration has it so. Runs that a stop
    rule ended count too: their t_ICL is known. A row's ratio and interval are NaN where a median
    is missing.
    """
    parts = [base.usable(runs) for runs in (finite, infinite)]
    parts[1] = base.infinite_only(parts[1])
    length, n_items, seed = (
        np.concatenate([runs[name].values for runs in parts])
        for name in ("context_length", "n_items", "seed")
    )
    passages = [base.acquisition_time(runs, options) for runs in parts]
    time = np.concatenate([passage.time for passage in passages])
    reached = np.concatenate([passage.reached for passage in passages])
    cells = np.unique(np.stack([length, n_items]), axis=1, return_inverse=True)[1].ravel()
    order = base.resampled(cells, seed, options, base.Draw.FINITE_K)

    def medians(own: np.ndarray) -> np.ndarray:
        chosen = order[:, np.flatnonzero(own)]
        return curves.censored_median(time[chosen], reached[chosen])

    rows = []
    for value in np.unique(length):
        at_infinity = (length == value) & np.isinf(n_items)
        if not at_infinity.any():
            continue
        at_infinite_k = medians(at_infinity)
        for items in np.unique(n_items[(length == value) & np.isfinite(n_items)]):
            own = (length == value) & (n_items == items)
            with np.errstate(invalid="ignore"):
                ratio = medians(own) / at_infinite_k
            ratio = np.where(np.isfinite(ratio), ratio, np.nan)
            low, high = curves.interval(ratio[1:], options["confidence"])
            rows.append(
                {
                    "context_length": int(value),
                    "n_items": float(items),
                    "ratio": ratio[0],
                    "interval": [low, high],
                    "acquired": int(reached[own].sum()),
                    "replicates": int(own.sum()),
                }
            )
    return rows


def largest_ratio(rows: list[dict[str, Any]]) -> dict[str, Estimate]:
    """Estimate the ratio at the largest N, and there at the largest K, at which it is known.

    Returns it under the name of its quantity, `finite_over_infinite`; nothing if none is known.
    """
    known = [row for row in rows if np.isfinite(row["ratio"])]
    if not known:
        return {}
    row = max(known, key=lambda row: (row["context_length"], row["n_items"]))
    where = f"at N = {row['context_length']}, K = {row['n_items']:,.0f}"
    low, high = row["interval"]
    return {"finite_over_infinite": Estimate(row["ratio"], low, high, where)}


def predicted_fractions(
    transition: xr.Dataset,
    acquisition: xr.Dataset,
    memorisation: xr.Dataset,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Predict, seed by seed, whether ICL is acquired at K: if t_ICL(K = inf) < I_K(inf).

    t_ICL comes from runs of the transition's N, I_K(inf) from runs of the MLP alone: its median
    over seeds where the MLP lacks the seed, and linear in the logarithms between measured K. No
    constant is fitted.

    Returns `by_items`, the measured and the predicted fraction at each K with exact intervals, and
    `agreement`, the share of runs whose own outcome was predicted.
    """
    runs = base.usable(transition)
    lengths = np.unique(runs["context_length"].values)
    infinite = base.infinite_only(base.usable(acquisition))
    chosen = np.isin(infinite["context_length"], lengths[:1])
    infinite = base.where(infinite, chosen)
    shared = np.intersect1d(runs["seed"].values, infinite["seed"].values)
    if len(lengths) != 1 or not len(shared):
        raise NotComputableError(
            f"no seed at N = {lengths.tolist()} is also run at K = infinity: nothing is predicted"
        )
    passage = base.acquisition_time(infinite, options)
    t_icl = np.where(passage.reached, passage.time, np.inf)
    time_of = dict(zip(infinite["seed"].values.tolist(), t_icl.tolist(), strict=True))
    alone = base.usable(memorisation)
    matched = len(np.intersect1d(shared, alone["seed"].values))
    finals = base.final(runs, "icl_accuracy")
    acquires = finals > options["acquired_above"]
    n_items, seeds = runs["n_items"].values, runs["seed"].values
    own = np.isin(seeds, shared)
    expected = np.zeros(len(seeds), dtype=bool)
    known = own.copy()
    for run in np.flatnonzero(own):
        limit = _i_infinity(alone, seeds[run], n_items[run])
        known[run] = np.isfinite(limit)
        expected[run] = time_of[int(seeds[run])] < limit
    rows = []
    for value in np.unique(n_items):
        here = known & (n_items == value)
        if not here.any():
            continue
        counts = int(here.sum()), int(acquires[here].sum()), int(expected[here].sum())
        rows.append(
            {
                "n_items": float(value),
                "replicates": counts[0],
                "measured": counts[1] / counts[0],
                "measured_interval": hypotheses.proportion_interval(
                    counts[1], counts[0], options["confidence"]
                ),
                "predicted": counts[2] / counts[0],
                "agreement": float((acquires == expected)[here].mean()),
            }
        )
    return {
        "context_length": int(lengths[0]),
        "by_items": rows,
        "agreement": float((acquires == expected)[known].mean()) if known.any() else np.nan,
        "runs": int(known.sum()),
        "seeds_matched_in_mlp_runs": matched,
    }


def _i_infinity(alone: xr.Dataset, seed: int, n_items: float) -> float:
    """Interpolate I_K(inf) of a seed, or its median over seeds; NaN outside the measured K."""
    items, integral = alone["n_items"].values, alone["i_recorded"].values
    own = alone["seed"].values == seed
    use = own if own.any() else np.ones(len(items), dtype=bool)
    values = np.unique(items[use])
    medians = np.array([np.median(integral[use & (items == value)]) for value in values])
    if not values[0] <= n_items <= values[-1]:
        return np.nan
    return float(np.exp(np.interp(np.log(n_items), np.log(values), np.log(medians))))
