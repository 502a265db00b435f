"""A training job from its start, or its last checkpoint, to its artifact."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import torch

from icl.engine import checkpoint, training
from icl.job import Job
from icl.store import artifacts


def train_to(
    path: str | os.PathLike,
    job: Job,
    device: torch.device,
    facts: Mapping[str, Any],
    on_progress: Callable[[int, int], None],
    minutes: float = checkpoint.MINUTES,
) -> checkpoint.Checkpoints:
    """Train a job and write its artifact; return what kept its checkpoints.

    Args:
        facts: of `provenance.gather`, from before training: a commit during a long run is not the
            code that runs.
        on_progress: see `training.train`.
        minutes: between checkpoints.

    Raises:
        Interrupted: if a signal asked the process to end; the next call goes on from there.
    """
    of_attempt = {key: value for key, value in facts.items() if key != "git_diff"}
    folder = checkpoint.folder_of(path)
    with checkpoint.Checkpoints(folder, job, minutes, of_attempt) as checkpoints:
        record = training.train(job, device, on_progress, checkpoints)
    attempts = json.dumps(checkpoints.attempts)
    whole = {**facts, "attempts": attempts, "wall_seconds": round(checkpoints.seconds, 3)}
    artifacts.write(artifacts.job_dataset(record, job, whole), path)
    return checkpoints
