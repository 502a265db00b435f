"""Report how far a size has come, from the files that its jobs leave; nothing is locked."""

import csv
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from icl import entry
from icl.experiment.cost import cost
from icl.job import Job

# A running job writes a line every 30 s, or at every evaluation if those are rarer.
SILENT_SECONDS = 600
_LAST_WORDS = (" ERROR icl: failed", " WARNING icl.engine.checkpoint: interrupted by")


@dataclass
class Progress:
    """How far an experiment has come; operations are those of `icl.experiment.cost`."""

    done: list[str] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)  # name -> share of its steps done
    stopped: list[str] = field(default_factory=list)  # failed, interrupted or silent
    waiting: list[str] = field(default_factory=list)
    operations: float = 0.0
    operations_done: float = 0.0  # running jobs count by their share
    seconds: float = 0.0  # of the finished jobs whose time is recorded
    operations_timed: float = 0.0  # of the same jobs


def of_experiment(name: str, jobs: Iterable[Job], results: Path, now: float) -> Progress:
    """Find out how far an experiment has come, at a time in seconds since the epoch."""
    found = Progress()
    for job in jobs:
        operations = cost(job).operations
        found.operations += operations
        log = results / "logs/train" / name / f"{job.name}.log"
        if (results / "train" / name / f"{job.name}.nc").is_file():
            found.done.append(job.name)
            found.operations_done += operations
            seconds = _seconds(results / "benchmarks/train" / name / f"{job.name}.tsv")
            if seconds is not None:
                found.seconds += seconds
                found.operations_timed += operations
        elif not log.is_file():
            found.waiting.append(job.name)
        elif now - log.stat().st_mtime > SILENT_SECONDS or _ended(_text(log)):
            found.stopped.append(job.name)
        else:
            found.running[job.name] = share = entry.share_done(_text(log))
            found.operations_done += share * operations
    return found


def _text(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _ended(log: str) -> bool:
    """Tell whether a log's last attempt failed or was interrupted: only the reason follows."""
    lines = log.splitlines()
    ends = [i for i, line in enumerate(lines) if any(words in line for words in _LAST_WORDS)]
    return bool(ends) and not any(" INFO " in line for line in lines[ends[-1] :])


def _seconds(benchmark: Path) -> float | None:
    """Read how long a job took, if that was recorded."""
    if not benchmark.is_file():
        return None
    with benchmark.open(encoding="utf-8") as lines:
        return sum(float(row["s"]) for row in csv.DictReader(lines, delimiter="\t"))


def hours_left(found: Progress, everything: Iterable[Progress]) -> float | None:
    """Estimate the hours on one core that an experiment still takes.

    The rate is that of its own finished jobs, else that of all experiments; None without any.
    """
    for sources in ([found], list(everything)):
        seconds = sum(source.seconds for source in sources)
        if seconds:
            rate = sum(source.operations_timed for source in sources) / seconds
            return (found.operations - found.operations_done) / rate / 3600
    return None


def table(experiments: Mapping[str, Iterable[Job]], results: Path) -> str:
    """Lay out the progress of every experiment of results/<size> for a terminal."""
    now = time.time()
    found = {name: of_experiment(name, jobs, results, now) for name, jobs in experiments.items()}
    width = max(map(len, ("experiment", *found)))
    lines = [
        f"{'experiment':{width}}  {'':20}  {'done':>5}  {'running':>7}  {'stopped':>7}  {'left':>5}"
        f"  {'took':>8}  {'to come':>9}"
    ]
    lines.append("-" * len(lines[0]))
    for name, progress in found.items():
        share = progress.operations_done / progress.operations if progress.operations else 1.0
        left = len(progress.waiting) + len(progress.stopped)
        hours = hours_left(progress, found.values())
        to_come = "?" if hours is None else _duration(hours)
        took = _duration(progress.seconds / 3600)
        lines.append(
            f"{name:{width}}  {_bar(share)}  {len(progress.done):>5}  {len(progress.running):>7}  "
            f"{len(progress.stopped):>7}  {left:>5}  {took:>8}  {to_come:>9}"
        )
    lines += ["", "left: jobs not begun, and stopped ones. Times are those of one job at a time."]
    for name, progress in found.items():
        for job, share in progress.running.items():
            lines.append(f"running: {name} {job}, {share:.0%} of its steps")
        lines += [
            f"stopped: {results}/logs/train/{name}/{job}.log says why" for job in progress.stopped
        ]
    return "\n".join(lines)


def _duration(hours: float) -> str:
    """Write a time in hours, or in minutes below one hour."""
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"


def _bar(share: float) -> str:
    """Draw a share in 20 characters, with its percentage at the end."""
    filled = int(share * 15)
    return f"{'█' * filled}{'░' * (15 - filled)} {share:>4.0%}"
