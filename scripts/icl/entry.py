"""The frame of every entry script: a log in its rule's log file, and the progress of training."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LINE_INTERVAL = 30.0  # seconds between two lines of progress in a log
_PROGRESS = " INFO icl: progress "  # stands before JSON in a line of a log


@contextmanager
def logged(*paths: str, mode: str = "w") -> Iterator[logging.Logger]:
    """Send log records, and the traceback of a failure, to files; mode "a" keeps what they hold."""
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        handlers=[logging.FileHandler(path, mode) for path in paths],
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    logging.captureWarnings(True)
    log = logging.getLogger("icl")
    try:
        yield log
    except Exception:
        log.exception("failed")
        raise


def progress(total: int, log: logging.Logger) -> Callable[[int, int], None]:
    """Return a function of the steps done and the replicates left that logs them at intervals.

    The line of status that a run shows is read off these logs (`icl.planning.watch`).
    """
    last = 0.0

    def report(done: int, left: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= LINE_INTERVAL or done == total:
            last = now
            log.info("progress %s", json.dumps({"done": done, "total": total, "left": left}))

    return report


def share_done(log: str) -> float:
    """Read the share of the steps that is done off a log's text; 0 before the first report."""
    lines = [line for line in log.splitlines() if _PROGRESS in line and line.endswith("}")]
    if not lines:
        return 0.0
    counts = json.loads(lines[-1].split(_PROGRESS)[1])
    return counts["done"] / counts["total"]
