"""Measure how well the chain foretells the transformer from its weights at the start."""

from typing import Any

import numpy as np
import xarray as xr
from scipy import stats

from icl.measurements import base, intervals
from icl.measurements.acquisition import beta0_of
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.measurements.shifted_starts import SHIFT, log_times, slopes
from icl.measurements.starts import by_start

QUARTERS = 4  # of the starts, from the quickest chains to the slowest


@statistic(
    roles="acquisition foretold initial_beta",
    quantities=(
        "least_ratio greatest_ratio explained over_beta0 slope exponent foretold_exponent "
        "exponent_difference"
    ),
    options="threshold confidence resamples seed least_replicates",
    optional="initial_beta",
)
def foretold_times(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Compare t_ICL at K = infinity of transformers and of chains that start as they do.

    Two seeds share each start (`seeds.per_start`). Where single runs are compared, the transformer
    of one is compared with the chain of the other, so that they have no data in common.

    - `least_ratio`, `greatest_ratio`: geometric mean t_ICL of the chains over the transformers',
      the least and the greatest over N.
    - `explained`: R^2 of log t_ICL of a transformer on its chain's, mean over N.
    - `over_beta0`: that, less R^2 on beta0.
    - `slope`: of that regression, mean over N; 1 if what the chain says is right.
    - `exponent`, `foretold_exponent`: of t_ICL on N; `exponent_difference`: the second less the
      first.

    The few runs that never acquire ICL count with the time of their end.
    """
    whole, chain = (
        base.sorted_runs(base.infinite_only(data[k])) for k in ("acquisition", "foretold")
    )
    rows = [
        _at_length(n, whole, chain, data.get("initial_beta"), options)
        for n in np.unique(whole["context_length"])
    ]
    level = options["confidence"]
    ratios = [
        intervals.rescaled(Estimate(row["log_ratio"], *row["log_interval"]), np.exp) for row in rows
    ]
    found = {
        "least_ratio": intervals.least(ratios, level),
        "greatest_ratio": intervals.greatest(ratios, level),
        **_regressions(rows, options),
        **_exponents(rows, options),
    }
    return Measurement(
        estimates=found,
        replicates=sum(row["log_t_icl"].size for row in rows),
        censored=sum(row["censored"] for row in rows),
        diverged=sum(base.count_diverged(data[k]) for k in ("acquisition", "foretold")),
        details={"by_length": rows},
    )


def _at_length(
    n: int,
    whole: xr.Dataset,
    chain: xr.Dataset,
    initial: xr.Dataset | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """List log t_ICL (S, 2) of the transformers and of the chains at one N, by start."""
    found, seeds, censored = [], [], 0
    for runs in (whole, chain):
        runs, table = by_start(
            base.undiverged(base.where(runs, runs["context_length"] == n)), options
        )
        if table.shape[1] != 2:
            raise NotComputableError(f"{table.shape[1]} seeds share a start; this compares two")
        log_t, never = log_times(runs, options, f"N = {n}")
        found.append(log_t[table])
        seeds.append(runs["seed"].values[table[:, 0]])
        censored += never
    if not np.array_equal(*seeds):
        raise NotComputableError(f"N = {n}: the chains do not start as the transformers do")
    log_t, foretold = found
    ratio = intervals.mean((foretold - log_t).mean(axis=1), options)
    return {
        "N": int(n),
        "seeds": seeds[0],
        "log_t_icl": log_t,
        "foretold": foretold,
        "log_ratio": ratio.value,
        "log_interval": [ratio.low, ratio.high],
        "censored": censored,
        **({} if initial is None else {"beta0": beta0_of(seeds[0], initial)}),
    }


def _regressions(rows: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Estimate]:
    """Regress log t_ICL on what is foretold, and on beta0, at each N; starts are resampled."""
    explained, slope, by_beta0 = [], [], []
    for row in rows:
        starts = len(row["seeds"])
        drawn = base.resampled(np.zeros(starts), np.arange(starts), options)  # (1 + B, S)
        y = row["log_t_icl"][drawn].reshape(len(drawn), -1)
        x = row["foretold"][:, ::-1][drawn].reshape(len(drawn), -1)  # of the other's data
        of_slope, r2 = _regression(x, y)
        explained.append(r2)
        slope.append(of_slope)
        if "beta0" in row:
            beta0 = np.repeat(row["beta0"][drawn], 2, axis=1)
            by_beta0.append(_regression(beta0, y)[1])
        row |= {"explained": r2[0], "slope": of_slope[0]}
    fewest = min(len(row["seeds"]) for row in rows)
    values = {"explained": np.mean(explained, axis=0), "slope": np.mean(slope, axis=0)}
    if by_beta0:
        values["over_beta0"] = values["explained"] - np.mean(by_beta0, axis=0)
    found = {name: base.bootstrapped(of, options, seeds=fewest) for name, of in values.items()}
    return {"over_beta0": UNKNOWN, **found}


def _regression(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Regress y on x along the last axis: the slope, and R^2 (0 where y does not vary)."""
    x, y = (values - values.mean(axis=-1, keepdims=True) for values in (x, y))
    xx, xy, yy = ((a * b).sum(axis=-1) for a, b in ((x, x), (x, y), (y, y)))
    return xy / xx, xy**2 / (xx * np.where(yy == 0, 1, yy))


def _exponents(rows: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Estimate]:
    """Fit exponents of t_ICL on N to each start that has run at every N."""
    names = ("exponent", "foretold_exponent", "exponent_difference")
    common = set.intersection(*(set(row["seeds"].tolist()) for row in rows))
    if len(rows) < 2 or len(common) < options["least_replicates"]:
        return dict.fromkeys(names, UNKNOWN)
    log_n = np.log([row["N"] for row in rows])
    chosen = [np.isin(row["seeds"], list(common)) for row in rows]

    def exponents(name: str) -> np.ndarray:
        log_t = [row[name][at].mean(axis=1) for row, at in zip(rows, chosen, strict=True)]
        return _regression(log_n, np.transpose(log_t))[0]

    own, foretold = exponents("log_t_icl"), exponents("foretold")
    values = (own, foretold, foretold - own)
    return {name: intervals.mean(of, options) for name, of in zip(names, values, strict=True)}


@statistic(
    roles="acquisition foretold initial_beta",
    quantities="least_difference greatest_difference",
    options="threshold confidence resamples seed least_replicates",
)
def foretold_slopes(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Compare how log t_ICL of transformers and of chains follows beta0, moved by `beta_shift`.

    At each N both are compared at the shifts that both have, on the same seeds.

    - `least_difference`, `greatest_difference`: of the slope on beta0 of a seed's chain less that
      of its transformer, mean over seeds, the least and the greatest over N.
    """
    whole, chain = (
        base.undiverged(base.sorted_runs(base.infinite_only(data[k])))
        for k in ("acquisition", "foretold")
    )
    initial, rows = data["initial_beta"], []
    for n in np.unique(chain["context_length"]):
        of_chain = base.where(chain, chain["context_length"] == n)
        shared = np.isin(whole[SHIFT], np.unique(of_chain[SHIFT])) & (whole["context_length"] == n)
        (own,) = slopes(base.where(whole, shared), initial, options)
        (foretold,) = slopes(of_chain, initial, options)
        if not np.array_equal(own["seeds"], foretold["seeds"]):
            raise NotComputableError(f"N = {n}: the chains are not of the transformers' seeds")
        by_seed = (_regression(row["beta0"], row["log_t_icl"])[0] for row in (foretold, own))
        differ = intervals.mean(np.subtract(*by_seed), options)
        row = {key: own[key] for key in ("N", "slope", "interval")}
        row |= {"foretold": foretold["slope"], "foretold_interval": foretold["interval"]}
        row |= {"difference": differ.value, "difference_interval": [differ.low, differ.high]}
        rows.append(
            row | {"censored": own["censored"] + foretold["censored"], "seeds": len(own["seeds"])}
        )
    level = options["confidence"]
    differences = [Estimate(row["difference"], *row["difference_interval"]) for row in rows]
    return Measurement(
        estimates={
            "least_difference": intervals.least(differences, level),
            "greatest_difference": intervals.greatest(differences, level),
        },
        replicates=sum(row["seeds"] for row in rows),
        censored=sum(row["censored"] for row in rows),
        diverged=sum(base.count_diverged(data[k]) for k in ("acquisition", "foretold")),
        details={"by_length": rows},
    )


@statistic(
    roles="near_threshold foretold initial_beta acquisition",
    quantities="auc over_beta0 own_auc",
    options="threshold acquired_above confidence resamples seed least_replicates",
    optional="initial_beta acquisition",
)
def foretold_outcomes(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how well t_ICL of the chain at K = infinity foretells who acquires ICL near K*.

    - `auc`: probability that, of two runs at one K of which one acquires ICL, it is the one whose
      start has the quicker chains: the area under the ROC curve, 0.5 if a start says nothing.
    - `over_beta0` (shown): that less the same of beta0.
    - `own_auc` (shown): the same of the transformer's own t_ICL at K = infinity from that start.

    Starts are resampled, each with its runs. The chains see other items than the runs do.
    """
    near, places = by_start(base.undiverged(data["near_threshold"]), options)
    acquired = (base.final(near, "icl_accuracy") > options["acquired_above"])[places]
    if acquired.all() or not acquired.any():
        raise NotComputableError("all runs acquire ICL, or none: there is nothing to tell apart")
    starts = _starts(near, places)
    quick = {"auc": -_mean_log_time(data["foretold"], starts, options)}
    if "initial_beta" in data:
        quick["beta0"] = beta0_of(near["seed"].values[places[:, 0]], data["initial_beta"])
    if "acquisition" in data:
        quick["own_auc"] = -_mean_log_time(data["acquisition"], starts, options)
    drawn = base.resampled(np.zeros(len(starts)), np.arange(len(starts)), options)
    areas = {
        name: np.array([_area(of[rows], acquired[rows]) for rows in drawn])
        for name, of in quick.items()
    }
    if "beta0" in areas:
        areas["over_beta0"] = areas["auc"] - areas.pop("beta0")
    found = {name: base.bootstrapped(of, options, seeds=len(starts)) for name, of in areas.items()}
    quarters = np.array_split(np.argsort(-quick["auc"], kind="stable"), QUARTERS)
    return Measurement(
        estimates={**dict.fromkeys(("over_beta0", "own_auc"), UNKNOWN), **found},
        replicates=acquired.size,
        diverged=sum(base.count_diverged(of) for of in data.values()),
        details={
            "n_items": near["n_items"].values[0],
            "quarters": [
                _quarter(quick["auc"][rows], acquired[rows], options) for rows in quarters
            ],
        },
    )


def _quarter(score: np.ndarray, acquired: np.ndarray, options: dict[str, Any]) -> dict[str, Any]:
    """Describe some starts: t_ICL of their chains, and the share of their runs that acquires."""
    share = intervals.proportion(acquired.sum(), acquired.size, options)
    return {
        "t_icl": np.exp(-score.mean()),
        "share": share.value,
        "interval": [share.low, share.high],
        "runs": acquired.size,
    }


def _starts(runs: xr.Dataset, places: np.ndarray) -> np.ndarray:
    """Name the starts of places (S, seeds of a start): (S,)."""
    return runs["seed"].values[places[:, 0]] // places.shape[1]


def _mean_log_time(runs: xr.Dataset, starts: np.ndarray, options: dict[str, Any]) -> np.ndarray:
    """Average log t_ICL at K = infinity over the runs of each start: (S,)."""
    runs, places = by_start(base.undiverged(base.infinite_only(runs)), options)
    of_start = dict(zip(_starts(runs, places).tolist(), places, strict=True))
    if missing := sorted(set(starts.tolist()) - set(of_start)):
        raise NotComputableError(f"{len(missing)} starts have no t_ICL at K = infinity")
    log_t, _ = log_times(runs, options, "K = infinity")
    return np.array([log_t[of_start[start]].mean() for start in starts.tolist()])


def _area(score: np.ndarray, acquired: np.ndarray) -> float:
    """Return the area under the ROC curve of a start's score (S,) for outcomes (S, k)."""
    of_run = np.repeat(score, acquired.shape[1])
    yes, no = of_run[acquired.ravel()], of_run[~acquired.ravel()]
    if not yes.size or not no.size:
        return np.nan
    return stats.mannwhitneyu(yes, no, method="asymptotic").statistic / (yes.size * no.size)
