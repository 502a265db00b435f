"""Compare the minimal model with its MLP alone, and w after acquisition with equation 15."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base, intervals
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, statistic
from icl.statistics import curves
from icl.theory import transience
from icl.theory.checks import OutOfRangeWarning

# What a run and the run of its MLP alone must share to have drawn the same targets.
# Files from before a setting do not have it: there it is the same in all runs.
MATCHED = (
    *("context_length", "n_items", "seed", "learning_rate", "mlp_decay", "zipf_exponent"),
    *("copies", "label_noise"),
)


def pairs(data: dict[str, xr.Dataset]) -> Iterator[tuple[xr.Dataset, xr.Dataset]]:
    """Pair each run of the role `minimal` with the run of its MLP alone on the same targets.

    Both runs keep only the evaluations at which they have a value.
    """
    whole = base.usable(data["minimal"])
    alone = base.usable(data["alone"])
    matched = [name for name in MATCHED if name in whole.coords and name in alone.coords]
    keys = [tuple(run) for run in zip(*(alone[name].values for name in matched), strict=True)]
    rows = dict(zip(keys, range(len(keys)), strict=True))
    for r in range(whole.sizes["run"]):
        key = tuple(whole[name].values[r] for name in matched)
        if not np.isfinite(whole["n_items"].values[r]):
            continue
        if key not in rows:
            raise NotComputableError(
                f"N = {key[0]}, K = {key[1]:,.0f}, seed {key[2]}: no run of the MLP alone has the "
                "same targets"
            )
        yield _recorded(whole, r, "icl_accuracy"), _recorded(alone, rows[key], "c1")


def _recorded(runs: xr.Dataset, row: int, name: str) -> xr.Dataset:
    run = runs.isel(run=row)
    return run.isel(evaluation=np.flatnonzero(np.isfinite(run[name].values)))


def _passed(run: xr.Dataset, level: float) -> int | None:
    """Find the first confirmed evaluation with ICL accuracy above a level."""
    passage = curves.first_passage(
        run["icl_accuracy"].values[None], run["theory_time"].values[None], level
    )
    return int(passage.index[0]) if passage.reached[0] else None


def _at(alone: xr.Dataset, name: str, time: np.ndarray) -> np.ndarray:
    """Read a curve of the MLP alone at other times, linear in its logarithm; NaN past its end."""
    clock = alone["theory_time"].values
    values = np.exp(np.interp(time, clock, np.log(alone[name].values)))
    return np.where(time <= clock[-1], values, np.nan)


def _median(rows: list[dict[str, Any]], name: str, options: dict[str, Any]) -> Estimate:
    """Estimate the median over runs of a value in their rows; seeds are resampled."""
    values, seeds = (np.array([row[key] for row in rows]) for key in (name, "seed"))
    return intervals.median(values, seeds, options)


def _share(rows: list[dict[str, Any]], number: int, options: dict[str, Any]) -> Estimate:
    """Estimate a share of runs; it is as sure as that share of their seeds."""
    share, seeds = number / len(rows), len({row["seed"] for row in rows})
    fewest, most = int(np.floor(share * seeds)), int(np.ceil(share * seeds))
    low, high = (intervals.proportion(number, seeds, options) for number in (fewest, most))
    return Estimate(share, low.low, high.high)


def _require_seeds(rows: list[dict[str, Any]], options: dict[str, Any], what: str) -> None:
    base.require_number(len({row["seed"] for row in rows}), options, f"seeds have runs {what}")


@statistic(
    roles="minimal alone",
    quantities="deviation deviation_without_acquisition share_undisturbed",
    options="accuracy close memorised confidence resamples seed least_replicates",
)
def independence(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure by how much ICL disturbs memorisation before it is acquired.

    A run that acquires is judged by the largest relative difference between its c1 and that of its
    MLP alone on the same targets, up to the first evaluation above the option `accuracy`; the
    estimate is the median over runs. Runs that never get there are measured until their MLP alone
    has memorised (c1 below the option `memorised`), and not judged. `share_undisturbed` is the
    share of the runs that acquire whose difference is at most the option `close`, with the exact
    interval of as many seeds: runs of one seed at several K are no more than one replicate.

    Source: section 3.4, equation 6.
    """
    details = []
    for whole, alone in pairs(data):
        time = whole["theory_time"].values
        alone_c1 = _at(alone, "c1", time)
        end = _passed(whole, options["accuracy"])
        kept = np.isfinite(alone_c1)
        kept &= np.arange(len(time)) <= end if end is not None else alone_c1 >= options["memorised"]
        if end is not None and not np.isfinite(alone_c1[: end + 1]).all():
            raise NotComputableError("a run of the MLP alone ends before ICL is acquired beside it")
        details.append(
            {
                "n_items": whole["n_items"].item(),
                "seed": whole["seed"].item(),
                "deviation": np.abs(whole["c1"].values / alone_c1 - 1)[kept].max(),
                "acquires": end is not None,
            }
        )
    acquiring = [row for row in details if row["acquires"]]
    others = [row for row in details if not row["acquires"]]
    _require_seeds(acquiring, options, "that acquire ICL")
    deviations = np.array([row["deviation"] for row in acquiring])
    undisturbed = int((deviations <= options["close"]).sum())
    return Measurement(
        estimates={
            "deviation": _median(acquiring, "deviation", options),
            "deviation_without_acquisition": _median(others, "deviation", options),
            "share_undisturbed": _share(acquiring, undisturbed, options),
        },
        replicates=len(acquiring),
        censored=len(others),
        diverged=base.count_diverged(data["minimal"]),
        details={"by_run": details, "largest": deviations.max()},
        notes=[
            f"of {len(acquiring)} runs that acquire ICL "
            f"{undisturbed} stay within {options['close']:.0%} of "
            f"the MLP alone until then; the largest difference is {deviations.max():.2%}"
        ],
    )


