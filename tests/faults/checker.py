"""What the tiny size of any_order.py must hold, read with netCDF4, numpy, json and zipfile alone.

It shares no reader with the library, and knows no digest, seal or stamp. Which runs there are it
works out by its own formula, from N, K and the seeds of an overlay.
"""

import json
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import netCDF4
import numpy as np

NAME = re.compile(r"N(\d+)_K(\d+)_seeds(\d+)-(\d+)_[0-9a-f]{12}[.]nc")
UNMEASURED = ("theory_time",)  # follows from the step
STAMP = "content_digest"


def runs_of(length: int, items: list[int], first: int, count: int) -> set[tuple[int, int, int]]:
    """List the runs (N, K, seed) that an overlay asks for."""
    return {(length, k, seed) for k in items for seed in range(first, first + count)}


def values_of(source: Path | bytes) -> dict[tuple[int, int, int], dict[str, np.ndarray]]:
    """Read a job's artifact or a collected dataset: the numbers of each run, by (N, K, seed)."""
    name, memory = ("memory", source) if isinstance(source, bytes) else (str(source), None)
    with netCDF4.Dataset(name, memory=memory) as file:
        file.set_auto_mask(False)
        read = {name: np.array(v[:]) for name, v in file.variables.items() if v.dtype is not str}
        over = {name: variable.dimensions for name, variable in file.variables.items()}
    seeds, found = read["seed"], {}
    for row, seed in enumerate(seeds):
        values = {}
        for name, numbers in read.items():
            if name not in UNMEASURED and numbers.dtype.kind in "fiu" and numbers.ndim:
                per_run = over[name][0] in ("seed", "run")
                values[name] = (numbers[row] if per_run else numbers).astype(float)
        n, k = (
            int(np.broadcast_to(read[c], seeds.shape)[row]) for c in ("context_length", "n_items")
        )
        assert (n, k, int(seed)) not in found, "a run is there twice"
        found[n, k, int(seed)] = values
    return found


class Checker:
    """Compares what is on the disk with an undisturbed run.

    Attributes:
        runs: every run's numbers, of the overlay with the most runs.
        verdicts: the verdict of each overlay, by the overlay's runs.
    """

    def __init__(self) -> None:
        self.runs: dict = {}
        self.verdicts: dict[frozenset, dict] = {}

    def learn(self, results: Path, runs: set) -> None:
        """Take an undisturbed run for what is right."""
        for path in results.glob("train/*/*.nc"):
            self.runs |= values_of(path)
        self.verdicts[frozenset(runs)] = verdict(next(results.glob("analysis/*.json")))

    def faults(self, results: Path, is_excused) -> list[str]:
        """List what is neither an undisturbed run's nor absent; some files may be excused."""
        found = []
        for path in sorted(p for p in results.rglob("*") if p.is_file() and not is_excused(p)):
            where = str(path.relative_to(results))
            try:
                found += [f"{where}: {fault}" for fault in self._of_file(path)]
            except Exception as error:  # whatever cannot be read is no value
                found.append(f"{where}: {error!r}")
        return found

    def _of_file(self, path: Path):
        if path.suffix == ".nc":
            yield from self._of_numbers(path, path.name)
        elif path.parent.name == "analysis" and path.suffix == ".json":
            yield from self._of_verdict(verdict(path))
        elif path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if name.endswith(".nc"):
                        yield from self._of_numbers(archive.read(name), name)
                    elif "/analysis/" in name:
                        yield from self._of_verdict(verdict(archive.read(name)))

    def _of_numbers(self, source: Path | bytes, name: str):
        runs = values_of(source)
        if named := NAME.fullmatch(name):
            n, k, first, last = map(int, named.groups())
            if set(runs) != runs_of(n, [k], first, last - first + 1):
                yield f"holds the runs {sorted(runs)}"
        elif frozenset(runs) not in self.verdicts:
            yield f"holds the runs of no overlay, {sorted(runs)}"
        for run, values in runs.items():
            yield from self._of_run(run, values)

    def _of_run(self, run: tuple, values: dict):
        expected = self.runs.get(run)
        if expected is None or set(values) - set(expected) - SETTINGS:
            yield f"the run {run} with {sorted(values)} is none of the undisturbed"
            return
        for name, right in expected.items():
            if name in values and not np.array_equal(values[name], right, equal_nan=True):
                yield f"{name} of the run {run} is not that of the undisturbed"
            elif name not in values:
                yield f"{name} of the run {run} is missing"

    def _of_verdict(self, found: dict):
        if found not in self.verdicts.values():
            yield "is the verdict of no undisturbed run"

    def lacking(self, results: Path, wanted: set) -> list[str]:
        """List what a finished size lacks of the runs that are wanted."""
        found, trained = [], set()
        for path in results.glob("train/*/*.nc"):
            if is_of(path, wanted):
                trained |= set(values_of(path))
        if (results / "train").is_dir() and trained != wanted:
            found.append(f"trained are {sorted(trained)}, not {sorted(wanted)}")
        made = [*results.glob("collected/*.nc"), *results.glob("analysis/*.json")]
        if len(made) != 2:
            found.append(f"there are only {made}")
        return found + self.foreign(made, wanted)

    def foreign(self, paths: Iterable[Path], wanted: set) -> list[str]:
        """Name the collected data and verdicts that are of other runs than those wanted."""
        found = []
        for path in paths:
            if path.suffix == ".nc":
                is_right = set(values_of(path)) == wanted
            else:
                is_right = verdict(path) == self.verdicts[frozenset(wanted)]
            found += [] if is_right else [f"{path.name} is of other runs"]
        return found


def is_of(path: Path, wanted: set) -> bool:
    """Tell whether a file is, by its name, of runs that are wanted."""
    named = NAME.fullmatch(path.name)
    n, k, first, last = map(int, named.groups()) if named else (0, 0, 0, 0)
    return not named or runs_of(n, [k], first, last - first + 1) <= wanted


def verdict(source: Path | bytes) -> dict:
    """Read a verdict without its stamp."""
    text = source if isinstance(source, bytes) else source.read_bytes()
    return {key: value for key, value in json.loads(text).items() if key != STAMP}


# What a collected dataset has of a run beside its measurements.
SETTINGS = {
    *("context_length", "n_items", "learning_rate", "mlp_learning_rate", "attention_decay"),
    *("beta_decay", "w_decay", "mlp_decay", "beta_shift", "zipf_exponent", "theory_time"),
    *("copies", "label_noise", "method", "precision"),
}
