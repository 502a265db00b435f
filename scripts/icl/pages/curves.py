"""The curves of an experiment for the explorer: thinned and quantised, with the theory's beside.

What is shown follows from the data alone: any variable over (run, evaluation) is a curve, any
coordinate over `run` that takes more than one value can be chosen by.
"""

import base64
import json
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import xarray as xr

from icl import text
from icl.models import MODELS
from icl.record import StopReason
from icl.store import provenance
from icl.theory import accuracy, flow, transience
from icl.theory.checks import OutOfRangeWarning

BYTES = 4_000_000  # of all curves before base64, so that the page stays under 10 MB
MOST_POINTS, LEAST_POINTS = 240, 12
NOT_RECORDED = 65535
LEVELS = NOT_RECORDED - 1
CHANCE = 0.5  # of an accuracy: there are two labels
FLOW = "the flow of equation 5 with nothing memorised"
BALANCE = "equation 15, w = W(c3/lambda)"
_CURVE = ("run", "evaluation")
_SHORT = {"context_length": "N", "n_items": "K"}
_FLOW_SETTINGS = ("context_length", "context_labels", "w_decay")
_NO_TERM = "Equation 5 has no term for a decay of beta, or for copies of the target, as here."
_NO_DECAY = 1e-6  # what is below it is only a decay that keeps numbers finite
Curves = dict[str, np.ndarray]  # (run, kept evaluation), NaN where nothing is said


def curves_of(dataset: xr.Dataset) -> list[str]:
    """List the variables that are curves and not empty, in the order of the file."""
    found = (str(name) for name, array in dataset.data_vars.items() if array.dims == _CURVE)
    return [name for name in found if np.isfinite(dataset[name].values).any()]


def points_per_curve(datasets: Iterable[xr.Dataset]) -> int:
    """Return how many evaluations of a curve are kept at most, so that all fit in `BYTES`."""
    sizes = [
        (data.sizes["run"] * len(curves_of(data)), data.sizes["evaluation"]) for data in datasets
    ]
    fitting = (
        points
        for points in range(MOST_POINTS, LEAST_POINTS, -1)
        if 2 * sum(curves * min(points, kept) for curves, kept in sizes) <= BYTES
    )
    return next(fitting, LEAST_POINTS)


def thinned(n: int, points: int) -> np.ndarray:
    """Choose evenly spaced evaluations of n, the first and the last among them."""
    return np.unique(np.linspace(0, n - 1, min(n, points)).round().astype(int))


def quantise(values: np.ndarray) -> dict[str, Any]:
    """Store numbers as 16-bit levels between their ends; what is not finite is marked.

    Returns {low, high, data}: `data` is base64 of little-endian unsigned integers.
    """
    finite = np.isfinite(values)
    low, high = 0.0, 0.0
    if finite.any():
        low, high = float(values[finite].min()), float(values[finite].max())
    span = (high - low) or 1.0
    levels = np.full(values.shape, NOT_RECORDED, dtype="<u2")
    levels[finite] = np.round((values[finite] - low) / span * LEVELS)
    return {"low": low, "high": high, "data": base64.b64encode(levels.tobytes()).decode()}


