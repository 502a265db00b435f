"""Break every operation of a save on the disk, one at a time: there is the old state or the new.

    cc -shared -fPIC -o disk.so disk.c -ldl
    LD_PRELOAD=./disk.so python break_disk.py STRIDE FOLDER     # every STRIDE-th operation

Prints what happened as JSON; `losses` names everything that should not have happened.
"""

import ctypes
import json
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from icl.engine import checkpoint, training
from icl.store import archive, artifacts, files
from trainee import JOB, Trainee

DISK = ctypes.CDLL(None)
DISK.disk_log.restype = ctypes.c_char_p
# What happens to an operation, and whether to all that follow it too.
MODES = {
    "crash": (1, False),
    "crash in the middle of a write": (2, False),
    "ENOSPC once": (3, False),
    "ENOSPC from then on": (3, True),
    "EIO once": (4, False),
    "EIO from then on": (4, True),
}
FOLLOWED = 5  # after one in so many, the disk is whole again and the save repeated
REPORTED = 3  # exit code of a child whose save said that it failed


class Case:
    """A kind of file: how to save an old and a new state of it, and how to see which is there."""

    def __init__(self, folder: Path, save: Callable[[int], bool], read: Callable[[], int | None]):
        self.folder, self.save, self.read = folder, save, read


def artifact_case(folder: Path) -> Case:
    """An artifact of a job, replaced by another."""
    path = folder / "train/e/job.nc"
    jobs = {number: replace(JOB, steps=number) for number in (1, 2)}
    datasets = {
        number: artifacts.job_dataset(training.train(job), job, {"number": number})
        for number, job in jobs.items()
    }

    def save(number):
        artifacts.write(datasets[number], path)
        return True

    def read():
        return int(artifacts.read(path).attrs["number"]) if path.exists() else None

    return Case(folder, save, read)


def checkpoint_case(folder: Path) -> Case:
    """A checkpoint beside an older one."""
    trainee = Trainee(folder, 0)
    run = training.Run(trainee.job, training.resolve_device("cpu"))
    checkpoints = checkpoint.Checkpoints(trainee.checkpoints, trainee.job)

    def save(number):
        return checkpoints.save(number, run.state())

    def read():
        resumed = checkpoint.Checkpoints(trainee.checkpoints, trainee.job)
        resumed.resume(run.restore)
        return resumed.attempts[-1]["from_step"] or None

    return Case(folder, save, read)


def text_case(folder: Path) -> Case:
    """A verdict or a table, replaced by another."""
    path = folder / "claims.json"
    states = {number: json.dumps([number] * 10_000) for number in (1, 2)}

    def save(number):
        files.write_text(states[number], path)
        return True

    def read():
        return json.loads(path.read_text())[0] if path.exists() else None

    return Case(folder, save, read)


def archive_case(folder: Path) -> Case:
    """An archive, which a zip file writes back and forth, replaced by another."""
    path = folder / "archive.zip"
    name = "results/smoke/claims.md"
    states = {number: {name: bytes([number]) + os.urandom(20_000)} for number in (1, 2)}

    def save(number):
        archive.pack("results/smoke", states[number], path)
        return True

    def read():
        if not path.exists():
            return None
        with zipfile.ZipFile(path) as packed:
            return packed.read(name)[0]

    return Case(folder, save, read)


CASES = {
    "artifact": artifact_case,
    "checkpoint": checkpoint_case,
    "text": text_case,
    "archive": archive_case,
}


def in_a_child(case: Case, number: int, at: int, mode: int, sticky: bool) -> int:
    """Save in a process of its own, on a disk that breaks; return the exit code, -9 if killed."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        DISK.disk_arm(str(case.folder).encode(), at, mode, int(sticky))
        code = 0 if case.save(number) else REPORTED
    except files.WriteError:
        code = REPORTED
    finally:
        DISK.disk_arm(b"", 0, 0, 0)
        os._exit(code)


def operations(case: Case, number: int) -> list[tuple[str, str]]:
    """List what a save does to the disk."""
    DISK.disk_arm(str(case.folder).encode(), 0, 0, 0)
    case.save(number)
    done = DISK.disk_log().decode().splitlines()
    DISK.disk_arm(b"", 0, 0, 0)
    return [tuple(line.split(" ", 1)) for line in done]


def order_faults(done: list[tuple[str, str]]) -> list[str]:
    """Check what a loss of power needs: data before their name, and the name before success."""
    faults, flushed = [], False
    for index, (what, path) in enumerate(done):
        if what == "rename":
            before = [w for w, p in done[:index] if re.search(r"\.part$", p)]
            flushed = before[-1:] == ["fsync"]
            after = [(w, p) for w, p in done[index + 1 :] if w == "fsync"]
            if not flushed:
                faults.append(f"{path} is renamed before its data are flushed")
            if (("fsync", os.path.dirname(path))) not in after:
                faults.append(f"the folder of {path} is not flushed after the rename")
    if not any(what == "rename" for what, _ in done):
        faults.append("nothing is renamed")
    return faults


def beginnings(case: Case):
    """Give the case no old state, then one; yield the old state and the new one to be saved."""
    for old in (None, 1):
        shutil.rmtree(case.folder, ignore_errors=True)
        case.folder.mkdir(parents=True)
        if old:
            case.save(old)
        yield old, (old or 0) + 1


def try_case(name: str, case: Case, stride: int) -> dict:
    """Break each operation of a first save and of one over an older state, in every mode."""
    losses, tries, reported, n_operations = [], 0, 0, 0
    for old, new in beginnings(case):
        backup = case.folder.with_name("backup")
        shutil.rmtree(backup, ignore_errors=True)
        shutil.copytree(case.folder, backup)
        done = operations(case, new)
        losses += [f"{name}: {fault}" for fault in order_faults(done)]
        n_operations = len(done)
        vital = [i for i, (what, _) in enumerate(done, 1) if what != "write"]
        for at in sorted({*vital, *range(1, len(done) + 1, stride)}):
            for mode, (number, sticky) in MODES.items():
                shutil.rmtree(case.folder)
                shutil.copytree(backup, case.folder)
                what = f"{name}, {mode} at {done[at - 1]} ({at} of {len(done)})"
                code = in_a_child(case, new, at, number, sticky)
                tries += 1
                reported += code == REPORTED
                try:
                    state = case.read()
                except Exception as error:  # whatever is wrong with a file, it is a loss
                    losses.append(f"{what}: {error}")
                    continue
                if state not in (old, new):
                    losses.append(f"{what}: neither the old state nor the new, {state}")
                if code == 0 and state != new:
                    losses.append(f"{what}: said it was saved and was not")
                if code not in (0, REPORTED, -9):
                    losses.append(f"{what}: ended with {code}")
                if tries % FOLLOWED:
                    continue
                if not case.save(new) or case.read() != new:
                    losses.append(f"{what}: the next save did not help")
                if left := list(case.folder.rglob(".*.part")):
                    losses.append(f"{what}: {left} is left after the next save")
    return {"tries": tries, "operations": n_operations, "reported": reported, "losses": losses}


def main(stride: int, folder: Path) -> dict:
    """Try every kind of file."""
    return {
        name: try_case(name, make(folder / name / "results"), stride)
        for name, make in CASES.items()
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]).resolve())))
