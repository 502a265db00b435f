"""Measure whether a race foretells which runs acquire ICL, whatever the data are like."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from icl.measurements import base
from icl.measurements.base import Measurement, NotComputableError, statistic

# What a dataset may be like. An MLP alone reads no context, and novel items have no rank.
OF_DATA = ("context_labels", "copies", "label_noise", "zipf_exponent")
OF_CONTEXT = ("context_labels", "copies")
OF_ITEMS = ("label_noise", "zipf_exponent")


@statistic(
    roles="outcomes acquisition memorisation",
    quantities=(
        "skill over_diversity scaled_skill scaled_over_diversity race_score scaled_score "
        "diversity_score constant_score"
    ),
    options=(
        "threshold acquired_above diversity scale confidence resamples seed least_replicates "
        "least_cells"
    ),
)
def any_data(data: dict[str, xr.Dataset], options: dict[str, Any]) -> Measurement:
    """Score the race's probability that a run acquires ICL, in cells of different data.

    A cell is one N, K and kind of data. The race says that a run acquires ICL with the probability
    that t_ICL at K = infinity is shorter than I_K(inf) of the MLP alone, both measured on that kind
    of data, over all pairs of their seeds. Scores are Brier's, means over runs of the square of the
    probability less the outcome, 1 or 0.

    - `race_score`: of that probability, in which nothing is fitted.
    - `scaled_score`: of the same with t_ICL times `scale`, one number of another study.
    - `diversity_score`: of a rival, for which K alone decides: ICL above a threshold at each N,
      which is that of the plain task (`diversity`), and below it none.
    - `constant_score`: of the mean over all runs, whatever the cell.
    - `skill`: 1 less `race_score` over `constant_score`; 1 is perfect, 0 no better than a constant.
    - `over_diversity`: `race_score` less `diversity_score`.
    - `scaled_skill`, `scaled_over_diversity`: the same of `scaled_score`.

    Cells are resampled.

    Source: beyond the paper; equation 12 and section 3.6.
    """
    runs = base.undiverged(data["outcomes"])
    acquired = base.final(runs, "icl_accuracy") > options["acquired_above"]
    keys = _keys(runs, ("context_length", "n_items", *OF_DATA))
    where, place = np.unique(keys, axis=0, return_inverse=True)
    base.require_number(len(where), {"least_replicates": options["least_cells"]}, "cells of data")
    cells = [
        _cell(data, runs.isel(run=np.flatnonzero(place == i)), acquired[place == i], options)
        for i in range(len(where))
    ]
    weights = np.array([cell["replicates"] for cell in cells], float)
    outcome = np.array([cell["acquired"] for cell in cells])
    said = {name: np.array([cell[name] for cell in cells]) for name in ("race", "scaled")}
    said["diversity"] = _by_diversity(cells, options["diversity"])
    drawn = base.resampled(np.zeros(len(cells)), np.arange(len(cells)), options)
    scores = {name: _score(of[drawn], outcome[drawn], weights[drawn]) for name, of in said.items()}
    mean = (outcome * weights)[drawn].sum(1) / weights[drawn].sum(1)
    scores["constant"] = _score(mean[:, None], outcome[drawn], weights[drawn])
    values = {f"{name}_score": of for name, of in scores.items()}
    for name, prefix in (("race", ""), ("scaled", "scaled_")):
        values[f"{prefix}skill"] = 1 - scores[name] / scores["constant"]
        values[f"{prefix}over_diversity"] = scores[name] - scores["diversity"]
    return Measurement(
        estimates={
            name: base.bootstrapped(of, options, seeds=len(cells)) for name, of in values.items()
        },
        replicates=int(weights.sum()),
        diverged=sum(base.count_diverged(runs) for runs in data.values()),
        details={"cells": cells},
    )


def _by_diversity(cells: list[dict[str, Any]], thresholds: list[float]) -> np.ndarray:
    """Return 1 for cells above the threshold of their N, else 0."""
    lengths = np.unique([cell["N"] for cell in cells])
    if len(lengths) != len(thresholds):
        raise NotComputableError(f"{len(lengths)} values of N, {len(thresholds)} of diversity")
    of_n = dict(zip(lengths.tolist(), thresholds, strict=True))
    return np.array([float(cell["K"] > of_n[cell["N"]]) for cell in cells])


def _score(said: np.ndarray, outcome: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Average (p - y)^2 over the runs of cells, a share `outcome` of which has y = 1."""
    of_cell = outcome * (1 - said) ** 2 + (1 - outcome) * said**2
    return (weight * of_cell).sum(-1) / weight.sum(-1)


def _keys(runs: xr.Dataset, names: tuple[str, ...]) -> np.ndarray:
    """Return what tells runs apart, (R, names), as text."""
    return np.stack([runs[name].values.astype(str) for name in names], axis=1)


def _cell(
    data: Mapping[str, xr.Dataset],
    runs: xr.Dataset,
    acquired: np.ndarray,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Foretell the outcomes of the runs of one cell, and count them."""
    first = runs.isel(run=0)
    n, k = int(first["context_length"]), float(first["n_items"])
    kind = {name: first[name].item() for name in OF_DATA}
    least = options["least_replicates"]
    novel = _alike(base.infinite_only(data["acquisition"]), first, ("context_length", *OF_CONTEXT))
    alone = _alike(data["memorisation"], first, ("n_items", *OF_ITEMS))
    for found, what in ((novel, "t_ICL at K = infinity"), (alone, "I_K")):
        if found.sizes["run"] < least:
            raise NotComputableError(f"N = {n}, K = {k:g}, {kind}: {what} is not measured")
    # A run that never acquires ICL, or memorises, is slower than all: its time is the end's.
    t_icl = base.acquisition_time(novel, options).time
    integral = alone["i_recorded"].values
    return {
        "N": n,
        "K": k,
        **kind,
        "replicates": len(acquired),
        "acquired": float(acquired.mean()),
        "race": float((t_icl[:, None] < integral).mean()),
        "scaled": float((options["scale"] * t_icl[:, None] < integral).mean()),
        "ratio": float(np.exp(np.log(integral).mean() - np.log(t_icl).mean())),
    }


def _alike(runs: xr.Dataset, first: xr.Dataset, names: tuple[str, ...]) -> xr.Dataset:
    """Choose the runs that are like `first` in these settings."""
    runs = base.undiverged(runs)
    same = np.logical_and.reduce([runs[name].values == first[name].item() for name in names])
    return base.where(runs, same)