def describe(dataset: xr.Dataset, points: int) -> dict[str, Any]:
    """Turn a collected experiment into JSON-able data, each curve with at most so many points."""
    # A run's evaluations are those up to its last step, which others may have gone on after.
    steps, last = dataset["step"].transpose(*_CURVE).values, dataset["stop_step"].values
    kept = [np.flatnonzero(row <= end) for row, end in zip(steps, last, strict=True)]
    kept = [indices[thinned(len(indices), points)] for indices in kept]
    width = max(map(len, kept))

    def take(name: str) -> np.ndarray:
        values = dataset[name].transpose(*_CURVE).values
        out = np.full((len(kept), width), np.nan)
        for row, indices in enumerate(kept):
            out[row, : len(indices)] = values[row, indices]
        return out

    jobs, of_run = _jobs_of_runs(dataset)
    schedules, schedule = np.unique(take("step"), axis=0, return_inverse=True)
    reasons = {int(reason): reason.name.lower().replace("_", " ") for reason in StopReason}
    theory, why_not = _theory(dataset, take)
    return {
        "title": text.visible(dataset.attrs["title"].partition(": ")[2]),
        "points": width,
        "digest": text.visible(dataset.attrs["data_digest"][:12]),
        "curves": {
            name: {**_title(dataset[name]), **quantise(take(name))} for name in curves_of(dataset)
        },
        "theory": [
            {"title": title, "curves": {name: quantise(values) for name, values in curves.items()}}
            for title, curves in theory.items()
        ],
        "why_not": why_not,
        "steps": [[None if np.isnan(x) else int(x) for x in row] for row in schedules],
        "choices": _choices(dataset),
        "runs": {
            "seed": dataset["seed"].values.tolist(),
            "rate": _rates(dataset),
            "schedule": schedule.reshape(-1).tolist(),
            "job": of_run,
            "stopped": [reasons[int(x)] for x in dataset["stop_reason"].values],
            "last": dataset["stop_step"].values.astype(int).tolist(),
        },
        "jobs": jobs,
    }


def _title(curve: xr.DataArray) -> dict[str, Any]:
    """Say what a curve is, and what a coin would reach, which is known of accuracies alone."""
    title = text.visible(curve.attrs.get("long_name", str(curve.name)))
    unit = text.visible(curve.attrs.get("units", "1"))
    return {
        "title": title if unit == "1" else f"{title} ({unit})",
        "chance": CHANCE if "accuracy" in title.lower() else None,
    }


