"""Record where a number comes from: commit, versions, device and time."""

import hashlib
import json
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    *("torch", "numpy", "numba", "scipy", "pandas", "xarray"),
    *("netCDF4", "matplotlib", "snakemake"),
)
# What of the checkout can change a number or a picture.
CODE = ("scripts", "workflow", "config", "Snakefile")
# What can change the last bits of a job's numbers (`icl.engine.machine`).
ARITHMETIC = ("device", "processor", "code_path", "gpu")
ROOT = Path(__file__).resolve().parents[3]  # of the checkout
LONGEST_DIFF = 20_000  # characters of a diff that are kept


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ("git", *arguments),
            cwd=ROOT,  # what pathspecs are relative to
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return result.stdout.strip()


def _revision() -> dict[str, str | int]:
    """Say which commit runs; -1 for dirty where the code is not in a checkout of its own."""
    top = _git("rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != ROOT:
        return {"git_revision": "unknown", "git_dirty": -1}
    revision = {"git_revision": _git("rev-parse", "HEAD")}
    changed = _git("status", "--porcelain", "--", *CODE)
    if not changed:
        return {**revision, "git_dirty": 0}
    new = [line for line in changed.splitlines() if line.startswith("??")]
    diff = "\n".join([*new, _git("diff", "HEAD", "--", *CODE)])
    return {**revision, "git_dirty": 1, "git_diff_digest": _digest(diff), "git_diff": _cut(diff)}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _cut(diff: str) -> str:
    """Keep what of a diff can be kept in every artifact, and say so where it is not all."""
    if len(diff) <= LONGEST_DIFF:
        return diff
    return f"{diff[:LONGEST_DIFF]}\n[{len(diff) - LONGEST_DIFF:,} more characters are not kept]"


def gather(**extra: str | float) -> dict[str, str | float | int]:
    """Collect the facts that a reader needs to trace an artifact, and those the caller knows."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        **_revision(),
        "versions": " ".join(f"{name}={version}" for name, version in versions.items()),
        "platform": f"{platform.system()} {platform.machine()}",
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        **extra,
    }


def summary(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Sum up, as JSON-able facts, where a dataset comes from, however many jobs it holds."""
    runs = json.loads(attributes["provenance"]) if "provenance" in attributes else [attributes]

    def distinct(key: str) -> list[str]:
        return sorted({str(run[key]) for run in runs if run.get(key) not in (None, "")})

    started = distinct("started")
    return {
        "data": attributes["data_digest"],
        "jobs": len(runs),
        "commits": sorted({commit(run) for run in runs}),
        "diffs": distinct("git_diff_digest"),
        "versions": distinct("versions"),
        "platforms": distinct("platform"),
        "devices": distinct("device"),
        "arithmetic": arithmetics(attributes),
        "started": [started[0], started[-1]] if started else [],
        "wall_seconds": round(sum(float(run.get("wall_seconds", 0)) for run in runs), 3),
    }


def arithmetic(facts: Mapping[str, Any]) -> str:
    """Say what did the arithmetic of an attempt at a job; "" where old files do not."""
    if "processor" not in facts:
        return ""
    return ", ".join(str(facts[name]) for name in ARITHMETIC if facts.get(name))


def arithmetics(attributes: Mapping[str, Any]) -> list[str]:
    """List all that did the arithmetic of a job's artifact or of a collected dataset."""
    runs = json.loads(attributes["provenance"]) if "provenance" in attributes else [attributes]
    attempts = [attempt for run in runs for attempt in json.loads(run.get("attempts", "[]"))]
    return sorted({arithmetic(facts) for facts in [*runs, *attempts]} - {""})


def commit(facts: Mapping[str, Any]) -> str:
    """Name the commit that code ran at, and say if it was changed, or if that is not known."""
    how = {0: "", 1: " with changes"}.get(int(facts["git_dirty"]), "")
    return f"{facts['git_revision']}{how}"
