"""Plan a size before any of it runs: jobs, steps, operations, memory, disk and hours."""

import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from icl.engine import training
from icl.experiment.batches import batches
from icl.experiment.cost import Card, cost
from icl.experiment.cost import together as cost_together
from icl.job import Job, Stop
from icl.models.metrics import metrics_of

SECONDS = 1.0  # of steps that a job's rate is measured over, and at least
LEAST_STEPS = 4
MOST_REPLICATES = 4  # of a job whose rate is measured: a block's rate is that of its replicates
# Of a job in its own artifact and in the collected one, compressed: as in the laptop size.
JOB_BYTES = 50_000
BYTES_PER_NUMBER = 10


@dataclass(frozen=True)
class Row:
    """An experiment's cost; a run that stops early takes less."""

    experiment: str
    jobs: int  # processes, each with a job or several together
    replicate_steps: float  # SGD steps of all replicates
    operations: float  # floating-point operations, or what takes as long
    memory_mb: float  # peak memory of its largest job
    disk_mb: float  # of its artifacts and of the file they are collected in
    core_hours: float  # on this machine, at the rate measured for its smallest and largest job
    gpu_hours: float  # that the GPU that was measured should need (`cost.Card`)
    asked_hours: float  # that a scheduler is asked for, with a GPU a job


def rows(experiments: Mapping[str, Iterable[Job]], together: int | None = None) -> list[Row]:
    """Plan every experiment; measures this machine's rate for each, which takes seconds.

    Args:
        together: the replicates that one process trains, if jobs are put together.
    """
    named = tqdm(experiments.items(), "measuring", leave=False, disable=not sys.stderr.isatty())
    return [_row(name, list(jobs), together) for name, jobs in named]


def _row(name: str, jobs: list[Job], together: int | None) -> Row:
    by_name = {job.name: job for job in jobs}
    costs = [cost_together(by_name[job] for job in batch) for batch in batches(by_name, together)]
    return Row(
        experiment=name,
        jobs=len(costs),
        replicate_steps=sum(map(replicate_steps, jobs)),
        operations=sum(found.operations for found in costs),
        memory_mb=max(found.memory_mb for found in costs),
        disk_mb=sum(map(disk_bytes, jobs)) / 1e6,
        core_hours=core_hours(jobs),
        gpu_hours=sum(found.gpu_seconds for found in costs) / 3600,
        asked_hours=sum(found.gpu_minutes for found in costs) / 60,
    )


def replicate_steps(job: Job) -> int:
    """Count the steps of all replicates of a job."""
    return len(job.seeds) * job.steps


def disk_bytes(job: Job) -> float:
    """Estimate what a job's record takes, in its own artifact and in the collected one."""
    numbers = len(job.seeds) * len(job.evaluation.at(job.steps)) * len(metrics_of(job))
    return JOB_BYTES + BYTES_PER_NUMBER * numbers


def core_hours(jobs: list[Job]) -> float:
    """Estimate an experiment's time on one core, from its smallest and its largest job's rate.

    Between those two, the seconds of a replicate-step are taken as linear in its operations.
    """

    def operations(job: Job) -> float:
        return cost(job).operations / replicate_steps(job)

    ends = [min(jobs, key=operations), max(jobs, key=operations)]
    known = [operations(job) for job in ends]
    if known[0] == known[1]:
        known, ends = known[:1], ends[:1]
    seconds = [seconds_per_replicate_step(job) for job in ends]
    of_step = np.interp([operations(job) for job in jobs], known, seconds)
    return float(np.dot(of_step, [replicate_steps(job) for job in jobs])) / 3600


def seconds_per_replicate_step(job: Job) -> float:
    """Measure a replicate-step of a job on one core, its share of the evaluations included."""
    seeds = job.seeds[:MOST_REPLICATES]
    never = Stop("never", None, None, None)
    torch.set_num_threads(1)
    ensemble = training.Ensemble(replace(job, seeds=seeds, stop=never), torch.device("cpu"))
    ensemble.train_step(0)  # makes its buffers, and compiles
    ensemble.evaluate(0)
    start, done = time.perf_counter(), 0
    while done < LEAST_STEPS or time.perf_counter() - start < SECONDS:
        done += 1
        ensemble.train_step(done)
    of_step = (time.perf_counter() - start) / done
    start = time.perf_counter()
    ensemble.evaluate(done)
    of_evaluation = time.perf_counter() - start
    evaluations = len(job.evaluation.at(job.steps))
    return (of_step + of_evaluation * evaluations / job.steps) / len(seeds)


def table(size: str, planned: list[Row], cores: int) -> str:
    """Lay a plan out for a terminal; jobs will share the cores."""
    head = ("experiment", "jobs", "replicate-steps", "operations", "memory", "disk")
    lines: list[tuple[str, ...]] = [(*head, "core hours", "GPU hours", "asked")]
    for row in [*planned, _total(planned)]:
        lines.append(
            (
                row.experiment,
                f"{row.jobs:,}",
                _short(row.replicate_steps),
                _short(row.operations),
                f"{row.memory_mb:,.0f} MB",
                f"{row.disk_mb:,.1f} MB",
                f"{row.core_hours:,.2f}",
                f"{row.gpu_hours:,.2f}",
                f"{row.asked_hours:,.2f}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]
    text.insert(1, "-" * len(text[0]))
    wall = _total(planned).core_hours / cores
    return "\n".join(
        [
            f"Plan of size {size}: at most this; runs that stop early take less.",
            "",
            *text,
            "",
            f"memory: of the largest job. core hours: at the rate measured just now; on {cores} "
            f"cores {wall:,.2f} hours. Theory, analysis and figures are not counted.",
            f"GPU hours: estimated for an {Card().name}, on which the estimate was measured to "
            "20 %; asked: of a scheduler, for cards three times as slow, and 10 minutes a job.",
        ]
    )


def _total(planned: list[Row]) -> Row:
    rows = [vars(row) for row in planned]
    sums = {name: sum(row[name] for row in rows) for name in rows[0] if name != "experiment"}
    return Row("all", **{**sums, "memory_mb": max(row["memory_mb"] for row in rows)})


def _short(value: float) -> str:
    """Write a count in two or three digits: 1.2e+09 as 1.2 G."""
    for unit, size in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"
