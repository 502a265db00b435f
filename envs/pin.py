#!/usr/bin/env python3
"""Solve the environments of this folder, and write each as a list of packages with digests.

    python envs/pin.py [--channel conda-forge] [FOLDER]

Where there is an `envs/train.linux-64.pin.txt`, Snakemake installs what it lists, and solves
nothing. CONDA_OVERRIDE_CUDA says what GPU driver the machines will have (docs/environments.md).
"""

import argparse
import asyncio
from collections.abc import Iterable
from pathlib import Path

import yaml
from rattler import Channel, Gateway, RepoDataRecord, Subdir, VirtualPackage, solve
from rattler import VirtualPackageOverrides as Overrides

HERE = Path(__file__).parent


def explicit(records: Iterable[RepoDataRecord]) -> str:
    """Write solved packages as conda's explicit list: addresses, with MD5 digests."""
    lines = sorted(f"{record.url}#{record.md5.hex()}" for record in records)
    return "\n".join(["@EXPLICIT", *lines, ""])


def main() -> None:
    """Solve and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=HERE, help="where to write")
    parser.add_argument("--channel", default="conda-forge", help="a name or an address")
    given, subdir = parser.parse_args(), Subdir.current()
    for path in sorted(HERE.glob("*.yaml")):
        records = asyncio.run(
            solve(
                [Channel(given.channel)],
                yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"],
                platforms=[subdir, Subdir("noarch")],
                virtual_packages=VirtualPackage.detect(Overrides.from_env()),
                gateway=Gateway(),
            )
        )
        pinned = given.folder / f"{path.stem}.{subdir}.pin.txt"
        pinned.write_text(explicit(records), encoding="utf-8")
        print(f"{pinned}: {len(records)} packages")


if __name__ == "__main__":
    main()
