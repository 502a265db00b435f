"""Throwaway checkouts in which the real Snakemake runs."""

import fcntl
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
FILES = ("Snakefile", "Makefile", "CITATION.cff")
PARTS = (*FILES, "workflow", "config", "scripts", "envs", "profiles", "slurm")
# One step of each model: of one layer at finite K and at infinity, which draw by other loops.
COMPILE = """
import dataclasses, pathlib, sys
import torch
from icl.experiment import grid
from icl.engine import training
from icl.experiment import validation
smoke = validation.load_yaml(pathlib.Path(sys.argv[1]))
for name in ("transition", "acquisition", "minimal_transition", "two_layer", "memorisation"):
    job = grid.expand(smoke["defaults"], smoke["experiments"][name])[0]
    training.train(dataclasses.replace(job, steps=1), torch.device("cpu"))
"""


@functools.cache
def compile_loops() -> None:
    """Compile the loops that train, once, for every checkout has a copy of what was compiled."""
    with open(ROOT / "scripts/icl/kernels/compiled.py", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [sys.executable, "-c", COMPILE, ROOT / "config/smoke.yaml"]
        subprocess.run(command, cwd=ROOT / "scripts", check=True)


class Checkout:
    """A copy of the workflow in a folder of its own."""

    def __init__(self, path: Path):
        compile_loops()
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_symlink():
                (path / part).symlink_to(os.readlink(source))
            elif source.is_dir():
                shutil.copytree(source, path / part, ignore=shutil.ignore_patterns("*.pyc"))
            else:
                shutil.copy2(source, path / part)

    def snakemake(
        self,
        *arguments: str,
        preset: str = "smoke",
        check: bool = True,
        environment: dict[str, str] | None = None,
        timeout: float = 1800,
    ):
        """Run Snakemake; arguments that name a .yaml file go to --configfile."""
        overlays = [a for a in arguments if a.endswith(".yaml")]
        others = [a for a in arguments if a not in overlays]
        command = [sys.executable, "-m", "snakemake", *others]
        command += ["--configfile", f"config/{preset}.yaml", *overlays]
        result = subprocess.run(
            command,
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        result.output = result.stdout + result.stderr
        if check:
            assert result.returncode == 0, result.output
        return result

    def make(self, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess:
        """Run make as after an installation, with what is installed here."""
        (self.path / ".venv").mkdir(exist_ok=True)
        (self.path / ".venv/installed").touch()
        command = [
            "make",
            "--no-print-directory",
            "-o",
            ".venv/installed",
            f"BIN={Path(sys.executable).parent}",
        ]
        return subprocess.run(
            [*command, *arguments],
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
        )

    def planned(self, *arguments: str, **options) -> dict[str, int]:
        """Return how many jobs of each rule a dry run lists; training's rules count as one."""
        output = self.snakemake("--dry-run", *arguments, **options).output
        counts, reading = {}, False
        for line in output.splitlines():
            words = line.split()
            if words[:2] == ["job", "count"]:
                reading = True
            elif reading and len(words) == 2 and words[1].isdigit():
                name = "train" if words[0].startswith("train_") else words[0]
                counts[name] = counts.get(name, 0) + int(words[1])
            elif reading and not words:
                break
        return counts

    def shrink(
        self, experiments: Collection[str], preset: str = "smoke", theory: bool = False
    ) -> None:
        """Make a preset the smoke size, cut to some experiments and what they alone decide.

        What the theory alone decides is left out unless asked for: it takes longer than they do.
        """
        smoke, claims, predictions = (
            yaml.safe_load((self.path / f"config/{name}.yaml").read_text(encoding="utf-8"))
            for name in ("smoke", "claims", "theory")
        )
        smoke["experiments"] = {name: smoke["experiments"][name] for name in sorted(experiments)}
        known = set(experiments) | (set(predictions["theory"]) if theory else set())
        for kind in ("claims", "figures"):
            claims[kind] = {
                name: entry
                for name, entry in claims[kind].items()
                if set(entry["experiments"].values()) <= known
                and set(entry.get("claims", ())) <= set(claims["claims"])
            }
        self.write(f"config/{preset}.yaml", yaml.safe_dump({**smoke, "preset": preset}))
        self.write("config/claims.yaml", yaml.safe_dump(claims))

    def write(self, name: str, text: str) -> str:
        """Write a file; return its name."""
        (self.path / name).write_text(text, encoding="utf-8")
        return name
