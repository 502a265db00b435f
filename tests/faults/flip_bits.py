"""Flip single bits of checkpoints and artifacts: each is noticed, or changes no value.

    python flip_bits.py TRIES FOLDER

Prints what happened as JSON; `losses` names every flip after which other values were read.
"""

import json
import os
import random
import signal
import sys
from pathlib import Path

from icl.engine import checkpoint
from icl.store import artifacts, files
from trainee import Trainee

NOTICED, SAME, OTHER = 10, 11, 12
REFUSALS = (files.DamagedError, checkpoint.CheckpointError)
PATIENCE = 60  # seconds in which a reader must have decided


def values_of(path: Path) -> object:
    """Read a file as its readers do; return what tells its values from others."""
    if path.suffix == checkpoint.SUFFIX:
        state, header = checkpoint.decode(path.read_bytes())
        return [sorted((name, v.tobytes()) for name, v in state.items()), json.dumps(header)]
    if path.suffix == ".json":
        return json.dumps(files.read_json(path), sort_keys=True)
    dataset = artifacts.read(path)
    return artifacts.content_digest(dataset) + artifacts.data_digest(dataset)


def in_a_child(path: Path, expected: object) -> int:
    """Read a file in a process of its own, for what reads it may crash or hang on damage."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    signal.alarm(PATIENCE)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    code = 1
    try:
        code = SAME if values_of(path) == expected else OTHER
    except REFUSALS:
        code = NOTICED
    finally:
        os._exit(code)


def flip(path: Path, tries: int, choose: random.Random) -> dict:
    """Flip bits of one file, one at a time, and count what its reader made of each."""
    data = path.read_bytes()
    expected = values_of(path)
    counts, losses = {"tries": 0, "noticed": 0, "changed no value": 0}, []
    damaged = path.with_name(f"damaged{path.suffix}")
    for bit in choose.sample(range(8 * len(data)), tries):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        damaged.write_bytes(changed)
        code = in_a_child(damaged, expected)
        counts["tries"] += 1
        if code == NOTICED:
            counts["noticed"] += 1
        elif code == SAME:
            counts["changed no value"] += 1
        elif code < 0:
            # The reader died: nothing was read, but nothing was said either.
            losses.append(f"{path.name}, bit {bit}: its reader died of signal {-code}")
        else:
            losses.append(f"{path.name}, bit {bit}: read as something else ({code})")
    damaged.unlink()
    return {**counts, "bytes": len(data), "losses": losses}


def main(tries: int, folder: Path) -> dict:
    """Flip bits of each kind of file."""
    choose = random.Random(5)
    trainee = Trainee(folder, minutes=5)
    trainee.log.parent.mkdir(parents=True)
    trainee.train()
    (saved,) = trainee.checkpoints.iterdir()
    collected = folder / "collected.nc"
    artifacts.write(artifacts.collect([artifacts.read(trainee.artifact)], {}), collected)
    verdict = folder / "verdict.json"
    files.write_json({"id": "a_claim", "verdict": "reproduced", "values": [0.5] * 30}, verdict)
    share = {saved: 0.3, trainee.artifact: 0.3, collected: 0.3, verdict: 0.1}
    kinds = ("checkpoint", "artifact", "collected data", "verdict")
    return {
        kind: flip(path, round(part * tries), choose)
        for kind, (path, part) in zip(kinds, share.items(), strict=True)
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
