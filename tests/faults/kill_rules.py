"""Kill the rules after training, at any of their writes, with the real Snakemake or with it too.

    cc -shared -fPIC -o disk.so disk.c -ldl
    python kill_rules.py ROUNDS DISK.SO FOLDER

In a round each rule is killed once, each Snakemake going on from what the one before it left; the
last is left alone. Then all results must equal those of the undisturbed run.

Prints what happened as JSON; `losses` names everything that should not have happened.
"""

import json
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path

import netCDF4
import numpy as np
from checkout import Checkout
from kill_snakemake import unlock_at_once

RESULTS = "results/smoke"
CRASH, CRASH_ALL = 1, 6
# Of each rule: what it makes, and a part of the command line of the process that writes it.
RULES = {
    "predict": ("theory/landscape.nc", ".predict.py"),
    "analyse": ("analysis/long_tail.json", ".analyse.py"),
    "draw": ("figures/figA4.png", ".draw.py"),
    "summarise": ("claims.json", ".summarise.py"),
    "describe": ("report/front.html", ".describe.py"),
    "explore": ("explorer.html", ".explore.py"),
    "report": ("report.html", "--report "),
    "archive": ("archive.zip", ".archive.py"),
}
TIMED = ("front.html", "report.html")  # say how long each rule took
OTHERS = (".log", ".tsv")  # say when, and how long it took


def run(checkout: Checkout, target: str, **environment: str) -> int:
    """Make a target in a process group of its own; return Snakemake's exit code."""
    command = [sys.executable, "-m", "snakemake", target, "--cores", "1"]
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with open(checkout.path / "said", "a") as said:
        return subprocess.run(
            [*command, "--configfile", "config/smoke.yaml"],
            cwd=checkout.path,
            env={**own, **environment},
            stdout=said,
            stderr=said,
            start_new_session=True,
            check=False,
        ).returncode


def contents(path: Path) -> object:
    """Read what must be equal in a result, whenever it was made."""
    if path.suffix == ".nc":
        with netCDF4.Dataset(path) as file:
            file.set_auto_mask(False)
            return {name: np.array(v[:]) for name, v in file.variables.items()}
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return archive.testzip(), archive.namelist()
    if path.name in TIMED:
        return path.read_bytes().rstrip().endswith(b"</html>")
    return path.read_bytes()


def results(checkout: Checkout) -> dict[str, object]:
    """Read all results."""
    root = checkout.path / RESULTS
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    named = [path for path in files if path.suffix not in (*OTHERS, ".part")]
    return {str(path.relative_to(root)): contents(path) for path in named}


def differing(found: dict, expected: dict) -> list[str]:
    """Name the results that are not those of the undisturbed run."""
    wrong = []
    for name, value in found.items():
        try:
            np.testing.assert_equal(value, expected.get(name))
        except AssertionError:
            wrong.append(name)
    return wrong


def main(rounds: int, library: Path, folder: Path) -> dict:
    """Kill every rule in as many rounds as asked."""
    choose = random.Random(18)
    checkout = Checkout(folder / "checkout")
    checkout.shrink({"acquisition"})
    (checkout.path / RESULTS).mkdir(parents=True)
    watched = {"LD_PRELOAD": str(library), "DISK_FOLDER": str(checkout.path / RESULTS)}
    counts = folder / "counts"
    every = {**watched, "DISK_PROGRAM": "", "DISK_AT": "0", "DISK_MODE": "0"}
    assert run(checkout, "archive", **every, DISK_COUNTS=str(counts)) == 0, said(checkout)
    lines = [line.split(" ", 1) for line in counts.read_text().splitlines()]
    writes = {
        rule: max(int(n) for n, command in lines if part in command)
        for rule, (_, part) in RULES.items()
    }
    expected, kills, losses = results(checkout), dict.fromkeys(RULES, 0), []
    for number in range(rounds):
        for rule, (made, part) in RULES.items():
            (checkout.path / RESULTS / made).unlink(missing_ok=True)
            at, mode = choose.randint(1, writes[rule]), choose.choice([CRASH, CRASH_ALL])
            arms = {"DISK_PROGRAM": part, "DISK_AT": str(at), "DISK_MODE": str(mode)}
            code = run(checkout, f"{RESULTS}/{made}", **watched, **arms)
            what = f"round {number}, {rule} killed at write {at} of {writes[rule]}"
            if code == 0:
                losses.append(f"{what}: Snakemake says that it succeeded")
            kills[rule] += code != 0
            if mode == CRASH_ALL:
                unlock_at_once(checkout)
            # Snakemake deletes what a killed rule made only if it lives, or when it runs again.
            wrong = [name for name in differing(results(checkout), expected) if name != made]
            losses += [f"{what}: {name} is there and differs" for name in wrong]
        if run(checkout, "archive") != 0:
            losses.append(f"round {number}: the end was not reached: {said(checkout)}")
            break
        ended = results(checkout)
        losses += [f"round {number}: {name} differs" for name in differing(ended, expected)]
        losses += [f"round {number}: {name} is missing" for name in set(expected) - set(ended)]
    return {"kills": kills, "writes": writes, "losses": losses}


def said(checkout: Checkout) -> str:
    """Return the end of what Snakemake said."""
    return (checkout.path / "said").read_text()[-3000:]


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]).resolve())))
