"""The file of results that the benchmarks write and `report.py` reads: one section each."""

import json
import os
import platform
from importlib import metadata
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "numba", "jax")


def about() -> dict[str, str]:
    """Say on what was measured, and how busy the machine is (the load, by then, counts us too)."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    vectors = torch.backends.cpu.get_cpu_capability().replace("AVX512", "AVX-512")
    return {
        "processor": f"one core, {platform.machine()} with {vectors}",
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "load": f"{os.getloadavg()[1]:.1f} on {os.cpu_count()} cores",
    }


def update(path: Path, section: str, content: dict) -> None:
    """Replace one section of a file, which need not exist."""
    whole = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    whole[section] = {"about": about(), **content}
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
