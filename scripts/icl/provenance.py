"""Where a number comes from: commit, versions, device, time."""

import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

PACKAGES = ("torch", "numpy", "numba", "scipy", "xarray", "netCDF4", "snakemake")


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
        "git_revision": _git("rev-parse", "HEAD") or "unknown",
        "git_dirty": int(bool(_git("status", "--porcelain", "--untracked-files=no"))),
        "versions": " ".join(f"{name}={version}" for name, version in versions.items()),
        "platform": f"{platform.system()} {platform.machine()}",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **extra,
    }
