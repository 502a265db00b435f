"""Measure the effect of finite K on acquisition: how much later, and for which seeds never."""

from typing import Any

import numpy as np
import xarray as xr

from icl.measurements.base import NotComputableError, sorted_runs, undiverged
from icl.statistics import curves, hypotheses


def finite_over_infinite(
    finite: xr.Dataset, infinite: xr.Dataset, options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Compare the median t_ICL at each N and finite K with that at K = infinity.

    Medians are Kaplan-Meier's, so there is none where fewer than half of the runs acquire. Seeds
    are resampled in both at once, for they are the same seeds where the configuration has it so.

    Returns for each N of both and each K, the ratio and its interval, NaN where there is no median.

    Args:
        finite: runs at finite K; of a stopped run t_ICL is known all the same.
        infinite: runs at K = infinity.
    """
    parts = [undiverged(sorted_runs(runs)) for runs in (finite, infinite)]
    parts[1] = parts[1].isel(run=np.flatnonzero(np.isinf(parts[1]["n_items"])))
    length, n_items, seed, time, reached = ([] for _ in range(5))
    for runs in parts:
        passage = curves.acquisition_time(
            runs["icl_accuracy"].values, runs["theory_time"].values, options["threshold"]
        )
        length.append(runs["context_length"].values)
        n_items.append(runs["n_items"].values)
        seed.append(runs["seed"].values)
        time.append(passage.time)
        reached.append(passage.reached)
    length, n_items, seed, time, reached = map(
        np.concatenate, (length, n_items, seed, time, reached)
    )
    cells = np.unique(np.stack([length, n_items]), axis=1, return_inverse=True)[1].ravel()
    drawn = curves.seed_resamples(cells, seed, options["resamples"], options["seed"] + 3)
    order = np.vstack([np.arange(len(cells)), drawn])

    def medians(own: np.ndarray) -> np.ndarray:
        chosen = order[:, np.flatnonzero(own)]
        return curves.censored_median(time[chosen], reached[chosen])

    rows = []
    for value in np.unique(length):
        at_infinity = (length == value) & np.isinf(n_items)
        if not at_infinity.any():
            continue
        base = medians(at_infinity)
        for items in np.unique(n_items[(length == value) & np.isfinite(n_items)]):
            own = (length == value) & (n_items == items)
            with np.errstate(invalid="ignore"):
                ratio = medians(own) / base
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


def largest_ratio(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the row of the largest N, and there of the largest K, whose ratio is known."""
    known = [row for row in rows if np.isfinite(row["ratio"])]
    return max(known, key=lambda row: (row["context_length"], row["n_items"]), default=None)


def predicted_fractions(
    transition: xr.Dataset,
    acquisition: xr.Dataset,
    memorisation: xr.Dataset,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Predict, seed by seed, whether ICL is acquired at K: if t_ICL(K = inf) < I_K(inf).

    Both sides are measured apart, t_ICL at the transition's N and I_K(inf) of the MLP alone. A seed
    that is missing from the MLP's runs has the median of those there are; I_K(inf) between the
    measured K is linear in the logarithms. No constant is fitted.

    Returns `by_items`, the measured and the predicted fraction at each K with exact intervals, and
    `agreement`, the share of runs whose own outcome was predicted.

    Args:
        transition: runs at one N and finite K.
        acquisition: runs at K = infinity.
        memorisation: the MLP alone at finite K.

    Raises:
        NotComputableError: where the data share no N or no seed.
    """
    runs = undiverged(sorted_runs(transition))
    lengths = np.unique(runs["context_length"].values)
    infinite = undiverged(sorted_runs(acquisition))
    chosen = np.isinf(infinite["n_items"].values) & np.isin(infinite["context_length"], lengths[:1])
    infinite = infinite.isel(run=np.flatnonzero(chosen))
    shared = np.intersect1d(runs["seed"].values, infinite["seed"].values)
    if len(lengths) != 1 or not len(shared):
        raise NotComputableError(
            f"no seed at N = {lengths.tolist()} is also run at K = infinity: nothing is predicted"
        )
    passage = curves.acquisition_time(
        infinite["icl_accuracy"].values, infinite["theory_time"].values, options["threshold"]
    )
    t_icl = np.where(passage.reached, passage.time, np.inf)
    time_of = dict(zip(infinite["seed"].values.tolist(), t_icl.tolist(), strict=True))
    alone = undiverged(sorted_runs(memorisation))
    matched = len(np.intersect1d(shared, alone["seed"].values))
    finals = curves.last_value(runs["icl_accuracy"].values)
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
    """Return I_K(inf) of a seed, or the median over seeds, NaN outside the measured K."""
    items, integral = alone["n_items"].values, alone["i_recorded"].values
    own = alone["seed"].values == seed
    use = own if own.any() else np.ones(len(items), dtype=bool)
    values = np.unique(items[use])
    medians = np.array([np.median(integral[use & (items == value)]) for value in values])
    if not values[0] <= n_items <= values[-1]:
        return np.nan
    return float(np.exp(np.interp(np.log(n_items), np.log(values), np.log(medians))))
