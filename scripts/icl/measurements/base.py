"""The form of a measurement, and the helpers that all of them share."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import xarray as xr
from numpy.lib.stride_tricks import sliding_window_view

from icl.job import SETTINGS, Stop
from icl.record import StopReason, passing
from icl.statistics import curves
from icl.verdicts import UNKNOWN as UNKNOWN  # for all measurements
from icl.verdicts import Estimate as Estimate


class NotComputableError(Exception):
    """The data do not allow the measurement.

    The verdict quotes the message; `details` is what was seen nevertheless, for its figures.
    """

    def __init__(self, message: str, **details: Any):
        super().__init__(message)
        self.details = details


def statistic(
    *, roles: str, quantities: str, options: str, optional: str = ""
) -> Callable[[Callable], Callable]:
    """Declare a function to be a statistic that claims may name.

    Each argument is a string of words, which `experiment.declarations` reads from the source: the
    roles are the keys of `data`, the quantities those of `Measurement.estimates`, and a claim may
    leave out the optional roles. Options that share a name share a meaning.
    """
    del roles, quantities, options, optional  # for the reader of the source, and for `declarations`
    return lambda function: function


@dataclass(frozen=True)
class Measurement:
    """The measured quantities that a claim rests on."""

    estimates: dict[str, Estimate]  # by quantity
    replicates: int  # runs that were judged
    details: dict[str, Any]  # plain data for figures and readers
    censored: int = 0  # those of the runs that never reached what was timed
    diverged: int = 0
    notes: list[str] = field(default_factory=list)  # what to know before trusting the numbers


class Draw(IntEnum):
    """The bootstraps of one analysis: each has a random stream of its own."""

    RUNS = 0  # the runs that the claim is about
    MLP_ALONE = 1
    INFINITE_K = 2
    FINITE_K = 3


def resampled(
    cells: np.ndarray,
    seeds: np.ndarray,
    options: Mapping[str, Any],
    draw: Draw = Draw.RUNS,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Resample the seeds of runs (R,): indices of runs (1 + B, R), the data themselves first.

    `curves.seed_resamples` says what `cells`, its strata, and `groups` are.
    """
    drawn = curves.seed_resamples(
        cells, seeds, options["resamples"], options["seed"] + draw, groups
    )
    return np.vstack([np.arange(len(cells)), drawn])


