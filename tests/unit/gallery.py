"""Figures drawn from the committed data and verdicts of docs/gallery."""

import json
from dataclasses import replace
from functools import cache
from unittest import mock

import yaml
from checkout import ROOT
from icl import figures
from icl.experiment import grid
from icl.figures import style
from icl.job import SETTINGS
from icl.store import artifacts
from icl.verdicts import Verdict

GALLERY = ROOT / "docs/gallery"
# What a size shares with another, to the last setting, is in that one's gallery.
KINDS = ("collected", "theory")
SHARED = {"extended": "laptop", "study": "laptop", "laptop": "laptop", "beyond": "beyond"}
DRAWN = {
    "laptop": [*(f"fig{n}" for n in range(1, 9)), *(f"figA{n}" for n in range(1, 9))],
    "extended": [
        *(f"fig{n}" for n in (2, 3, 5, 6, 7, 8)),
        *(f"figA{n}" for n in (2, 3, 4, 6, 7, 8)),
        *("figB3", "figB4"),
    ],
    "study": ["figB2", "figB3", "figB4"],
    "beyond": ["figB5", "figB6", "figB7", "figB8", "figB9", "figB10", "figB11"],
}
EVERY = [(size, name) for size, names in DRAWN.items() for name in names]


@cache
def config(size="laptop"):
    """The figures of the paper, of the study and beyond it, by name, as a size has them."""
    names = ["claims", "study_claims", "beyond_claims"] + ["extended"] * (size == "extended")
    files = (ROOT / f"config/{name}.yaml" for name in names)
    return grid.merge(*(yaml.safe_load(path.read_text("utf-8"))["figures"] for path in files))


@cache
def verdicts(size):
    entries = json.loads((GALLERY / size / "claims.json").read_text(encoding="utf-8"))
    return {entry["id"]: Verdict.from_json(entry) for entry in entries}


@cache
def dataset(size, name):
    folders = (GALLERY / one / kind for one in (size, SHARED[size]) for kind in KINDS)
    return artifacts.read(next(p for f in folders if (p := f / f"{name}.nc").exists()))


def one_seed(runs):
    """Keep the first run at each setting."""
    settings = [name for name in (*SETTINGS, "context_length", "n_items") if name in runs.coords]
    kept = runs[settings].to_dataframe().reset_index(drop=True).drop_duplicates(settings).index
    return runs.isel(run=kept)


@cache
def draw(size, name, page="text", missing=(), bare=False):
    """Draw a figure for a kind of page; `missing` names blocks that all its trained data lack.

    If `bare`, the data are one seed at each setting, and nothing could be computed from them.
    """
    data = {role: dataset(size, of) for role, of in config(size)[name]["experiments"].items()}
    found = verdicts(size)
    if bare:
        nothing = {"details": {}, "estimates": {}, "halves": []}
        found = {claim: replace(verdict, **nothing) for claim, verdict in found.items()}
        data = {role: one_seed(runs) if "run" in runs.dims else runs for role, runs in data.items()}
    if missing:
        listed = {"missing_blocks": json.dumps(missing)}
        trained = {role: runs for role, runs in data.items() if "run" in runs.dims}
        data |= {role: runs.assign_attrs(listed) for role, runs in trained.items()}
    with mock.patch.object(style, "PAGE", page):
        figure = figures.load(name).draw(data, found)
        figure.draw_without_rendering()
    return figure
