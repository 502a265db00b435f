"""From a figure or a dataset back to what it was made from, by what the file itself says."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import PIL.Image
import pypdf
import xarray as xr

from icl.store import artifacts, provenance


class TraceError(RuntimeError):
    """A file does not say where it comes from."""


def metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a PDF or PNG file; raise `TraceError` if it cannot be read."""
    try:
        if path.suffix == ".pdf":
            found: Mapping[str, Any] = pypdf.PdfReader(path).metadata or {}
            return {key.lstrip("/"): str(value) for key, value in found.items()}
        with PIL.Image.open(path) as image:
            return {str(key): str(value) for key, value in image.info.items()}
    except (OSError, pypdf.errors.PyPdfError) as error:
        raise TraceError(f"{path}: cannot be read ({error})") from error


def trace(path: Path) -> str:
    """Say where a figure (.pdf, .png) or a dataset (.nc) comes from.

    Of a figure's data, the files beside it (../collected, ../theory) give the differences from the
    commit, and are compared with what the figure was drawn from. A file that is not there, is of
    another kind, or carries no facts raises `TraceError`.
    """
    if not path.is_file():
        raise TraceError(f"{path}: there is no such file")
    if path.suffix == ".nc":
        attributes = artifacts.read(path).attrs
        lines = [f"{path}: {attributes['title']}", *_dataset(provenance.summary(attributes))]
        return "\n".join([*lines, *_diffs(attributes)])
    if path.suffix not in (".pdf", ".png"):
        raise TraceError(f"{path}: not a .pdf, .png or .nc file")
    found = metadata(path)
    try:
        facts = json.loads(found["Subject"])
        drawn = facts["drawn"]
    except (KeyError, TypeError, ValueError) as error:
        text = "carries no facts; only figures of this project, redrawn by its present version, do"
        raise TraceError(f"{path}: {text}") from error
    bands = dict(
        word.rsplit(".bands=") for word in found["Keywords"].split(", ") if ".bands=" in word
    )
    lines = [f"{path}: {found['Title']}", f"size {facts['preset']}"]
    for claim, verdict in facts["claims"].items():
        lines.append(f"claim {claim}: {verdict}; bands and options {bands.get(claim, 'unknown')}")
    for name, summary in facts["datasets"].items():
        lines += ["", f"data {name}", *_dataset(summary), *_beside(path, name, summary)]
    return "\n".join([*lines, "", f"drawn at {drawn['commit']}", f"  with {drawn['versions']}"])


def _dataset(summary: Mapping[str, Any]) -> Iterator[str]:
    """Lay out `provenance.summary`."""
    yield f"  digest {summary['data']}"
    for commit in summary["commits"]:
        yield f"  commit {commit}"
    for diff in summary["diffs"]:
        yield f"  differs from the commit by {diff}"
    for versions in summary["versions"]:
        yield f"  versions {versions}"
    device = ", ".join([*summary["devices"], *summary["platforms"]])
    yield f"  device {device}"
    for arithmetic in summary.get("arithmetic", ()):
        yield f"  arithmetic {arithmetic}"
    jobs = f"{summary['jobs']} jobs" if summary["jobs"] > 1 else "1 job"
    when = " to ".join(dict.fromkeys(summary["started"]))
    yield f"  {jobs}, begun {when}, {summary['wall_seconds']:,.1f} s in all"


def _beside(figure: Path, name: str, summary: Mapping[str, Any]) -> Iterator[str]:
    """Look at the dataset's file in the figure's own results, if it is there."""
    size = figure.resolve().parents[1]
    paths = [size / folder / f"{name}.nc" for folder in ("collected", "theory")]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        yield f"  its file is not beside the figure (looked for {name}.nc)"
        return
    with xr.open_dataset(path) as dataset:
        attributes = dict(dataset.attrs)
    same = attributes.get("data_digest") == summary["data"]
    yield f"  file {path.relative_to(size.parent)}" + ("" if same else ": OTHER DATA by now")
    if same:
        yield from _diffs(attributes)


def _diffs(attributes: Mapping[str, Any]) -> Iterator[str]:
    """Give the differences from the commit that a dataset was made with, whole where they fit."""
    diffs = json.loads(attributes.get("git_diffs", "{}"))
    if "git_diff" in attributes:
        diffs[attributes["git_diff_digest"]] = attributes["git_diff"]
    for digest, diff in diffs.items():
        yield f"  difference {digest}:"
        yield from (f"    {line}" for line in diff.splitlines())
