"""A run is watched by its events: a line of status, figures as they come, why it ended."""

import errno
import io
import logging
import os
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest
from example_jobs import job
from icl.planning import watch

JOBS = [replace(job(), seeds=(10 * i, 10 * i + 1)) for i in range(4)]
COMMAND, FILES = "make all PRESET=smoke", ["config/smoke.yaml", "my.yaml"]


@pytest.fixture
def log():
    """A logger of its own; its handlers go with it."""
    logger = logging.Logger("a run", logging.INFO)
    logger.addHandler(logging.StreamHandler(io.StringIO()))
    return logger


@pytest.fixture
def run(tmp_path, log):
    """A run that is watched, with the events that Snakemake would log."""
    seen = watch.Watch({"e": JOBS, "idle": JOBS}, tmp_path, log)
    log.addHandler(seen)

    def tell(event, text=None, level=logging.INFO, **attributes):
        log.log(level, text, extra={"event": event, **attributes})

    def said():
        return log.handlers[0].stream.getvalue()

    def begins(rule, number, output=()):
        tell("job_info", rule_name=rule, jobid=number, output=list(output))

    def fails(number, *logs):
        error = {"rule_name": "train_e", "jobid": number, "log": list(map(str, logs))}
        tell("job_error", "Error", logging.ERROR, **error)

    yield SimpleNamespace(
        seen=seen, tell=tell, said=said, begins=begins, fails=fails, path=tmp_path, log=log
    )
    seen.say_what_failed(COMMAND, FILES)  # ends its thread


def write(run, kind, name, text, suffix):
    path = run.path / kind / "e" / f"{name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def trains(run, which, share):
    text = f'2026 INFO icl: progress {{"done": {int(100 * share)}, "total": 100, "left": 4}}\n'
    write(run, "logs/train", JOBS[which].name, text, ".log")


def finishes(run, which):
    write(run, "train", JOBS[which].name, "", ".nc")


def test_the_line_says_how_far_how_long_still_and_what_runs(run, monkeypatch):
    now = [1e9]
    monkeypatch.setattr(watch, "time", SimpleNamespace(time=lambda: now[0]))
    monkeypatch.setattr(watch.progress, "SILENT_SECONDS", 1e12)
    finishes(run, 3)  # before the run, which does not count it
    run.tell("run_info", stats={"train_e": 3, "draw_fig2": 1, "total": 4})
    run.begins("train_e", 1)
    trains(run, 0, 0.3)  # from a checkpoint: not done in this run's time
    assert run.seen.line() == "10% trained, 0 of 3 jobs; now e N=4 K=16 30%"
    now[0] += 600
    finishes(run, 0)
    trains(run, 1, 0.5)
    run.begins("draw_fig2", 2)
    line = "50% trained, 1 of 3 jobs, some 12.5 min left; now e N=4 K=16 50%, draw_fig2"
    assert run.seen.line() == line


def test_jobs_that_train_together_count_even_if_the_first_batch_is_done(run):
    run.tell("run_info", stats={"train_e_together_1": 1, "total": 1})
    assert run.seen.n_jobs == len(JOBS)


def test_a_run_that_trains_nothing_has_no_line(run, monkeypatch):
    monkeypatch.setattr(watch, "PLAIN_SECONDS", 0.01)
    run.tell("run_info", stats={"draw_fig2": 1, "total": 1})
    assert run.seen.n_jobs == 0
    assert run.seen._writer is None


