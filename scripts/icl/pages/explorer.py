"""The explorer: every curve of a size in one HTML file, thinned and quantised to stay small.

What is shown follows from the collected data alone: any variable over (run, evaluation) is a curve,
any coordinate over `run` that takes more than one value can be chosen by.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.offline
import xarray as xr

from icl import text
from icl.figures import style
from icl.models import MODELS
from icl.record import StopReason
from icl.store import provenance
from icl.theory import flow

CURVE_BYTES = 5_000_000  # of all curves before base64; the plotting library takes 5 MB more
MOST_POINTS, LEAST_POINTS = 240, 12
NOT_RECORDED = 65535
LEVELS = NOT_RECORDED - 1
COLOURS = 256  # of which values are given some, from the first to the last
MOST_FLOWS = 24  # theory overlays of an experiment
FLOW_POINTS = 150
_CURVE = ("run", "evaluation")
# The rate is among them, for a flow over steps is another at another rate.
_FLOW_SETTINGS = ("context_length", "context_labels", "w_decay", "learning_rate")


def page(template: str, datasets: Mapping[str, xr.Dataset], size: str) -> str:
    """Write the explorer.

    Returns HTML that needs nothing else.

    Args:
        template: workflow/report/explorer.html.
        datasets: experiment -> collected dataset; the page opens on the first.
        size: the preset or its name.
    """
    points = points_per_curve(datasets.values())
    content = {
        "size": size,
        "colours": style.sequence_colours(COLOURS),
        "experiments": [describe(dataset, points) for dataset in datasets.values()],
    }
    written = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return template.replace("@PLOTLY@", plotly.offline.get_plotlyjs()).replace("@DATA@", written)


def curves_of(dataset: xr.Dataset) -> list[str]:
    """List the variables that are curves and not empty, in the order of the file."""
    found = (str(name) for name, array in dataset.data_vars.items() if array.dims == _CURVE)
    return [name for name in found if np.isfinite(dataset[name].values).any()]


def points_per_curve(datasets: Any) -> int:
    """Return how many evaluations of a curve are kept, so that all fit in `CURVE_BYTES`."""
    curves = sum(len(curves_of(dataset)) * dataset.sizes["run"] for dataset in datasets)
    return int(np.clip(CURVE_BYTES // (2 * max(curves, 1)), LEAST_POINTS, MOST_POINTS))


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
    """Turn a collected experiment into JSON-able data.

    Args:
        dataset: the experiment.
        points: evaluations that are kept of each curve at most.
    """
    # A run's evaluations are those up to its last step, which others may have gone on after.
    steps = dataset["step"].transpose(*_CURVE).values
    kept = [np.flatnonzero(np.isfinite(row)) for row in steps]
    kept = [indices[thinned(len(indices), points)] for indices in kept]
    width = max(map(len, kept))

    def take(values: np.ndarray) -> np.ndarray:
        out = np.full((len(kept), width), np.nan)
        for row, indices in enumerate(kept):
            out[row, : len(indices)] = values[row, indices]
        return out

    jobs, of_run = _jobs_of_runs(dataset)
    schedules, schedule = np.unique(take(steps), axis=0, return_inverse=True)
    reasons = {int(reason): reason.name.lower().replace("_", " ") for reason in StopReason}
    return {
        "name": dataset.attrs["experiment"],
        "title": dataset.attrs["title"].partition(": ")[2],
        "points": width,
        "digest": dataset.attrs["data_digest"][:12],
        "curves": {
            name: {
                "title": dataset[name].attrs.get("long_name", name),
                "unit": dataset[name].attrs.get("units", "1"),
                **quantise(take(dataset[name].transpose(*_CURVE).values)),
            }
            for name in curves_of(dataset)
        },
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
        "flows": _flows(dataset),
    }


def _rates(dataset: xr.Dataset) -> list[float]:
    """Return each run's learning rate: theory time over step."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nanmax(dataset["theory_time"].values / dataset["step"].values, axis=1).tolist()


def _choices(dataset: xr.Dataset) -> dict[str, dict[str, Any]]:
    """List what runs can be chosen by: N, K, and whatever else differs between them."""
    titles = {"context_length": "N", "n_items": "K"}
    out = {}
    for name, variable in zip(map(str, dataset.coords), dataset.coords.values(), strict=True):
        if variable.dims != ("run",) or name == "seed":
            continue
        values, of_run = np.unique(variable.values, return_inverse=True)
        if len(values) < 2 and name not in titles:
            continue
        out[name] = {
            "title": titles.get(name, name.replace("_", " ")),
            "values": [text.number_text(value) for value in values.tolist()],
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
        lines.append(
            [
                f"model {identity['model']['name']}, "
                f"D = {identity['model']['item_dim']}, d = {identity['model']['hidden_dim']}",
                f"commit {provenance.commit(fact)}" if "git_revision" in fact else "commit unknown",
                f"device {fact.get('device', 'unknown')}, begun {fact.get('started', '?')}, "
                f"{float(fact.get('wall_seconds', 0)):.0f} s for {len(identity['seeds'])} seeds",
                f"data {fact.get('data_digest', '?')[:12]}",
                fact.get("versions", ""),
            ]
        )
    sizes = [len(identity["seeds"]) for identity in identities]
    return lines, np.repeat(np.arange(len(sizes)), sizes).tolist()


def _flows(dataset: xr.Dataset) -> list[dict[str, Any]]:
    """Integrate the theory's flow from where runs of the minimal model start, if it is recorded.

    The gradient flow of eq. 5 with nothing memorised, which is K = infinity; not where beta is
    decayed, for which the equation has no term.
    """
    if not {"beta", "w"} <= set(curves_of(dataset)):
        return []
    starts = list(_starts(dataset).items())[:MOST_FLOWS]
    return [{"runs": runs, **_flow(dataset.isel(run=runs), start)} for start, runs in starts]


def _starts(dataset: xr.Dataset) -> dict[tuple, list[int]]:
    """Return the runs that the flow describes, by all that it depends on."""
    identities = json.loads(dataset.attrs["jobs"])
    _, of_run = _jobs_of_runs(dataset)
    starts: dict[tuple, list[int]] = {}
    for run, job in enumerate(of_run):
        this = dataset.isel(run=run)
        follows = MODELS[identities[job]["model"]["name"]].follows_theory
        if not follows or float(this["beta_decay"]) > 1e-6:
            continue
        beta0, w0 = float(this["beta"][0]), float(this["w"][0])
        if np.isfinite(beta0 + w0):
            start = (beta0, w0, *(this[name].item() for name in _FLOW_SETTINGS))
            starts.setdefault(start, []).append(run)
    return starts


def _flow(runs: xr.Dataset, start: tuple) -> dict[str, Any]:
    """Integrate the flow from a start for as long as any of its runs was trained."""
    beta0, w0, length, labels, decay, _ = start
    end = float(np.nanmax(runs["theory_time"].values))
    form = "balanced" if labels == "balanced" else "gaussian"
    times = np.linspace(0, end, FLOW_POINTS)
    path = flow.loss_flow(beta0, w0, length, end, form=form, weight_decay=decay, times=times)
    curves = {"time": path.time, "beta": path.beta, "w": path.w}
    return {name: np.round(values, 4).tolist() for name, values in curves.items()}
