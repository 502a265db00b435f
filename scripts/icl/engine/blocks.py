"""A training job from its start, or its last checkpoint, to its artifact."""

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save

from icl.engine import checkpoint, training
from icl.job import Job
from icl.store import artifacts, files


def train_to(
    path: str | os.PathLike,
    job: Job,
    device: torch.device,
    facts: Mapping[str, Any],
    on_progress: Callable[[int, int], None],
    minutes: float = checkpoint.MINUTES,
    weights: Iterable[str | os.PathLike] = (),
) -> checkpoint.Checkpoints:
    """Train a job and write its artifact; return what kept its checkpoints.

    `facts` are of `provenance.gather`, from before training: a commit during a long run is not the
    code that runs. `minutes` are between checkpoints. `weights` are files of safetensors to write,
    each named by the step whose weights it holds: .../1000.safetensors, .../end.safetensors.

    Raises:
        Interrupted: if a signal asked the process to end; the next call goes on from there.
    """
    of_attempt = {key: value for key, value in facts.items() if key != "git_diff"}
    folder = checkpoint.folder_of(path)
    with checkpoint.Checkpoints(folder, job, minutes, of_attempt) as checkpoints:
        paths = {Path(path).stem: path for path in weights}
        record = training.train(job, device, on_progress, checkpoints, paths)
    identity = json.dumps(job.identity(), sort_keys=True)
    for when, kept in record.weights.items():
        files.write_bytes(save(kept, {"job": identity}), paths[when])
    attempts = json.dumps(checkpoints.attempts)
    whole = {**facts, "attempts": attempts, "wall_seconds": round(checkpoints.seconds, 3)}
    artifacts.write(artifacts.job_dataset(record, job, whole), path)
    return checkpoints
