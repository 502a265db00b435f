"""Where a number comes from: commit, versions, device, time."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "torch",
    "numpy",
    "numba",
    "scipy",
    "pandas",
    "xarray",
    "netCDF4",
    "matplotlib",
    "snakemake",
)


def _git(*arguments: str) -> str:
    try:
        result = subprocess.run(
            ("git", *arguments),
            cwd=Path(__file__).parent,
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
    root = Path(__file__).resolve().parents[2]
    top = _git("rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != root:
        return {"git_revision": "unknown", "git_dirty": -1}
    changed = _git("status", "--porcelain", "--", "scripts", "workflow", "config", "Snakefile")
    return {"git_revision": _git("rev-parse", "HEAD"), "git_dirty": int(bool(changed))}


def gather(**extra: str | float) -> dict[str, str | float | int]:
    """Collect the facts that a reader needs to trace an artifact.

    Args:
        **extra: facts that the caller knows: rule, wildcards, device, wall_seconds.

    Returns:
        Flat attributes, numbers and strings.
    """
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
