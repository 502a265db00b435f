"""End a training job at random moments, again and again, and see that nothing is lost.

    python kill_training.py SIGNAL TRIES FOLDER

Prints what happened as JSON; `losses` names everything that should not have happened.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from trainee import Trainee

MESSAGE = "interrupted by"


def main(how: signal.Signals, tries: int, folder: Path) -> dict:
    """Kill as often as asked; each job that reaches its end is compared with the undisturbed."""
    choose = random.Random(20260722)
    undisturbed = Trainee(folder / "undisturbed", minutes=5)
    Trainee.warm_up()
    start = time.monotonic()
    assert os.waitpid(undisturbed.fork(), 0)[1] == 0, undisturbed.said
    duration, expected = time.monotonic() - start, undisturbed.digest()
    losses, kills, in_a_save, finished, resumed = [], 0, 0, 0, 0
    while kills < tries:
        results = folder / "disturbed"
        # Every step, so that many kills fall into a save; and every now and then.
        trainee = Trainee(results, minutes=choose.choice([0, duration / 60 / 40]))
        newest = 0
        while True:
            said = trainee.said.count(MESSAGE)
            pid = trainee.fork()
            if disturb := kills < tries:
                time.sleep(choose.uniform(0, duration))
                os.kill(pid, how)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if status == 0 or not disturb:
                break  # it was faster, or left alone
            kills += 1
            in_a_save += any(trainee.results.rglob(".*.part"))
            try:
                step = trainee.newest_step()
                if trainee.digest() not in (None, expected):
                    losses.append("an artifact that opens, with other numbers")
            except Exception as error:  # whatever is wrong with a file, it is a loss
                losses.append(f"a damaged file: {error}")
                break
            if step < newest:
                losses.append(f"step {newest} was saved, then only {step}")
            if how != signal.SIGKILL and status != 1 and status != -how:
                losses.append(f"ended with {status}")
            if status == 1 and trainee.said.count(MESSAGE) == said:
                losses.append(f"ended without a message: {trainee.said}")
            newest = step
        finished += 1
        resumed += trainee.said.count("going on from step")
        if status != 0 or trainee.digest() != expected:
            losses.append(f"the end differs from that of the undisturbed run: {trainee.said}")
        if any(results.glob("train/**/.*.part")) and how != signal.SIGKILL:
            losses.append("a temporary file was left")
        shutil.rmtree(results)
    return {
        "kills": kills,
        "in_a_save": in_a_save,
        "finished": finished,
        "resumed": resumed,
        "undisturbed_seconds": round(duration, 2),
        "losses": losses,
    }


if __name__ == "__main__":
    found = main(signal.Signals[sys.argv[1]], int(sys.argv[2]), Path(sys.argv[3]))
    print(json.dumps(found))