@statistic(
    roles="minimal alone",
    quantities="ratio ratio_to_prediction predicted ratio_to_attention",
    options="threshold window least_fall confidence resamples seed least_replicates",
)
def iwl_slowdown(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure by how much memorisation slows down once ICL is acquired.

    The ratio compares two rates at which log c3 falls: that of a run from its acquisition to
    `window` times that time, and that of its MLP alone (same K, seed and targets) as it passes the
    same values. It is below 0 if c3 rises. The estimate is the median over runs.

    A loss that attention has explained pulls on the logit phi of an item by sigma(-phi - w), which
    is e^-w e^-phi once w is large, in place of sigma(-phi). So memorisation is `predicted` to slow
    by the mean of e^-w over that time, times c3, over the c1 of the MLP alone at the same c3.
    `ratio_to_prediction` is the measured ratio over that. It takes attention to read the target's
    label alone. `ratio_to_attention` (shown) has the mean of e^(-w s) in the place of e^-w, s being
    what attention at the run's beta reads: its share of the target, and labels of the others.

    Source: section 3.7 ("memorization slows down dramatically").
    """
    details, censored = [], 0
    for whole, alone in pairs(data):
        start = _passed(whole, options["threshold"])
        clock = whole["theory_time"].values
        if start is None or clock[-1] < options["window"] * clock[start]:
            censored += 1
            continue
        end = int(np.searchsorted(clock, options["window"] * clock[start]))
        log_c3 = np.log(whole["c3"].values[[start, end]])
        rate = (log_c3[0] - log_c3[1]) / (clock[end] - clock[start])
        alone_rate = _rate_between(alone, log_c3.min(), log_c3.max(), options["least_fall"])
        if not np.isfinite(alone_rate):
            raise NotComputableError(
                f"K = {whole['n_items'].item():,.0f}, seed {whole['seed'].item()}: c3 of the MLP "
                "alone does not fall to where that of the run was after acquisition"
            )
        during = slice(start, end + 1)
        alone_c1 = np.exp(_at_equal_c3(alone, "c1", log_c3.mean()))
        pull = np.exp(log_c3.mean()) / alone_c1
        w, beta = whole["w"].values[during], whole["beta"].values[during]
        predicted = np.exp(-w).mean() * pull
        read = _unexplained(beta, w, whole["context_length"].item()).mean() * pull
        details.append(
            {
                "n_items": whole["n_items"].item(),
                "seed": whole["seed"].item(),
                "ratio": rate / alone_rate,
                "predicted": predicted,
                "ratio_to_prediction": rate / alone_rate / predicted,
                "ratio_to_attention": rate / alone_rate / read,
                "c3": np.exp(log_c3),
                "w": whole["w"].values[[start, end]],
            }
        )
    _require_seeds(details, options, "that acquire ICL with time to spare")
    return Measurement(
        estimates={
            name: _median(details, name, options)
            for name in ("ratio", "ratio_to_prediction", "predicted", "ratio_to_attention")
        },
        replicates=len(details),
        censored=censored,
        diverged=base.count_diverged(data["minimal"]),
        details={"by_run": details},
    )


def _unexplained(beta: np.ndarray, w: np.ndarray, length: int) -> np.ndarray:
    """Average e^(-w s) over the labels that attention reads beside the target's, exactly in N."""
    total = np.exp(beta) + length - 1
    return np.exp(-w * np.exp(beta) / total) * np.cosh(w / total) ** (length - 1)


def _at_equal_c3(alone: xr.Dataset, name: str, log_c3: float) -> float:
    """Read the logarithm of a curve of the MLP alone where its c3 first falls to a value."""
    lowest = np.minimum.accumulate(np.log(alone["c3"].values))
    fall, first = np.unique(-lowest, return_index=True)
    return float(np.interp(-log_c3, fall, np.log(alone[name].values)[first]))


def _rate_between(alone: xr.Dataset, low: float, high: float, least_fall: float) -> float:
    """Measure the mean rate at which log c3 falls from `high` to `low`; NaN if it never gets there.

    The range is widened to `least_fall` if narrower, for one evaluation gives no slope.
    """
    log_c3, clock = np.log(alone["c3"].values), alone["theory_time"].values
    margin = max(least_fall - (high - low), 0) / 2
    lowest = np.minimum.accumulate(log_c3)
    high = min(high + margin, lowest[0])
    low = min(low - margin, high - least_fall)
    if lowest[-1] > low:
        return np.nan
    # np.interp needs rising abscissae; the first of equal ones counts.
    fall, first = np.unique(-lowest, return_index=True)
    begin, end = np.interp([-high, -low], fall, clock[first])
    return (high - low) / (end - begin)


@statistic(
    roles="minimal",
    quantities="error error_with_lag signed_error greatest_error",
    options="threshold w_faded least_evaluations confidence resamples seed least_replicates",
)
def lambert_tracking(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Measure how closely w follows W(c3/lambda) from acquisition until it has fallen to 1.

    The error of w is relative to equation 15 with the c3 of the same run; the estimate is its
    median over a run's evaluations (equally spaced in time), then over runs. A run that does not
    fade is taken to the end of its record, and counted. Not judged: the error if w lags behind its
    balance, as equation 44 says to first order (`transience.tracking_lag`). `greatest_error` is the
    greatest over decays of the error at each.

    Source: equation 15; section 3.7.
    """
    runs = base.usable(data["minimal"])
    decayed = (runs["w_decay"] > 0) & np.isfinite(runs["n_items"])
    alone = decayed & (runs["beta_decay"] == 0) & (runs["mlp_decay"] < runs["w_decay"])
    runs = base.where(runs, alone)
    faded, details = 0, []
    for r in range(runs.sizes["run"]):
        run = _recorded(runs, r, "w")
        start = _passed(run, options["threshold"])
        if start is None:
            continue
        w, c3, clock = (run[name].values for name in ("w", "c3", "theory_time"))
        gone = np.flatnonzero((w <= options["w_faded"]) & (np.arange(len(w)) > start))
        end = int(gone[0]) if len(gone) else len(w)
        if end - start < options["least_evaluations"]:
            continue
        part, decay = slice(start, end), run["w_decay"].item()
        balance = transience.w_tracking(c3[part], decay)
        rate = -np.gradient(np.log(c3), clock)[part]
        with warnings.catch_warnings():  # where w does not track, that is what is measured
            warnings.simplefilter("ignore", OutOfRangeWarning)
            lag = transience.tracking_lag(c3[part], decay, rate)
        error = w[part] / balance - 1
        faded += bool(len(gone))
        details.append(
            {
                "n_items": run["n_items"].item(),
                "seed": run["seed"].item(),
                "w_decay": decay,
                "error": np.median(np.abs(error)),
                "error_with_lag": np.median(np.abs(w[part] / (balance + lag) - 1)),
                "signed_error": np.median(error),
                "faded": bool(len(gone)),
                "evaluations": end - start,
            }
        )
    _require_seeds(details, options, "with decay on w alone that acquire ICL")
    notes = []
    if faded < len(details):
        notes.append(
            f"w falls to {options['w_faded']:g} in {faded} of {len(details)} runs; the others are "
            "taken to the end of their record"
        )
    by_decay, least = [], options["least_replicates"]
    for decay in np.unique(runs["w_decay"]):
        own = [row for row in details if row["w_decay"] == decay]
        by_decay.append(_median(own, "error", options) if len(own) >= least else UNKNOWN)
        if len(own) < least:
            notes.append(f"{len(own)} runs at w's decay {decay:g} can be measured: too few")
    return Measurement(
        estimates={
            **{
                name: _median(details, name, options)
                for name in ("error", "error_with_lag", "signed_error")
            },
            "greatest_error": intervals.greatest(by_decay, options["confidence"]),
        },
        replicates=len(details),
        censored=runs.sizes["run"] - len(details),
        diverged=base.count_diverged(data["minimal"]),
        details={"by_run": details, "faded": faded},
        notes=notes,
    )
