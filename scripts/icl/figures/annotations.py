"""Word the footers of figures: the setting of the data, and what is missing from them."""

import json
import re
import textwrap
from collections.abc import Iterable, Mapping

import numpy as np
import xarray as xr

from icl.job import SETTINGS
from icl.text import counts_text

FOOTER_CHARACTERS = {1: 62, 2: 130}  # that fit in a line of the footer


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


def _wrapped(parts: Iterable[str], columns: int) -> str:
    unbroken = "; ".join(part.replace(" ", "\N{NO-BREAK SPACE}") for part in parts)
    return "\n".join(textwrap.wrap(unbroken, FOOTER_CHARACTERS[columns]))


def setting(dataset: xr.Dataset, columns: int) -> str:
    """Name the setting that data were measured in, for the footer of so many columns' width."""
    return _wrapped(_facts(dataset), columns)


def settings(
    panels: Mapping[str, xr.Dataset], columns: int, apart: Mapping[str, xr.Dataset] | None = None
) -> str:
    """Name the settings of several panels: once what they share, then what is each one's own.

    Args:
        panels: the data of each panel, by its letter.
        columns: of the figure's width.
        apart: panels of another model, which may lack what the others share.
    """
    facts = {letter: _facts(dataset) for letter, dataset in panels.items()}
    shared = [fact for fact in facts[min(facts)] if all(fact in other for other in facts.values())]
    facts |= {letter: _facts(dataset) for letter, dataset in (apart or {}).items()}
    own: dict[str, list[str]] = {}
    for letter, listed in facts.items():
        text = ", ".join(fact for fact in listed if fact not in shared)
        own.setdefault(text, []).append(letter)
    lines = [f"{', '.join(letters)}: {text}" for text, letters in own.items() if text]
    width = FOOTER_CHARACTERS[columns]
    wrapped = [line for text in lines for line in textwrap.wrap(text, width)]
    return "\n".join([_wrapped(shared, columns), *wrapped])


def missing(dataset: xr.Dataset) -> list[tuple[int, float]]:
    """List (N, K) of the blocks that are missing from the data, each once."""
    names = json.loads(dataset.attrs["missing_blocks"])
    found = (re.match(r"N(\d+)_K(\d+|inf)_", name) for name in names)
    return sorted({(int(m[1]), float(m[2])) for m in found if m})


def gap(dataset: xr.Dataset | Iterable[xr.Dataset], columns: int) -> str:
    """Say which blocks are missing from data or from any of several, "" if none is."""
    datasets = [dataset] if isinstance(dataset, xr.Dataset) else dataset
    missing_of = (json.loads(one.attrs["missing_blocks"]) for one in datasets)
    names = list(dict.fromkeys(name for listed in missing_of for name in listed))
    if not names:
        return ""
    short = ", ".join(name.rsplit("_", 1)[0] for name in names)
    text = f"Gap: {len(names)} block{'s' if len(names) > 1 else ''} missing ({short})"
    return "\n".join(textwrap.wrap(text, FOOTER_CHARACTERS[columns]))
