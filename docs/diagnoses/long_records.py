"""What I_K gains when the MLP's records go on a hundred times beyond c1 = 1e-3.

    OMP_NUM_THREADS=1 python docs/diagnoses/long_records.py     # minutes, on one core

The laptop's experiment but for seeds, and for the c1 at which a record ends. Prints the mean over
seeds of I_K where c1 passes each value, over I_K where it passes 1e-3, less one; and what the law
of `MemorisationRecord.decide` says of the whole record.
"""

import sys
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, training
from icl.experiment import grid
from icl.theory.memorisation import MemorisationRecord

SEEDS = {"first": 60100, "count": 3}  # of no claim
ITEMS = [1900, 5600]
LEVELS = [3e-4, 1e-4, 3e-5, 1e-5]  # of c1
FROM = 1e-3


def main() -> None:
    """Train the MLP alone for long and print a table."""
    machine.prepare(1)
    preset = yaml.safe_load((ROOT / "config/laptop.yaml").read_text())
    memorisation = preset["experiments"]["memorisation"]
    experiment = {
        **memorisation,
        "seeds": SEEDS,
        "block_size": SEEDS["count"],
        "steps": 1_000_000,
        "stop": {**memorisation["stop"], "c1": LEVELS[-1]},
        "grid": [{"context_length": 1, "n_items": ITEMS}],
    }
    columns = [f"to c1 = {level:.0e}" for level in LEVELS]
    print("| K | " + " | ".join(columns) + " | bound on the rest | time at the last | law |")
    print("|" + "---|" * (len(columns) + 4))
    for job in grid.expand(preset["defaults"], experiment):
        record = training.train(job)
        metrics, times = record.metrics, job.optimiser.learning_rate * record.steps
        gains, bounds, ends, laws = [], [], [], set()
        for c1, i_k in zip(metrics["c1"], metrics["i_k"], strict=True):
            kept = np.isfinite(c1)
            c1, i_k, time = c1[kept], i_k[kept], times[kept]
            first = [np.flatnonzero(c1 < level) for level in (FROM, *LEVELS)]
            passed = [i_k[index[0]] if len(index) else np.nan for index in first]
            gains.append(np.array(passed[1:]) / passed[0] - 1)
            decision = MemorisationRecord(time, c1).decide()
            bounds.append(decision.tail_bound / decision.i_recorded)
            laws.add(str(decision.kinetics))
            ends.append(time[-1])
        cells = [f"{gain:.2%}" for gain in np.mean(gains, axis=0)]
        cells += [f"{np.mean(bounds):.1%}", f"{np.mean(ends):,.0f}", ", ".join(sorted(laws))]
        print(f"| {int(job.n_items):,} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
