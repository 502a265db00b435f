"""Train on a disk that is full before, while or after checkpoints are saved, then make room.

    unshare -rm python fill_disk.py TRIES FOLDER

Prints what happened as JSON; `losses` names everything that should not have happened.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from trainee import JOB, Trainee

# From no room for a checkpoint to room for a few and the artifact.
LEAST, MOST = 4, 160  # kilobytes


def mount(folder: Path, kilobytes: int, how: str = "") -> None:
    """Mount a disk of that size, or change its size."""
    options = f"{how}size={kilobytes}k"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)


def train(trainee: Trainee) -> int:
    """Train in a process of its own; return its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(trainee.fork(), 0)[1])


def main(tries: int, folder: Path) -> dict:
    """Try as many sizes as asked."""
    job = replace(JOB, steps=200)
    Trainee.warm_up()
    undisturbed = Trainee(folder / "undisturbed", 5, job)
    assert train(undisturbed) == 0, undisturbed.said
    failed, resumed, losses = 0, 0, []
    for index in range(tries):
        size = LEAST + index * (MOST - LEAST) // max(tries - 1, 1)
        results, logs = folder / "disk", folder / "logs"
        results.mkdir()
        mount(results, size)
        trainee = Trainee(results, 0.0005, job, logs)
        code, what = train(trainee), f"{size} kB"
        if trainee.digest() not in (None, undisturbed.digest()):
            losses.append(f"{what}: an artifact that opens, with other numbers")
        newest = trainee.newest_step()  # reads them all
        if code == 0 and trainee.digest() is None:
            losses.append(f"{what}: it said that it succeeded")
        if code != 0:
            failed += 1
            if "cannot be written" not in trainee.said or str(trainee.artifact) not in trainee.said:
                losses.append(f"{what}: no clear message in {trainee.said}")
            mount(results, 10_000, "remount,")
            if train(trainee) != 0:
                losses.append(f"{what}: with room it failed again: {trainee.said}")
            went_on = f"going on from step {newest}," in trainee.said
            if newest and not went_on:
                losses.append(f"{what}: step {newest} was saved, and not gone on from")
            resumed += went_on
        if trainee.digest() != undisturbed.digest():
            losses.append(f"{what}: the end differs from that of the undisturbed run")
        if list(results.rglob(".*.part")):
            losses.append(f"{what}: a temporary file was left")
        subprocess.run(["umount", results], check=True)
        results.rmdir()
        shutil.rmtree(logs)
    return {"tries": tries, "failed": failed, "resumed": resumed, "losses": losses}


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
