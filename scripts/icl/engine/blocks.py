"""Training jobs from their start, or their last checkpoint, to their artifacts."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save

from icl.engine import checkpoint, together, training
from icl.engine.checkpoint import Checkpoints
from icl.job import Job
from icl.record import Record
from icl.store import artifacts, files

PathLike = str | os.PathLike


def train_to(
    path: PathLike,
    job: Job,
    device: torch.device,
    facts: Mapping[str, Any],
    on_progress: Callable[[int, int], None],
    minutes: float = checkpoint.MINUTES,
    weights: Iterable[PathLike] = (),
) -> Checkpoints:
    """Train a job and write its artifact; return what kept its checkpoints.

    `facts` are of `provenance.gather`, from before training: a commit during a long run is not the
    code that runs. `minutes` are between checkpoints. `weights` are files of safetensors to write,
    each named by the step whose weights it holds: .../1000.safetensors, .../end.safetensors.

    Raises:
        Interrupted: if a signal asked the process to end; the next call goes on from there.
    """
    paths = {Path(path).stem: path for path in weights}
    with _checkpoints(path, job, facts, minutes) as kept:
        record = training.train(job, device, on_progress, kept, paths)
    _write(path, job, record, kept, facts, paths)
    return kept


def train_all_to(
    paths: Sequence[PathLike],
    jobs: Sequence[Job],
    device: torch.device,
    facts: Mapping[str, Any],
    on_progress: Callable[[int, int], None],
    minutes: float = checkpoint.MINUTES,
    weights: Sequence[Iterable[PathLike]] = (),
) -> list[Checkpoints]:
    """Train jobs that are alike as `train_to` does: together on a GPU, one after another elsewhere.

    A job alone is trained as `train_to` does: the joint step knows neither Adam nor a hold. On a
    CPU a few replicates are as fast as many. There `on_progress` is told as large a share of the
    longest job's steps as is done of all.

    Args:
        weights: the files of each job.

    Raises:
        Interrupted: likewise; jobs that have ended have their artifacts.
    """
    weights = weights or [()] * len(jobs)
    if device.type == "cuda" and len(jobs) > 1:
        return train_together_to(paths, jobs, device, facts, on_progress, minutes, weights)
    longest, whole = max(job.steps for job in jobs), sum(job.steps for job in jobs)
    before, kept = 0, []
    for path, job, of_job in zip(paths, jobs, weights, strict=True):

        def on_part(done: int, left: int, before: int = before) -> None:
            on_progress((before + done) * longest // whole, left)

        kept.append(train_to(path, job, device, facts, on_part, minutes, of_job))
        before += job.steps
    return kept


def train_together_to(
    paths: Sequence[PathLike],
    jobs: Sequence[Job],
    device: torch.device,
    facts: Mapping[str, Any],
    on_progress: Callable[[int, int], None],
    minutes: float,
    weights: Sequence[Iterable[PathLike]],
) -> list[Checkpoints]:
    """Train jobs that are alike together, on any device; see `train_all_to`."""
    facts = {**facts, "replicates_together": sum(len(job.seeds) for job in jobs)}
    files_of = [{Path(path).stem: path for path in of_job} for of_job in weights]
    runs = [training.Run(job, device, of_job) for job, of_job in zip(jobs, files_of, strict=True)]
    with ExitStack() as stack:
        kept = [
            stack.enter_context(_checkpoints(path, job, facts, minutes))
            for path, job in zip(paths, jobs, strict=True)
        ]
        for run, own in zip(runs, kept, strict=True):
            own.resume(run.restore)

        def on_end(place: int) -> None:
            run, own = runs[place], kept[place]
            run.end()
            own.save(run.steps, run.state(), final=True)
            _write(paths[place], jobs[place], run.record(), own, facts, files_of[place])

        together.train(runs, kept, device, on_progress, on_end)
    return kept


def _checkpoints(path: PathLike, job: Job, facts: Mapping[str, Any], minutes: float) -> Checkpoints:
    of_attempt = {key: value for key, value in facts.items() if key != "git_diff"}
    return Checkpoints(checkpoint.folder_of(path), job, minutes, of_attempt)


def _write(
    path: PathLike,
    job: Job,
    record: Record,
    kept: Checkpoints,
    facts: Mapping[str, Any],
    weights: Mapping[str, PathLike],
) -> None:
    """Write a job's weights and its artifact."""
    identity = json.dumps(job.identity(), sort_keys=True)
    for when, of_then in record.weights.items():
        files.write_bytes(save(of_then, {"job": identity}), weights[when])
    attempts = json.dumps(kept.attempts)
    whole = {**facts, "attempts": attempts, "wall_seconds": round(kept.seconds, 3)}
    artifacts.write(artifacts.job_dataset(record, job, whole), path)
