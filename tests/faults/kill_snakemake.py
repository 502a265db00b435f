"""Kill Snakemake itself at random moments, with its jobs or without, and see that nothing is lost.

    python kill_snakemake.py TRIES FOLDER

Prints what happened as JSON; `losses` names everything that should not have happened.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from checkout import Checkout
from icl.store import artifacts

STEPS = 3000
# Two jobs of seconds and what collects them.
OVERLAY = {
    "checkpoint_minutes": 0.002,
    "experiments": {
        "transition": {"grid": [{"context_length": 6, "n_items": [16, 64]}], "steps": STEPS},
    },
}
TARGET = "results/smoke/collected/transition.nc"
RESULTS = "results/smoke"


def prepare(folder: Path) -> Checkout:
    """Make a checkout with the overlay."""
    folder.mkdir(parents=True)
    checkout = Checkout(folder)
    checkout.write("tiny.yaml", json.dumps(OVERLAY))
    return checkout


def command() -> list[str]:
    """Say how Snakemake is called."""
    files = ["config/smoke.yaml", "tiny.yaml"]
    return [sys.executable, "-m", "snakemake", TARGET, "--cores", "1", "--configfile", *files]


def start(checkout: Checkout, log) -> subprocess.Popen:
    """Start Snakemake in a process group of its own, as a shell does."""
    return subprocess.Popen(
        command(), cwd=checkout.path, stdout=log, stderr=log, start_new_session=True
    )


def unlock(checkout: Checkout, log) -> None:
    """Do what a user is told to."""
    command = [sys.executable, "-m", "snakemake", "--unlock"]
    subprocess.run(command, cwd=checkout.path, stdout=log, stderr=log, check=True)


def unlock_at_once(checkout: Checkout) -> None:
    """Do what `snakemake --unlock` does, without the seconds that Snakemake takes to start."""
    shutil.rmtree(checkout.path / ".snakemake/locks", ignore_errors=True)


def finished(checkout: Checkout) -> dict[str, str]:
    """Read every artifact of a job; return the digests of their numbers."""
    files = sorted((checkout.path / RESULTS / "train").rglob("*.nc"))
    return {path.name: artifacts.read(path).attrs["data_digest"] for path in files}


def attempts(trained: Path, name: str) -> list[dict]:
    """Read what an artifact says of the attempts that led to it."""
    (path,) = trained.rglob(name)
    return json.loads(artifacts.read(path).attrs["attempts"])


def reset(checkout: Checkout) -> None:
    """Take away all that a run made; code that was compiled stays."""
    for made in ("results", ".snakemake"):
        shutil.rmtree(checkout.path / made)


def main(tries: int, folder: Path) -> dict:
    """Kill as often as asked; every run that ends is compared with the undisturbed one."""
    choose = random.Random(3)
    checkout = prepare(folder / "checkout")
    trained, target = checkout.path / RESULTS / "train", checkout.path / TARGET
    with open(folder / "log", "w") as log:

        def said() -> str:
            return (folder / "log").read_text()[-3000:]

        for _ in range(2 if tries > 1 else 1):  # the first compiles, and so takes longer
            begin = time.monotonic()
            assert start(checkout, log).wait() == 0, said()
            duration = time.monotonic() - begin
            expected = finished(checkout)
            collected = artifacts.read(target).attrs["data_digest"]
            reset(checkout)
        kills, ends, killed_after_one, written_again, losses = 0, 0, 0, 0, []
        while kills < tries:
            seen = {}  # what artifacts said of the attempts behind them, whenever they were there
            while True:
                process = start(checkout, log)
                # The first seconds are Python's, which there is no sense in disturbing.
                patience = duration * choose.uniform(0.2, 1.1) if kills < tries else None
                try:
                    status = process.wait(timeout=patience)
                    break
                except subprocess.TimeoutExpired:
                    pass
                if choose.random() < 0.5:  # as when the machine goes down, or the session
                    os.killpg(process.pid, signal.SIGKILL)
                else:  # as when it runs out of memory: its job must end by itself
                    process.kill()
                process.wait()
                kills += 1
                try:
                    now = finished(checkout)
                except artifacts.ArtifactError as error:
                    losses.append(str(error))
                    break
                killed_after_one += bool(now)
                if any(expected[name] != digest for name, digest in now.items()):
                    losses.append("an artifact that opens, with other numbers")
                for name in now:
                    seen.setdefault(name, []).append(attempts(trained, name))
                if kills == 1:
                    unlock(checkout, log)
                else:
                    unlock_at_once(checkout)
            if status != 0:
                losses.append(f"the end was not reached: {said()}")
                break
            ends += 1
            # An artifact's attempts only ever grow, by such as had nothing left to train.
            for name, before in seen.items():
                last = attempts(trained, name)
                for known in before:
                    added = last[len(known) :]
                    if last[: len(known)] != known or any(a["from_step"] != STEPS for a in added):
                        losses.append(f"{name} had finished and was trained again")
                written_again += len(last) > len(before[0])
            if finished(checkout) != expected:
                losses.append("the end differs from that of the undisturbed run")
            if artifacts.read(target).attrs["data_digest"] != collected:
                losses.append("the collected data differ from those of the undisturbed run")
            if (checkout.path / RESULTS / "checkpoints").exists():
                losses.append("checkpoints were left behind")
            reset(checkout)
    return {
        "kills": kills,
        "ends": ends,
        "killed_after_a_job_had_finished": killed_after_one,
        "written_again_without_training": written_again,
        "undisturbed_seconds": round(duration, 1),
        "losses": losses,
    }


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