def test_the_run_goes_on_where_watching_it_fails(run, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    run.tell("job_finished")  # of no job
    run.tell("job_error", "Error", logging.ERROR, jobid=1, log=[str(run.path)])  # no file
    assert "Error" in run.said()


def test_a_figure_is_named_once_it_is_drawn(run):
    pictures = ["results/smoke/figures/fig2.pdf", "results/smoke/figures/fig2.png"]
    run.begins("draw_fig2", 7, pictures)
    run.begins("collect", 8, ["results/smoke/collected/e.nc"])
    assert "Drawn" not in run.said()
    run.tell("job_finished", job_id=7)
    run.tell("job_finished", job_id=8)
    assert [line for line in run.said().splitlines() if "Drawn" in line] == [
        "Drawn: results/smoke/figures/fig2.png"
    ]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(run, monkeypatch, stream):
    """What a stream has after lines of status before and after a message."""
    run.log.handlers[0].setStream(stream)
    for seconds in ("LINE_SECONDS", "PLAIN_SECONDS"):
        monkeypatch.setattr(watch, seconds, 0.005)
    written, line = threading.Semaphore(0), run.seen.line
    monkeypatch.setattr(run.seen, "line", lambda: written.release() or line())

    def wait_for_lines():
        while written.acquire(blocking=False):
            pass
        assert all(written.acquire(timeout=60) for _ in range(3))

    run.tell("run_info", "Job stats", stats={"train_e": 4})
    wait_for_lines()
    run.log.info("Finished jobid: 3")
    wait_for_lines()
    run.seen.say_what_failed(COMMAND, FILES)
    return stream.getvalue()


def test_on_a_terminal_one_line_is_written_over_and_messages_stay_above_it(run, monkeypatch):
    terminal = Terminal()
    text = shown(run, monkeypatch, terminal)
    assert "\r0% trained, 0 of 4 jobs" in text
    assert "\rFinished jobid: 3\n" in text
    assert text.count("\n") == 2  # of the messages alone
    assert text.endswith("\r")  # the line is gone
    assert run.log.handlers[0].stream is terminal


def test_a_line_is_never_wider_than_the_terminal(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    text = shown(run, monkeypatch, Terminal())
    assert "0% trained, 0 of 4 " in text
    assert "0 of 4 j" not in text


def test_elsewhere_lines_are_plain(run, monkeypatch):
    text = shown(run, monkeypatch, io.StringIO())
    assert "0% trained, 0 of 4 jobs\n" in text
    assert "Finished jobid: 3\n" in text
    assert "\r" not in text


def last_words(run):
    return watch.after_a_failure(run.seen, COMMAND, FILES)


def test_a_run_that_ends_well_has_no_last_words(run):
    run.begins("train_e", 1)
    run.tell("job_finished", job_id=1)
    assert last_words(run) == ""


def test_failed_jobs_are_counted_with_their_logs(run):
    for number in range(5):
        run.fails(number, f"{number}.log")
    text = last_words(run)
    assert text.startswith("5 jobs failed; ")
    assert "0.log, 1.log, 2.log and 2 more." in text
    assert f"    {COMMAND}\n" in text
    assert text.endswith("--configfile config/smoke.yaml my.yaml config/mark_gaps.yaml")


def test_a_job_that_succeeds_at_a_later_attempt_has_not_failed(run):
    run.begins("train_e", 1)
    run.fails(1, "1.log")
    run.begins("train_e", 1)
    run.tell("job_finished", job_id=1)
    assert last_words(run) == ""


def test_a_stop_by_hand_is_no_failure_though_jobs_end_in_one(run):
    run.tell(None, "Terminating processes on user request, this might take some time.")
    run.fails(1, "1.log")
    text = last_words(run)
    assert text.startswith("The run was stopped by hand. ")
    assert text.endswith(f"\n    {COMMAND}")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_found_in_a_failed_jobs_log(run, number):
    path = run.path / "e.log"
    path.write_text(f"2026 ERROR icl: failed\nTraceback\nOSError: {os.strerror(number)}: 'e.nc'\n")
    run.fails(1, path)
    text = last_words(run)
    assert text.startswith("The disk is full")
    assert text.endswith(f"\n    {COMMAND}")


def test_a_full_disk_that_ended_an_earlier_attempt_is_not_blamed_for_this_one(run):
    path = run.path / "e.log"
    failed = "2026 ERROR icl: failed\n"
    path.write_text(f"{failed}OSError: {watch.FULL[0]}\n{failed}ValueError: no such K\n")
    run.fails(1, path)
    assert last_words(run).startswith("1 job failed; ")


def test_a_full_disk_that_snakemake_meets_itself_is_named(run):
    run.tell("error", f"OSError: [Errno 28] {watch.FULL[0]}", logging.ERROR)
    assert last_words(run).startswith("The disk is full")


def test_a_lock_says_how_to_take_it_off(run):
    run.tell("error", "Error: Directory cannot be locked. Please make sure", logging.ERROR)
    text = last_words(run)
    assert "    snakemake --unlock\n" in text
    assert text.endswith(f"\n    {COMMAND}")