def _rates(dataset: xr.Dataset) -> list[float]:
    """Return each run's learning rate: theory time over step."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmax(dataset["theory_time"].values / dataset["step"].values, axis=1).tolist()


def _choices(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    """List what runs can be chosen by: N, K, and whatever else differs between them.

    Of settings that tell the same runs apart, as several decays that are set as one, the first
    stands for all. `address` has the values as the page's address does.
    """
    out: dict[str, dict[str, Any]] = {}
    for name, variable in zip(map(str, dataset.coords), dataset.coords.values(), strict=True):
        if variable.dims != ("run",) or name == "seed":
            continue
        values, of_run = np.unique(variable.values, return_inverse=True)
        alike = any(choice["of_run"] == of_run.tolist() for choice in out.values())
        if name not in _SHORT and (len(values) < 2 or alike):
            continue
        shown = [text.visible(text.number_text(value)) for value in values.tolist()]
        out[_SHORT.get(name, name)] = {
            "title": _SHORT.get(name, text.visible(name.replace("_", " "))),
            "values": shown,
            "address": [value.replace(",", "").replace("∞", "inf") for value in shown],
            "of_run": of_run.tolist(),
        }
    return out


def _jobs_of_runs(dataset: xr.Dataset) -> tuple[list[list[str]], list[int]]:
    """Return each job's provenance in lines of text, and the job of each run.

    Runs stand job by job, in the order of the attributes.
    """
    identities = json.loads(dataset.attrs["jobs"])
    facts = json.loads(dataset.attrs["provenance"])
    lines = []
    for identity, fact in zip(identities, facts, strict=True):
        of_job = [
            f"model {identity['model']['name']}, "
            f"D = {identity['model']['item_dim']}, d = {identity['model']['hidden_dim']}",
            f"commit {provenance.commit(fact)}" if "git_revision" in fact else "commit unknown",
            f"device {fact.get('device', 'unknown')}, begun {fact.get('started', '?')}, "
            f"{float(fact.get('wall_seconds', 0)):.0f} s for {len(identity['seeds'])} seeds",
            f"data {fact.get('data_digest', '?')[:12]}",
            fact.get("versions", ""),
        ]
        lines.append([text.visible(line) for line in of_job])
    sizes = [len(identity["seeds"]) for identity in identities]
    return lines, np.repeat(np.arange(len(sizes)), sizes).tolist()


def _theory(dataset: xr.Dataset, take: Callable[[str], np.ndarray]) -> tuple[dict, str]:
    """Compute what the paper's theory says of an experiment's curves, at their own times.

    Returns title -> curves, and why there are none where there are none. `take` returns a variable
    at the evaluations that are kept.
    """
    names = {job["model"]["name"] for job in json.loads(dataset.attrs["jobs"])}
    recorded = set(curves_of(dataset))
    if not any(MODELS[name].follows_theory for name in names):
        listed = text.visible(", ".join(sorted(names)))
        return (
            {},
            f"The paper's equations give curves of the minimal model; these runs train {listed}.",
        )
    if not {"beta", "w"} <= recorded:
        return {}, "The paper's curves start from a run's own beta and w, not recorded here."
    found = {FLOW: _flow(dataset, take("theory_time"))}
    if "c3" in recorded:
        found[BALANCE] = _balance(dataset, take("c3"))
    found = {title: curves for title, curves in found.items() if curves}
    return found, "" if found else _NO_TERM


def _flow(dataset: xr.Dataset, times: np.ndarray) -> Curves:
    """Integrate the gradient flow of eq. 5 with nothing memorised, which is K = infinity."""
    curves: Curves = defaultdict(lambda: np.full(times.shape, np.nan))
    for (beta0, w0, length, labels, decay), runs in _starts(dataset).items():
        own = times[runs]
        at = np.unique(own[np.isfinite(own)])
        form = "balanced" if labels == "balanced" else "gaussian"
        with warnings.catch_warnings():  # of a start from which ICL is acquired already
            warnings.simplefilter("ignore", OutOfRangeWarning)
            path = flow.loss_flow(
                beta0, w0, length, at[-1], form=form, weight_decay=decay, times=at
            )
        known = {"beta": path.beta, "w": path.w}
        if form == "gaussian":
            known["icl_accuracy"] = accuracy.icl_accuracy_with_mlp(path.beta, path.w, length, 0.0)
        for name, values in known.items():
            curves[name][runs] = np.interp(own, at, values)
    return dict(curves)


def _starts(dataset: xr.Dataset) -> dict[tuple, list[int]]:
    """Return the runs that the flow describes, by all that it depends on.

    None where beta is decayed, or a context has copies of its target, for which the equation has no
    term.
    """
    identities = json.loads(dataset.attrs["jobs"])
    _, of_run = _jobs_of_runs(dataset)
    starts: dict[tuple, list[int]] = defaultdict(list)
    beta, w = (dataset[name].transpose(*_CURVE).values[:, 0] for name in ("beta", "w"))
    settings = [dataset[name].values.tolist() for name in _FLOW_SETTINGS]
    # Files from before the setting do not have it.
    copies = dataset["copies"].values if "copies" in dataset.coords else np.ones(len(of_run))
    for run, job in enumerate(of_run):
        follows = MODELS[identities[job]["model"]["name"]].follows_theory
        if (
            follows
            and copies[run] == 1
            and float(dataset["beta_decay"][run]) <= _NO_DECAY
            and np.isfinite(beta[run] + w[run])
        ):
            starts[beta[run], w[run], *(values[run] for values in settings)].append(run)
    return starts


def _balance(dataset: xr.Dataset, c3: np.ndarray) -> Curves:
    """Return the w at which growth and decay balance (eq. 15), of the runs that decay it."""
    decay = dataset["w_decay"].values
    decayed = (decay > _NO_DECAY) & (dataset["beta_decay"].values <= _NO_DECAY)
    w = np.full(c3.shape, np.nan)
    known = decayed[:, None] & (c3 > 0)
    w[known] = transience.w_tracking(c3[known], np.broadcast_to(decay[:, None], c3.shape)[known])
    return {"w": w} if known.any() else {}
