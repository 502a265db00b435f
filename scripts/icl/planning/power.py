"""Estimate how likely a fresh run of the same design is to repeat a verdict.

The seeds in hand stand in for all seeds: fresh experiments are drawn from them, with replacement,
and each is judged as the real one was. A seed keeps its runs at every N and K and in every
experiment, for they start from the same weights.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import xarray as xr
from scipy.stats import binomtest

from icl import claims
from icl.measurements import base
from icl.verdicts import restored

FACTORS = (1, 2, 4, 8)  # times as many seeds as now
WANTED = 0.95
TESTED = {"resamples": 200}  # of each drawn experiment's own bootstrap


@dataclass(frozen=True)
class Power:
    """The verdicts of fresh runs of a claim's experiments."""

    claim: str
    verdict: str  # of the data in hand
    repeats: float  # share of fresh runs that say the same
    interval: tuple[float, float]  # of that share, at 95 %
    shares: dict[int, dict[str, float]]  # factor of seeds -> verdict -> share
    seeds: int  # in hand
    needed: float  # least number of seeds at which WANTED of fresh runs decide alike; inf: more
    data: dict[str, str]  # digests of the data in hand, by experiment
    bands: str  # digest of the bands and options


def redraw(
    data: Mapping[str, xr.Dataset], factor: float, generator: np.random.Generator
) -> dict[str, xr.Dataset]:
    """Draw a fresh experiment from the seeds in hand, with `factor` times as many.

    Seeds are drawn among those that were run alike: in the same experiments, at the same N, K and
    settings. Those that are drawn twice get seeds of their own. Theory has no seeds and stays.
    """
    trained = {role: dataset for role, dataset in data.items() if "run" in dataset.dims}
    experiments = {dataset.attrs["experiment"]: dataset for dataset in trained.values()}
    runs: dict[int, dict[str, np.ndarray]] = {}  # seed -> experiment -> its runs
    for name, dataset in experiments.items():
        seeds = dataset["seed"].values
        for seed in np.unique(seeds).tolist():
            runs.setdefault(seed, {})[name] = np.flatnonzero(seeds == seed)
    alike: dict[tuple, list[int]] = {}
    for seed, places in runs.items():
        design = sorted(_design(experiments[name], rows) for name, rows in places.items())
        alike.setdefault(tuple(design), []).append(seed)
    drawn = [
        seed
        for group in alike.values()
        for seed in generator.choice(group, size=max(1, round(factor * len(group)))).tolist()
    ]
    fresh = {}
    for name, dataset in experiments.items():
        chosen = [(new, runs[seed][name]) for new, seed in enumerate(drawn) if name in runs[seed]]
        index = np.concatenate([rows for _, rows in chosen])
        seeds = np.concatenate([np.full(len(rows), new) for new, rows in chosen])
        fresh[name] = dataset.isel(run=index).assign_coords(seed=("run", seeds))
    return {
        role: fresh[dataset.attrs["experiment"]] if role in trained else dataset
        for role, dataset in data.items()
    }


def _design(dataset: xr.Dataset, runs: np.ndarray) -> tuple:
    """Name an experiment with the N, K and settings at which it ran a seed."""
    values = (dataset[key].values[runs].tolist() for key in base.design_keys(dataset))
    return dataset.attrs["experiment"], tuple(sorted(zip(*values, strict=True)))


def power(
    claim: Mapping[str, Any], claim_id: str, data: Mapping[str, xr.Dataset], preset: str, runs: int
) -> Power:
    """Judge fresh runs of a claim's experiments, with as many seeds and with more.

    More seeds are tried until `WANTED` of the runs reproduce the claim, or as many do not. There
    are `runs` for each number of seeds.
    """
    judged_now = claims.evaluate(claim, claim_id, data, preset)
    now, by = judged_now.verdict, (judged_now.data_digests, judged_now.band_digest)
    quick = {**claim, "options": {**claim["options"], **TESTED}}
    digest = hashlib.sha256(claim_id.encode()).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8]))
    trained = [dataset for dataset in data.values() if "run" in dataset.dims]
    if not trained:  # theory has no seeds: it repeats itself
        return Power(claim_id, now, 1.0, (1.0, 1.0), {1: {now: 1.0}}, 0, 0, *by)
    seeds = len(set().union(*(dataset["seed"].values.tolist() for dataset in trained)))
    shares, needed = {}, inf
    for factor in FACTORS:
        judged = Counter(
            claims.evaluate(quick, claim_id, redraw(data, factor, generator), preset).verdict
            for _ in range(runs)
        )
        shares[factor] = {verdict: count / runs for verdict, count in sorted(judged.items())}
        if max(judged[claims.REPRODUCED], judged[claims.NOT_REPRODUCED]) >= WANTED * runs:
            needed = factor * seeds
            break
    repeats = shares[1].get(now, 0.0)
    low, high = binomtest(round(repeats * runs), runs).proportion_ci(method="wilson")
    return Power(claim_id, now, repeats, (float(low), float(high)), shares, seeds, needed, *by)


def table(measured: Iterable[Mapping[str, Any]]) -> str:
    """Write what `power` found, as JSON has it, as a Markdown table."""
    lines = [
        "# How often a fresh run of the same design repeats each verdict",
        "",
        "Fresh runs are drawn from the seeds in hand and judged as the real run was. Seeds "
        f"needed: those with which {WANTED:.0%} of fresh runs reproduce the claim, or as many do "
        f"not; more than {FACTORS[-1]} times those in hand are not tried.",
        "",
        "| claim | verdict | repeats with [95 %] | seeds | seeds needed |",
        "|---|---|---|---|---|",
    ]
    for entry in measured:
        low, high = entry["interval"]
        needed = restored(entry["needed"])
        if needed == inf:
            needed = f"more than {FACTORS[-1] * entry['seeds']}"
        lines.append(
            f"| {entry['claim']} | {entry['verdict']} | {entry['repeats']:.2f} "
            f"[{low:.2f}, {high:.2f}] | {entry['seeds']} | {needed} |"
        )
    return "\n".join(lines) + "\n"
