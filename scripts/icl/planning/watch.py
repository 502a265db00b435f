"""Watch a run by what is logged of it: a line of status, figures as they come, and how it ended."""

import errno
import logging
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm
from tqdm.contrib import DummyTqdmFile

from icl.experiment.yaml_files import ROOT, from_here
from icl.job import Job
from icl.planning import progress
from icl.text import count_text, duration_text

LINE_SECONDS = 5.0  # between two lines on a terminal, each in the place of the one before
PLAIN_SECONDS = 60.0  # and elsewhere, below each other
MOST_LOGS = 3  # named where many jobs failed
FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


class Watch(logging.Handler):
    """Takes note of a run's events, as Snakemake's logger has them, and tells of them.

    Attributes:
        failed: the log files of jobs that failed, by number.
        stopped: whether somebody stopped the run.
        full: whether a disk had no room left.
        locked: whether another run, or one that was killed, holds the lock.
    """

    def __init__(
        self, experiments: Mapping[str, Iterable[Job]], results: Path, log: logging.Logger
    ):
        super().__init__()
        self.experiments, self.results, self.log = experiments, results, log
        self.left: dict[str, dict[str, Job]] = {}  # jobs that are to be trained, by experiment
        self.n_jobs = 0
        self.begun: dict[int, Any] = {}  # the events of jobs that run, by number
        self.failed: dict[int, list[str]] = {}
        self.stopped = self.full = self.locked = False
        self._first: tuple[float, float] | None = None  # a time, and the share trained by then
        self._over = threading.Event()
        self._writer: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of one event; whatever goes wrong here, the run goes on."""
        try:
            self._note(record)
        except Exception:
            self.handleError(record)

    def _note(self, record: logging.LogRecord) -> None:
        event: Any = record  # whose attributes depend on what it is of
        match getattr(record, "event", None):
            case "run_info":
                self._start(event.stats)
            case "job_info":
                self.begun[event.jobid] = event
            case "job_finished":
                job = self.begun.pop(event.job_id, None)
                self.failed.pop(event.job_id, None)  # an earlier attempt
                if job is not None and job.rule_name.startswith("draw_"):
                    self.log.info(f"Drawn: {next(p for p in job.output if p.endswith('.png'))}")
            case "job_error":
                self.begun.pop(event.jobid, None)
                self.failed[event.jobid] = list(event.log)
                self.full |= any(words in _last_words(path) for path in event.log for words in FULL)
        text = str(record.msg)
        self.stopped |= "on user request" in text
        if record.levelno >= logging.ERROR:
            self.full |= any(words in text for words in FULL)
            self.locked |= "cannot be locked" in text

    def _start(self, planned: Mapping[str, int]) -> None:
        """Begin to write lines of status if any jobs of training are planned, by rule."""
        for name, jobs in self.experiments.items():
            own = f"train_{name}"
            if any(rule == own or rule.startswith(f"{own}_together_") for rule in planned):
                trained = self.results / "train" / name
                missing = {
                    job.name: job for job in jobs if not (trained / f"{job.name}.nc").exists()
                }
                self.left[name] = missing
                self.n_jobs += len(missing)
        if self.n_jobs:
            self._writer = threading.Thread(target=self._write_lines, daemon=True)
            self._writer.start()

    def _write_lines(self) -> None:
        on_terminal = (
            handler
            for handler in self.log.handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream.isatty()
        )
        if (handler := next(on_terminal, None)) is None:
            self._repeat(PLAIN_SECONDS, self.log.info)
            return
        terminal = handler.stream
        # What is logged meanwhile goes above the line.
        with tqdm(bar_format="{desc}", file=terminal, leave=False) as shown:
            handler.setStream(DummyTqdmFile(terminal))
            width = shutil.get_terminal_size().columns - 1
            self._repeat(LINE_SECONDS, lambda line: shown.set_description_str(line[:width]))
            handler.setStream(terminal)

    def _repeat(self, seconds: float, write: Callable[[str], None]) -> None:
        while not self._over.wait(seconds):
            with suppress(OSError, ValueError):  # a file that is being written, or was taken away
                write(self.line())

    def line(self) -> str:
        """Say how far training is, how long it still takes, and what runs."""
        now = time.time()
        found = {
            name: progress.of_experiment(name, jobs.values(), self.results, now)
            for name, jobs in self.left.items()
        }
        done = sum(len(each.done) for each in found.values())
        total = sum(each.operations for each in found.values())
        share = sum(each.operations_done for each in found.values()) / total
        text = f"{share:.0%} trained, {done} of {self.n_jobs} jobs"
        since, before = self._first = self._first or (now, share)
        if share > before:
            left = (now - since) * (1 - share) / (share - before)
            text += f", some {duration_text(left)} left"
        running = [
            f"{name} N={job.context_length} K={count_text(job.n_items)} {each.running[key]:.0%}"
            for name, each in found.items()
            for key, job in self.left[name].items()
            if key in each.running
        ]
        others = {event.rule_name for event in self.begun.values()}
        running += sorted(rule for rule in others if not rule.startswith("train_"))
        return f"{text}; now {', '.join(running)}" if running else text

    def say_what_failed(self, command: str, files: Iterable[Path]) -> None:
        """End the lines of status, and print as last words what `after_a_failure` says."""
        self._over.set()
        if self._writer:
            self._writer.join()
        if text := after_a_failure(self, command, files):
            print(f"\n{text}", file=sys.stderr)


def after_a_failure(watch: Watch, command: str, files: Iterable[Path]) -> str:
    """Tell in one paragraph what ended a run before its end, what is kept and what to type next.

    "" where nothing did that the run itself has not told. The files are the preset and its
    overlays.
    """
    again = f"the same command goes on from there:\n    {command}"
    if watch.locked:
        return (
            "Another run works in this folder, or one was killed before it could remove its lock. "
            "All that finished is kept. If no other snakemake runs here, type\n"
            f"    snakemake --unlock\nThen {again}"
        )
    if watch.full:
        return (
            f"The disk is full: {Path.cwd()}. All that finished is kept, and nothing half-written "
            f"is; training goes on from its last checkpoints. Make room. Then {again}"
        )
    if watch.stopped:
        return (
            "The run was stopped by hand. All that finished is kept, and jobs in training saved a "
            f"checkpoint; {again}"
        )
    if not watch.failed:
        return ""
    jobs = "1 job" if len(watch.failed) == 1 else f"{len(watch.failed)} jobs"
    logs = [log for paths in watch.failed.values() for log in paths]
    more = f" and {len(logs) - MOST_LOGS} more" if len(logs) > MOST_LOGS else ""
    marked = " ".join(map(str, [*files, from_here(ROOT / "config/mark_gaps.yaml")]))
    return (
        f"{jobs} failed; what needs none of them was made and is kept. The logs say why: "
        f"{', '.join(logs[:MOST_LOGS])}{more}. Mend that. Then {again}\n"
        "To draw figures and decide claims now, with the gaps marked:\n"
        f"    snakemake all --configfile {marked}"
    )


def _last_words(log: str) -> str:
    """Read what a job's log says of its last attempt's failure, "" if there is none."""
    path = Path(log)
    if not path.is_file():
        return ""
    return path.read_text(encoding="utf-8", errors="replace").rpartition("ERROR icl: failed")[2]
