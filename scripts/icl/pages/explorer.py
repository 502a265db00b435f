"""The explorer: every curve and verdict of a size, in one HTML file that needs nothing else."""

import base64
import gzip
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import plotly.offline
import xarray as xr
from matplotlib import colormaps
from matplotlib.colors import to_hex

from icl import text
from icl.pages import curves
from icl.verdicts import NOT_REPRODUCED, REPRODUCED, Criterion, Verdict, plain

# Of viridis, what stands out from a white page, and from a dark one.
SHADES = {"light": (0.0, 0.78), "dark": (0.4, 1.0)}
COLOURS = 64  # of which values are given some, from the first to the last
RACE = {"icl_accuracy", "iwl_accuracy"}


def page(
    parts: Mapping[str, str],
    datasets: Mapping[str, xr.Dataset],
    verdicts: Iterable[Verdict],
    size: str,
) -> str:
    """Write the explorer; `parts` are workflow/report/explorer.{html,css,js}, by suffix."""
    verdicts = list(verdicts)
    points = curves.points_per_curve(datasets.values())
    shades = {theme: np.linspace(*ends, COLOURS) for theme, ends in SHADES.items()}
    content = {
        "size": size,
        "opens": opening(datasets, verdicts),
        "colours": {
            theme: [to_hex(colormaps["viridis"](x)) for x in own] for theme, own in shades.items()
        },
        "experiments": {name: curves.describe(data, points) for name, data in datasets.items()},
        "claims": {text.visible(verdict.id): describe(verdict) for verdict in verdicts},
    }
    written = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    plotting = base64.b64encode(gzip.compress(plotly.offline.get_plotlyjs().encode(), mtime=0))
    filled = parts["html"].replace("@STYLE@", parts["css"]).replace("@SCRIPT@", parts["js"])
    return filled.replace("@PLOTLY@", plotting.decode()).replace("@DATA@", written)


def opening(datasets: Mapping[str, xr.Dataset], verdicts: Iterable[Verdict]) -> str:
    """Choose the experiment that the page opens on.

    It is the one that most claims use, of those that show the race if there are any; of equals the
    first.
    """
    uses = Counter(name for verdict in verdicts for name in verdict.data_digests)
    races = [name for name, data in datasets.items() if {*curves.curves_of(data)} >= RACE]
    return max(races or datasets, key=lambda name: uses[name])


def describe(verdict: Verdict) -> dict[str, Any]:
    """Turn a verdict into JSON-able data, its numbers as such and in words."""
    judged = {criterion.quantity for criterion in verdict.criteria}
    halves = zip(("even", "odd"), verdict.halves, strict=False)
    counts = ("replicates", "censored", "diverged", "missing_blocks")
    found = {
        **{name: getattr(verdict, name) for name in ("statement", "source", "verdict", *counts)},
        "paper": text.number_text(verdict.paper_value),
        "reason": reason(verdict),
        "asides": [*filter(None, (text.tries_text(verdict), text.repeats_text(verdict)))],
        "notes": verdict.notes,
        "experiments": verdict.data_digests,
        "criteria": [_described(criterion) for criterion in verdict.criteria],
        "halves": [
            {"seeds": f"{parity} seeds", "criteria": [_described(x) for x in half["criteria"]]}
            for parity, half in halves
        ],
        "others": {
            quantity: text.measured_text(estimate)
            for quantity, estimate in verdict.estimates.items()
            if quantity not in judged
        },
    }
    return _visible(plain(found))


def _visible(value: Any) -> Any:
    """Write out what is not seen in any text within."""
    if isinstance(value, dict):
        return {_visible(key): _visible(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_visible(entry) for entry in value]
    return text.visible(value) if isinstance(value, str) else value


def _described(criterion: Criterion) -> dict[str, Any]:
    words = {
        "measured": text.measured_text(criterion.estimate),
        "allowed": text.band_text(criterion.band),
    }
    return {**criterion.to_json(), **words}


def reason(verdict: Verdict) -> str:
    """Say why a verdict is what it is."""
    outside = [x.quantity for x in verdict.criteria if x.verdict == NOT_REPRODUCED]
    said = [f"{', '.join(outside)}: the whole interval lies outside the band"] if outside else []
    if verdict.verdict == REPRODUCED:
        said = ["the whole interval of every quantity lies in its band"]
    return "; ".join([*said, *filter(None, [verdict.reason])])