def alike(seeds: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Group seeds (R,) that were run at the same places (R,), as `seed_resamples` wants it.

    A seed that lacks a run, so that it has no like, joins the largest group.
    """
    at = {seed: str(np.unique(places[seeds == seed]).tolist()) for seed in np.unique(seeds)}
    names, counts = np.unique(list(at.values()), return_counts=True)
    single = set(names[counts == 1])
    largest = names[counts.argmax()]
    return np.array([largest if at[seed] in single else at[seed] for seed in seeds])


def estimate(
    value: np.ndarray,
    resampled: np.ndarray,
    options: dict[str, Any],
    unit: str = "",
    seeds: int | None = None,
) -> Estimate:
    """Pair a value with the percentile interval of its bootstrap resamples.

    If `seeds` is given, whole seeds were resampled: the interval is expanded for that many of them.
    """
    level = options["confidence"]
    if seeds is not None:
        level = curves.expanded_level(level, seeds)
    low, high = curves.interval(resampled, level)
    return Estimate(float(value), low, high, unit, int(np.isnan(resampled).sum()))


def bootstrapped(
    drawn: np.ndarray, options: dict[str, Any], unit: str = "", seeds: int | None = None
) -> Estimate:
    """Estimate what was computed of the data and of each resample, (1 + B,), as `estimate` does."""
    return estimate(drawn[0], drawn[1:], options, unit, seeds)


def design_keys(dataset: xr.Dataset) -> list[str]:
    """Name N, K and the settings that the runs have; older files lack the newest."""
    return ["context_length", "n_items", *(name for name in SETTINGS if name in dataset.coords)]


def _ranks(dataset: xr.Dataset) -> np.ndarray:
    """Rank the values of N, K, settings and seed, which tell runs apart: (keys, R)."""
    keys = (*design_keys(dataset), "seed")
    return np.stack([np.unique(dataset[key].values, return_inverse=True)[1] for key in keys])


def sorted_runs(dataset: xr.Dataset) -> xr.Dataset:
    """Order runs by N, K, settings and seed, so that no bootstrap depends on the order of files."""
    return dataset.isel(run=np.lexsort(_ranks(dataset)[::-1]))


def joined(data: Mapping[str, xr.Dataset], *roles: str) -> xr.Dataset:
    """Join the runs of those roles that `data` has; evaluations are padded with NaN.

    A seed with two runs of one setting, which are one replicate, is refused.
    """
    given = [data[role] for role in roles if role in data]
    if len(given) == 1:
        return given[0]
    longest = max(dataset.sizes["evaluation"] for dataset in given)
    parts = [
        dataset.pad(evaluation=(0, longest - dataset.sizes["evaluation"])) for dataset in given
    ]
    together = xr.concat(parts, dim="run", join="exact", combine_attrs="drop")
    _, first, counts = np.unique(_ranks(together), axis=1, return_index=True, return_counts=True)
    if (counts > 1).any():
        twice = np.unique(together["seed"].values[first[counts > 1]])
        raise NotComputableError(
            f"seeds {', '.join(map(str, twice))} have runs of one setting in two of "
            f"{', '.join(role for role in roles if role in data)}"
        )
    lists = {
        key: json.dumps([entry for dataset in given for entry in json.loads(dataset.attrs[key])])
        for key in ("jobs", "missing_blocks")
    }
    return together.assign_attrs({**given[0].attrs, **lists})


def count_diverged(dataset: xr.Dataset) -> int:
    """Count the runs that diverged."""
    return int((dataset["stop_reason"] == StopReason.DIVERGED).sum())


def undiverged(dataset: xr.Dataset) -> xr.Dataset:
    """Leave out the runs that diverged, which are counted and named elsewhere."""
    return where(dataset, dataset["stop_reason"] != StopReason.DIVERGED)


def usable(dataset: xr.Dataset) -> xr.Dataset:
    """Order runs and leave out those that diverged."""
    return undiverged(sorted_runs(dataset))


def where(dataset: xr.Dataset, chosen: np.ndarray | xr.DataArray) -> xr.Dataset:
    """Select the runs that a mask (R,) names."""
    return dataset.isel(run=np.flatnonzero(chosen))


def infinite_only(dataset: xr.Dataset) -> xr.Dataset:
    """Select the runs at K = infinity."""
    return where(dataset, np.isinf(dataset["n_items"]))


def acquisition_time(runs: xr.Dataset, options: Mapping[str, Any]) -> curves.Passage:
    """Find when each run acquires ICL, its t_ICL in theory time, by the option `threshold`."""
    accuracy, clock = runs["icl_accuracy"].values, runs["theory_time"].values
    return curves.acquisition_time(accuracy, clock, options["threshold"])


def final(runs: xr.Dataset, name: str) -> np.ndarray:
    """Take each run's last value of a metric, NaN if it has none: (R,)."""
    return curves.last_value(runs[name].values)


def stopped(dataset: xr.Dataset) -> np.ndarray:
    """Tell which runs a stop rule ended: (R,) bool."""
    return dataset["stop_reason"].isin([StopReason.ACQUIRED, StopReason.MEMORISED]).values


def require_unstopped(dataset: xr.Dataset, because: str) -> None:
    """Raise `NotComputableError` if a stop rule ended runs, saying how many and why it matters."""
    if ended := int(stopped(dataset).sum()):
        raise NotComputableError(f"{ended} runs were ended by a stop rule, {because}")


def unstopped(dataset: xr.Dataset, because: str) -> xr.Dataset:
    """Return the usable runs, once `require_unstopped` finds all fit to be judged."""
    require_unstopped(dataset, because)
    return usable(dataset)


def require_same_outcomes(
    dataset: xr.Dataset, because: str, data: Mapping[str, xr.Dataset], options: Mapping[str, Any]
) -> list[str]:
    """Refuse runs that a stop rule ended, unless other runs show that the rule does not decide.

    The others play the role `unstopped`: they are near K* and have no stop rule. If the rule would
    have ended one of them as acquired, its last ICL accuracy must be above `acquired_above`; if as
    memorised, it must not. Returns notes for the reader, none if no rule ended a run.
    """
    ended = int(stopped(dataset).sum())
    if not ended:
        return []
    if "unstopped" not in data:
        require_unstopped(dataset, because)
    others = undiverged(data["unstopped"])
    require_unstopped(others, "but are there to show what happens without one")
    n_others = others.sizes["run"]
    refusal = f"{ended} runs were ended by a stop rule, {because}, and"
    if n_others < options["least_unstopped"]:
        raise NotComputableError(
            f"{refusal} {n_others} runs without one; {options['least_unstopped']} are needed"
        )
    acquires = curves.last_value(others["icl_accuracy"].values) > options["acquired_above"]
    # Each job has its own rule, but the jobs of an experiment nearly always share one.
    rules = {json.dumps(job["stop"], sort_keys=True) for job in json.loads(dataset.attrs["jobs"])}
    for rule in map(json.loads, sorted(rules)):
        reasons = _would_end(others, rule)
        promised = np.where(
            reasons == StopReason.LAST_STEP, acquires, reasons == StopReason.ACQUIRED
        )
        if wrong := int((promised != acquires).sum()):
            raise NotComputableError(
                f"{refusal} {wrong} of {n_others} runs without one ended otherwise"
            )
    return [
        f"{ended} of {dataset.sizes['run']} runs were ended by a stop rule; "
        f"the {n_others} runs without one ended as it would have had it"
    ]


def _would_end(dataset: xr.Dataset, rule: Mapping[str, Any]) -> np.ndarray:
    """Find the `StopReason` with which a rule would have ended each run, or LAST_STEP."""
    earliest = np.full(dataset.sizes["run"], dataset.sizes["evaluation"])
    reasons = np.full(len(earliest), StopReason.LAST_STEP)
    measured = {str(name): values.values for name, values in dataset.data_vars.items()}
    for reason, passed in passing(Stop(**rule), measured).items():
        windows = sliding_window_view(passed, rule["confirmations"], axis=1)
        held = np.asarray(windows.all(axis=-1))
        ends = held.any(axis=1) & (held.argmax(axis=1) <= earliest)
        earliest = np.where(ends, held.argmax(axis=1), earliest)
        reasons[ends] = reason
    return reasons


def only_length(runs: xr.Dataset) -> int:
    """Return the N of runs; raise `NotComputableError` if they have several, or none."""
    lengths = np.unique(runs["context_length"]).tolist()
    if len(lengths) != 1:
        raise NotComputableError(f"it is defined at one N, and the data have {lengths}")
    return lengths[0]


def require_number(number: int, options: Mapping[str, Any], what: str) -> None:
    """Raise `NotComputableError` if there are fewer of something than `least_replicates`."""
    if number < options["least_replicates"]:
        raise NotComputableError(f"{number} {what}; {options['least_replicates']} are needed")


def require_replicates(groups: np.ndarray, least: int, name: str) -> None:
    """Raise `NotComputableError` if any group is too small to be resampled, naming those."""
    values, counts = np.unique(groups, return_counts=True)
    small = [f"{v:g} ({n})" for v, n in zip(values, counts, strict=True) if n < least]
    if small:
        raise NotComputableError(
            f"fewer than {least} replicates at {name} = {', '.join(small)}: no interval can be had"
        )


def resolution_note(spacing: float, time: float, most: float, where: str) -> list[str]:
    """Note that evaluations are too sparse for the times that they measure, if they are."""
    if spacing <= most * time:
        return []
    return [
        f"{where}: evaluations are {spacing / time:.1%} of the median t_ICL apart, more than "
        f"{most:.0%}: times are known no better"
    ]


def spacing(clock: np.ndarray) -> float:
    """Find the widest step between evaluations on a clock (R, T), in its unit."""
    return float(np.nanmax(np.diff(clock, axis=1)))
