"""Word what a figure or its caption says of its data: their setting, and what is missing."""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from icl.job import SETTINGS
from icl.store import provenance
from icl.text import counts_text
from icl.verdicts import Verdict

MOST_NAMED = 3  # blocks that are missing
LINE_CHARACTERS = {1: 42, 2: 70}  # that fit in a line below a figure


def _facts(dataset: xr.Dataset) -> list[str]:
    """List what a reader must know of data: size, architecture, grid, optimiser, replicates."""
    jobs = json.loads(dataset.attrs["jobs"])

    def every(*path: str) -> str:
        values = []
        for job in jobs:
            for key in path:
                job = job.get(key)
            values.append(job)
        known = (str(value) for value in values if value is not None)  # a model may lack a key
        return ", ".join(dict.fromkeys(known))

    cells = np.stack([dataset["context_length"].values, dataset["n_items"].values])
    keys = [cells, *(_ranks(dataset[name].values) for name in SETTINGS if name in dataset.coords)]
    counts = np.unique(np.unique(np.vstack(keys), axis=1, return_counts=True)[1])
    seeds = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    alone, lengths = every("model", "mlp_input"), counts_text(dataset["context_length"].values)
    attend_to, affine = every("model", "attend_to"), every("model", "layernorm_affine")
    return [
        f"size {dataset.attrs['preset']}",
        *([f"attend_to: {attend_to}"] if attend_to else []),
        *([f"LayerNorm {'with' if affine == 'True' else 'without'} affine"] if affine else []),
        *([f"MLP alone, {alone} items"] if alone else [f"N = {lengths}"]),
        f"K = {counts_text(dataset['n_items'].values)}",
        f"D = {every('model', 'item_dim')}",
        f"d = {every('model', 'hidden_dim')}",
        f"rate {every('optimiser', 'learning_rate')}",
        f"batch {every('optimiser', 'batch_size')}",
        "1 seed each" if seeds == "1" else f"{seeds} seeds each",
    ]


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def setting(dataset: xr.Dataset) -> str:
    """Name the setting that data were measured in, for a caption."""
    return "; ".join(_facts(dataset))


def other_model(dataset: xr.Dataset, main: xr.Dataset) -> str:
    """Say that a panel's model is not of the width of the figure's others, "" if it is."""
    widths = [json.loads(one.attrs["jobs"])[0]["model"]["hidden_dim"] for one in (dataset, main)]
    return "" if widths[0] == widths[1] else f", $d$ = {widths[0]}"


def missing(dataset: xr.Dataset) -> list[tuple[int, float]]:
    """List (N, K) of the blocks that are missing from the data, each once."""
    names = json.loads(dataset.attrs["missing_blocks"])
    found = (re.match(r"N(\d+)_K(\d+|inf)_", name) for name in names)
    return sorted({(int(m[1]), float(m[2])) for m in found if m})


def gap(dataset: xr.Dataset | Iterable[xr.Dataset], columns: int) -> str:
    """Say which blocks are missing from data or from any of several, "" if none is.

    Of many the first few are named, and how many more there are.
    """
    datasets = [dataset] if isinstance(dataset, xr.Dataset) else dataset
    missing_of = (json.loads(one.attrs["missing_blocks"]) for one in datasets)
    names = list(dict.fromkeys(name for listed in missing_of for name in listed))
    if not names:
        return ""
    short = ", ".join(name.rsplit("_", 1)[0] for name in names[:MOST_NAMED])
    if more := len(names[MOST_NAMED:]):
        short += f", and {more} more"
    text = f"Gap: {len(names)} block{'s' if len(names) > 1 else ''} missing ({short})"
    return "\n".join(textwrap.wrap(text, LINE_CHARACTERS[columns]))


def metadata(
    name: str,
    title: str,
    preset: str,
    datasets: Mapping[str, xr.Dataset],
    verdicts: Iterable[Verdict],
) -> dict[str, Any]:
    """Say in a figure's file what it was drawn from: not when, so that equal figures are equal."""
    verdicts, drawing = list(verdicts), provenance.gather()
    facts = {
        "figure": name,
        "preset": preset,
        "claims": {verdict.id: verdict.verdict for verdict in verdicts},
        "datasets": {of: provenance.summary(dataset.attrs) for of, dataset in datasets.items()},
        "drawn": {"commit": provenance.commit(drawing), "versions": drawing["versions"]},
    }
    return {
        "Title": f"{name}: {title}",
        "Subject": json.dumps(facts, sort_keys=True),
        "Keywords": [
            *(f"{of}.data={dataset.attrs['data_digest']}" for of, dataset in datasets.items()),
            *(f"{verdict.id}.bands={verdict.band_digest}" for verdict in verdicts),
        ],
    }
