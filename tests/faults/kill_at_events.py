"""Kill scripts/train.py at every file event: open, write, flush, rename, close and the rest.

    cc -shared -fPIC -o disk.so disk.c -ldl
    LD_PRELOAD=./disk.so python kill_at_events.py STRIDE FOLDER     # at every STRIDE-th event

After each kill the job is started again and compared with the undisturbed run, read with netCDF4
alone. Checkpoints are INTERVAL steps apart, by a clock of which each step is a second.

Prints what happened as JSON; `losses` names everything that should not have happened.
"""

import ctypes
import itertools
import json
import mmap
import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from checker import values_of
from icl.engine import checkpoint, training
from trainee import JOB, Trainee

DISK = ctypes.CDLL(None)
DISK.disk_log.restype = ctypes.c_char_p
CRASH_AT_ANY = 5
INTERVAL = 10  # steps between checkpoints
SHORT = replace(JOB, steps=45, evaluation=replace(JOB.evaluation, every=15))
STEPS_DONE = mmap.mmap(-1, 8)  # of the process that trains, for the one that kills it


class Watched(Trainee):
    """A job that can be killed at an event, and says how many steps it had done.

    Attributes:
        at: the event to be killed at, from 1; 0: none.
    """

    at = 0

    def __init__(self, results: Path):
        super().__init__(results, INTERVAL / 60, SHORT)

    def train(self) -> None:
        """Run the rule's script in this process."""
        ticks, step = itertools.count(), training.Run.step

        def counted(run):
            step(run)
            STEPS_DONE[:] = run.steps.to_bytes(8)

        training.Run.step = counted
        checkpoint.time = SimpleNamespace(monotonic=lambda: float(next(ticks)))
        DISK.disk_arm(str(self.results).encode(), self.at, CRASH_AT_ANY, 0)
        try:
            super().train()
        finally:
            training.Run.step = step

    def events(self) -> list[str]:
        """Train undisturbed in this process; list what that did to files."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.train()
        done = DISK.disk_log().decode().splitlines()
        DISK.disk_arm(b"", 0, 0, 0)
        return [line.split(" ", 1)[0] for line in done]

    def run(self, at: int = 0) -> int:
        """Train in a process of its own; return its exit code."""
        self.at = at
        STEPS_DONE[:] = bytes(8)
        return os.waitstatus_to_exitcode(os.waitpid(self.fork(), 0)[1])

    def resumed_from(self) -> int:
        """Return the step that the last start went on from."""
        last = self.said.split(f"{self.job.name} on ")[-1]
        found = re.search(r"going on from step (\d+),", last)
        return int(found[1]) if found else 0


def try_beginning(begin: Path, expected: dict, stride: int, results: Path) -> dict:
    """Kill at every event of a run that begins with what a folder holds."""
    shutil.copytree(begin, results)
    events = Watched(results).events()
    kinds, lost, losses, right = {}, [], [], 0
    for at in range(1, len(events) + 1, stride):
        shutil.rmtree(results)
        shutil.copytree(begin, results)
        watched = Watched(results)
        what = f"killed at event {at} of {len(events)}, {events[at - 1]}"
        if watched.run(at) != -9:
            losses.append(f"{what}: it was not killed")
            continue
        done = int.from_bytes(STEPS_DONE[:])
        kinds[events[at - 1]] = kinds.get(events[at - 1], 0) + 1
        try:
            assert watched.run() == 0, watched.said
            np.testing.assert_equal(values_of(watched.artifact), expected)
            assert not list(results.rglob("train/**/.*.part")), "a temporary file is left"
        except (AssertionError, OSError) as error:
            losses.append(f"{what}: {error}")
            continue
        right += 1
        lost.append(max(done - watched.resumed_from(), 0))
        if lost[-1] > INTERVAL:
            losses.append(f"{what}: {lost[-1]} steps were lost")
    shutil.rmtree(results)
    kills = sum(kinds.values())
    return {
        "events": len(events),
        "kills": kills,
        "kinds": kinds,
        "right": right,
        "lost_mean": round(sum(lost) / max(len(lost), 1), 1),
        "lost_most": max(lost, default=0),
        "losses": losses,
    }


def main(stride: int, folder: Path) -> dict:
    """Kill runs that begin at step 0, and runs that go on from a checkpoint."""
    undisturbed, half = Watched(folder / "undisturbed"), Watched(folder / "half")
    n_events = len(undisturbed.events())
    assert half.run(n_events // 2) == -9
    (folder / "nothing").mkdir()
    expected = values_of(undisturbed.artifact)
    return {
        name: try_beginning(folder / place, expected, stride, folder / "disturbed")
        for name, place in {"from step 0": "nothing", "from a checkpoint": "half"}.items()
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]).resolve())))
