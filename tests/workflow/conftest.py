"""Throwaway checkouts in which the real Snakemake runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "Makefile", "workflow", "config", "scripts", "envs", "profiles", "slurm")


class Checkout:
    """A copy of the workflow in a folder of its own."""

    def __init__(self, path: Path):
        self.path = path
        for part in PARTS:
            source = ROOT / part
            if source.is_symlink():
                (path / part).symlink_to(os.readlink(source))
            elif source.is_dir():
                shutil.copytree(source, path / part, ignore=shutil.ignore_patterns("*.pyc"))
            else:
                shutil.copy2(source, path / part)

    def snakemake(self, *arguments: str, preset: str = "smoke", check: bool = True):
        """Run Snakemake; arguments that name a .yaml file go to --configfile."""
        overlays = [a for a in arguments if a.endswith(".yaml")]
        others = [a for a in arguments if a not in overlays]
        command = [sys.executable, "-m", "snakemake", *others]
        command += ["--configfile", f"config/{preset}.yaml", *overlays]
        result = subprocess.run(
            command, cwd=self.path, capture_output=True, text=True, timeout=600, check=False
        )
        result.output = result.stdout + result.stderr
        if check:
            assert result.returncode == 0, result.output
        return result

    def planned(self, *arguments: str, **options) -> dict[str, int]:
        """Return how many jobs of each rule a dry run lists."""
        output = self.snakemake("--dry-run", *arguments, **options).output
        counts, reading = {}, False
        for line in output.splitlines():
            words = line.split()
            if words[:2] == ["job", "count"]:
                reading = True
            elif reading and len(words) == 2 and words[1].isdigit():
                counts[words[0]] = int(words[1])
            elif reading and not words:
                break
        return counts

    def write(self, name: str, text: str) -> str:
        """Write a file; return its name."""
        (self.path / name).write_text(text, encoding="utf-8")
        return name


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A checkout in which the smoke size has run to its end, with its report. Do not change it."""
    checkout = Checkout(tmp_path_factory.mktemp("finished"))
    checkout.snakemake("all")
    checkout.snakemake("--report", "results/smoke/report.html")
    return checkout


@pytest.fixture
def copy_of_finished(finished, tmp_path):
    """A copy of the finished checkout, to be changed at will."""
    target = tmp_path / "copy"
    shutil.copytree(finished.path, target, symlinks=True)
    copy = object.__new__(Checkout)
    copy.path = target
    return copy
