"""Logs and progress of entry scripts."""

import logging
import warnings

import pytest
from icl import entry


@pytest.fixture(autouse=True)
def restored():
    """Leave logging as it was found: `logged` sets up a process that has nothing else to do."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers, root.level = handlers, level


@pytest.fixture
def path(tmp_path):
    return tmp_path / "logs/of/a/rule.log"


def test_records_and_warnings_go_to_the_rules_log(path):
    with entry.logged(path) as log:
        log.info("%d runs", 3)
        logging.getLogger("icl.engine.training").warning("seed 4 diverged")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn("this is old", DeprecationWarning, stacklevel=1)
    lines = path.read_text().splitlines()
    assert "INFO icl: 3 runs" in lines[0]
    assert "WARNING icl.engine.training: seed 4 diverged" in lines[1]
    assert "this is old" in lines[2]


def test_a_failure_is_logged_with_its_traceback_and_goes_on_up(path):
    with pytest.raises(ValueError, match="no such K"), entry.logged(path):
        raise ValueError("no such K")
    text = path.read_text()
    assert "ERROR icl: failed" in text
    assert "Traceback" in text
    assert "ValueError: no such K" in text


def test_a_log_starts_afresh_unless_earlier_attempts_are_to_stay(path):
    for mode, expected in (("w", ["one"]), ("w", ["two"]), ("a", ["two", "three"])):
        with entry.logged(path, mode=mode) as log:
            log.info(expected[-1])
        assert [line.split(": ")[1] for line in path.read_text().splitlines()] == expected


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand; it starts far from zero, as the real one does."""
    times = [1000.0]
    monkeypatch.setattr(entry.time, "monotonic", lambda: times[0])

    def advance(seconds):
        times[0] += seconds

    return advance


def test_progress_is_logged_at_intervals_and_at_the_end(caplog, clock):
    report = entry.progress(100, logging.getLogger("icl"))
    with caplog.at_level(logging.INFO):
        report(0, 8)
        clock(entry.LINE_INTERVAL / 2)
        report(10, 8)
        clock(entry.LINE_INTERVAL / 2)
        report(20, 7)
        clock(1)
        report(100, 5)
    assert [record.getMessage() for record in caplog.records] == [
        'progress {"done": 0, "total": 100, "left": 8}',
        'progress {"done": 20, "total": 100, "left": 7}',
        'progress {"done": 100, "total": 100, "left": 5}',
    ]


def test_the_share_done_is_read_back_from_a_log(path, monkeypatch):
    monkeypatch.setattr(entry, "LINE_INTERVAL", 0.0)
    with entry.logged(path) as log:
        report = entry.progress(100, log)
        assert entry.share_done(path.read_text()) == 0
        report(20, 8)
        report(60, 7)
        assert entry.share_done(path.read_text()) == 0.6
        log.info("wrote %s", path)
    assert entry.share_done(path.read_text()) == 0.6
    cut_short = '2026 INFO icl: progress {"done": 70, "tot'
    assert entry.share_done(path.read_text() + cut_short) == 0.6
