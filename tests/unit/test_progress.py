"""Progress is read from artifacts and logs as jobs leave them."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from checkout import ROOT
from example_jobs import job
from icl.planning import progress

NOW = 1e9


def line(done):
    """A line as `icl.entry.progress` logs it; its own test holds the two together."""
    return f'2026-01-01 00:00:00,0 INFO icl: progress {{"done": {done}, "total": 100, "left": 4}}\n'


class Results:
    def __init__(self, path):
        self.path = path

    def write(self, kind, name, suffix, text, age=0.0):
        path = self.path / kind / "e" / f"{name}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (NOW - age, NOW - age))

    def finish(self, name, seconds):
        self.write("train", name, ".nc", "")
        self.write("logs/train", name, ".log", line(100))
        self.write("benchmarks/train", name, ".tsv", f"s\th:m:s\n{seconds}\t0\n")


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path)


JOBS = [replace(job(), seeds=(10 * i, 10 * i + 1)) for i in range(4)]
NAMES = [each.name for each in JOBS]


def found(results):
    return progress.of_experiment("e", JOBS, results.path, NOW)


def test_nothing_has_begun(results):
    all_waiting = found(results)
    assert all_waiting.waiting == NAMES
    assert all_waiting.operations_done == 0
    assert progress.hours_left(all_waiting, [all_waiting]) is None


def test_done_running_and_waiting(results):
    results.finish(NAMES[0], 3600)
    results.write("logs/train", NAMES[1], ".log", line(0) + line(50))
    some = found(results)
    assert some.done == [NAMES[0]]
    assert some.running == {NAMES[1]: 0.5}
    assert some.waiting == NAMES[2:]
    assert some.operations_done == pytest.approx(1.5 / 4 * some.operations)
    assert progress.hours_left(some, [some]) == pytest.approx(2.5)


def test_a_log_that_no_longer_grows_or_ends_in_an_error_is_of_a_stopped_job(results):
    results.write("logs/train", NAMES[0], ".log", line(50), age=7200)
    trace = line(50) + "2026 ERROR icl: failed\nTraceback\nValueError: no\n"
    results.write("logs/train", NAMES[1], ".log", trace)
    results.write("logs/train", NAMES[2], ".log", trace + line(60))  # resumed
    why = "2026 WARNING icl.engine.checkpoint: interrupted by SIGINT after step 51\n"
    results.write("logs/train", NAMES[3], ".log", line(50) + why)
    some = found(results)
    assert some.stopped == [*NAMES[:2], NAMES[3]]
    assert some.running == {NAMES[2]: 0.6}


def test_another_experiments_rate_serves_where_there_is_none(results):
    results.finish(NAMES[0], 1800)
    timed, untimed = found(results), progress.Progress(operations=found(results).operations)
    assert progress.hours_left(untimed, [timed, untimed]) == pytest.approx(2.0)


def test_the_table(results, monkeypatch):
    monkeypatch.setattr(progress.time, "time", lambda: NOW)
    results.finish(NAMES[0], 3600)
    results.write("logs/train", NAMES[1], ".log", line(50))
    text = progress.table({"e": JOBS}, results.path)
    row = next(row for row in text.splitlines() if row.startswith("e "))
    assert row.split()[-9:] == ["38%", "1", "1", "0", "2", "1.0", "h", "2.5", "h"]
    assert f"running: e {NAMES[1]}, 50% of its steps" in text


def test_times_below_an_hour_are_in_minutes(results):
    results.finish(NAMES[0], 90)
    row = next(row for row in progress.table({"e": JOBS}, results.path).splitlines() if "█" in row)
    assert row.split()[-4:] == ["2", "min", "4", "min"]


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        (["smoke.yaml"], 0, "transition"),
        (["mark_gaps.yaml"], 1, "none of the files given is a preset"),
        (["mark_gaps.yaml", "smoke.yaml"], 1, "stands before the preset"),
    ],
    ids=["preset", "no preset", "overlay first"],
)
def test_the_command(files, code, said, tmp_path):
    files = [str(ROOT / "config" / name) for name in files]
    command = [sys.executable, ROOT / "scripts/status.py", *files]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said in result.stdout + result.stderr
    assert result.returncode == code
