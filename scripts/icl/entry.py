"""The common part of every entry script: log to the rule's file and report progress."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

LINE_INTERVAL = 30.0  # seconds between the lines of a log


@contextmanager
def logged(path: str, mode: str = "w") -> Iterator[logging.Logger]:
    """Send log records, and the traceback of a failure, to a rule's log file.

    Args:
        mode: "w" to start it afresh, "a" to add to what earlier attempts wrote.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=path,
        filemode=mode,
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


@contextmanager
def progress(total: int, description: str, log: logging.Logger) -> Iterator[Callable]:
    """Show the progress of training: a bar on a terminal, a line at intervals in the log.

    Yields A function of the steps done and the replicates left.
    """
    last, first, start = 0.0, None, 0.0
    with tqdm(
        total=total,
        desc=description,
        unit="step",
        leave=False,
        dynamic_ncols=True,
        disable=not sys.stderr.isatty(),
    ) as bar:

        def report(done: int, left: int) -> None:
            nonlocal last, first, start
            if first is None:  # the rate is that of what follows: a job may be resumed
                first, start = done, time.monotonic()
            bar.update(done - bar.n)
            bar.set_postfix(replicates=left, refresh=False)
            now = time.monotonic()
            if now - last >= LINE_INTERVAL or done == total:
                last = now
                meter = tqdm.format_meter(
                    done, total, now - start, unit="step", ncols=0, initial=first
                )
                log.info("%s, %d replicates left", meter, left)

        yield report
