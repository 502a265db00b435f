"""Checkpoints: an interrupted job goes on from its last one, to the same bits.

`training.Run.state` says what is saved; random streams are stateless, so nothing else is needed. A
checkpoint is one file: a line that names the format, the SHA-256 of the rest, and an npz archive of
plain arrays. It is checked before it is unpacked, without unpickling. The last two are kept, so
that a damaged one costs minutes. They outlive the job, until its experiment is collected.
"""

import hashlib
import io
import json
import logging
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from icl.job import Job, job_name
from icl.store import files, provenance

log = logging.getLogger(__name__)

State = dict[str, np.ndarray]

MINUTES = 5.0  # between checkpoints, if the configuration has no `checkpoint_minutes`
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
SUFFIX = ".checkpoint"
_MAGIC = b"icl-race checkpoint 1 "
_START = len(_MAGIC) + 64 + 1  # where the archive starts, after the digest
_HEADER = "header"


class CheckpointError(RuntimeError):
    """A checkpoint is damaged, or not this job's."""


class Interrupted(SystemExit):
    """The process was asked to end, and a checkpoint was saved; its exit code says failure."""


def interrupted(why: str, step: int, is_saved: bool) -> Interrupted:
    """Say what ended the process, in the log too."""
    kept = "its checkpoint is saved" if is_saved else "NO checkpoint could be saved now"
    message = (
        f"interrupted by {why} after step {step}; {kept}, and the same job, started again, "
        "goes on from its last one"
    )
    log.warning("%s", message)
    return Interrupted(message)


def folder_of(artifact: str | os.PathLike) -> Path:
    """Name a job's folder of checkpoints: results/x/train/e/j.nc -> results/x/checkpoints/e/j."""
    artifact = Path(artifact)
    return artifact.parents[2] / "checkpoints" / artifact.parent.name / artifact.stem


def remove(artifact: str | os.PathLike) -> None:
    """Remove a job's checkpoints, once its artifact has been read and no rule will redo it.

    Not earlier: a Snakemake that is killed before it has noted the job's success deletes the
    artifact and runs the job again, which then ends at once.
    """
    folder = folder_of(artifact)
    shutil.rmtree(folder, ignore_errors=True)
    for parent in folder.parents[:2]:  # the experiment's and checkpoints/ itself, when empty
        with suppress(OSError):
            parent.rmdir()


def encode(state: State, header: Mapping[str, Any]) -> memoryview:
    """Pack a state into the bytes of a checkpoint."""
    buffer = io.BytesIO(bytes(_START))
    buffer.seek(_START)
    arrays: dict[str, Any] = {_HEADER: np.asarray(json.dumps(header)), **state}
    np.savez(buffer, **arrays)
    data = buffer.getbuffer()  # no copy: a state may be large
    data[:_START] = _first_line(data[_START:])
    return data


def _first_line(payload: memoryview) -> bytes:
    return _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n"


def decode(data: bytes) -> tuple[State, dict[str, Any]]:
    """Check and unpack the bytes of a checkpoint; refuse with `CheckpointError`."""
    if not data.startswith(_MAGIC):
        raise CheckpointError("it is empty, damaged or no checkpoint")
    payload = memoryview(data)[_START:]
    if data[:_START] != _first_line(payload):
        raise CheckpointError("it was cut short or damaged: its contents do not match its digest")
    with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
        state = dict(archive)
    return state, json.loads(state.pop(_HEADER).item())


class Checkpoints:
    """The checkpoints of one job: saved every few minutes and when a signal asks to end.

    As a context manager, it handles signals.

    Args:
        folder: `folder_of` the job.
        minutes: between two checkpoints; 0: one at every step.
        facts: JSON-able facts of this attempt, kept with the numbers that it makes.

    Attributes:
        attempts: the facts and the first step of each attempt at the job, the last one's last.
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        job: Job,
        minutes: float = MINUTES,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.identity = Path(folder), job.identity()
        self.interval = 60 * minutes
        self.attempts: list[dict[str, Any]] = [{"from_step": 0, **(facts or {})}]
        self.saved, self.seconds_saving = 0, 0.0
        self._before, self._start = 0.0, time.monotonic()
        self._next = self._start + self.interval
        self._good: set[Path] = set()  # the newest that is known to be whole
        self._signal: str | None = None
        self._parent = os.getppid()

    def __enter__(self) -> "Checkpoints":
        self._handlers = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def _note(self, number: int, _) -> None:
        self._signal = signal.Signals(number).name

    @property
    def seconds(self) -> float:
        """Seconds spent on the job, in earlier attempts too."""
        return self._before + time.monotonic() - self._start

    def resume(self, restore: Callable[[State], None]) -> None:
        """Restore the newest state that is whole and this job's, if there is one.

        `restore` raises ValueError, before it changes anything, if the state's shapes are wrong.
        """
        refused = 0
        for path in sorted(self.folder.glob(f"*{SUFFIX}"), reverse=True):
            try:
                state, header = decode(path.read_bytes())
                self._check(header["job"])
                restore(state)
            except (CheckpointError, ValueError, OSError) as error:
                log.warning("checkpoint %s is refused: %s", path, error)
                refused += 1
                continue
            self._good = {path}
            self._before = header["seconds"]
            self.attempts[0]["from_step"] = header["step"]
            self.attempts = header["attempts"] + self.attempts
            log.info("going on from step %d, by checkpoint %s", header["step"], path)
            before, now = map(provenance.arithmetic, self.attempts[-2:])
            if before and now and before != now:
                log.warning("the arithmetic was that of %s; from here on it is %s", before, now)
            return
        if refused:
            log.warning("none of %d checkpoints can be used: starting from step 0", refused)

    def _check(self, identity: dict[str, Any]) -> None:
        if identity == self.identity:
            return
        theirs, ours = identity.get("numerics"), self.identity["numerics"]
        if theirs != ours:
            raise CheckpointError(f"it is of numerics version {theirs}, this code's is {ours}")
        raise CheckpointError(f"it is of another job, {job_name(identity)}")

    @property
    def asked_by(self) -> str | None:
        """What asked the process to end, if anything did."""
        if os.getppid() != self._parent:
            return "the end of the process that started it"
        return self._signal

    def after_step(self, step: int, state: Callable[[], State]) -> None:
        """Save the state if it is time to; raise `Interrupted` if the process was asked to end."""
        if why := self.asked_by:
            raise interrupted(why, step, self.save(step, state()))
        self.save_if_due(step, state)

    def save_if_due(self, step: int, state: Callable[[], State]) -> None:
        """Save the state if it is time to."""
        if time.monotonic() >= self._next:
            self.save(step, state())

    def save(self, step: int, state: State, final: bool = False) -> bool:
        """Save a state, drop all but the one before (`final`: that too); say if it worked.

        A full or broken disk is logged, and the training goes on: it needs no checkpoint.
        """
        start = time.monotonic()
        path = self.folder / f"{step:012d}{SUFFIX}"
        facts = {"step": step, "seconds": self.seconds, "attempts": self.attempts}
        try:
            files.write_bytes(encode(state, {"job": self.identity, **facts}), path)
            keep = {path} if final else {path, *self._good}
            for other in set(self.folder.glob(f"*{SUFFIX}")) - keep:
                other.unlink(missing_ok=True)
            self._good = {path}
            self.saved += 1
            return True
        except OSError as error:
            log.warning("no checkpoint after step %d, the training goes on: %s", step, error)
            return False
        finally:
            now = time.monotonic()
            self.seconds_saving += now - start
            self._next = now + self.interval
