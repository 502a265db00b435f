"""Whether t_ICL grows faster than N because steps are not small.

    OMP_NUM_THREADS=1 python docs/diagnoses/learning_rate.py     # minutes, on one core

The laptop's `acquisition` at several learning rates. Prints the median over seeds of t_ICL, in
theory time, at each N, and the local exponents of N between them.
"""

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, training
from icl.experiment.grid import expand
from icl.statistics import curves

SEEDS = {"first": 60200, "count": 8}  # of no claim
LENGTHS = [16, 32, 64]
FACTORS = [2, 1, 0.5]  # of the laptop's rate


def main() -> None:
    """Train to acquisition at each rate and print a table."""
    machine.prepare(1)
    preset = yaml.safe_load((ROOT / "config/laptop.yaml").read_text())
    acquisition = preset["experiments"]["acquisition"]
    level = acquisition["stop"]["icl_accuracy"]
    exponents = [f"{a} to {b}" for a, b in pairwise(LENGTHS)]
    columns = ["rate", *(f"N = {n}" for n in LENGTHS), *(f"exponent, {e}" for e in exponents)]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for factor in FACTORS:
        rate = factor * acquisition["optimiser"]["learning_rate"]
        grid = [
            {
                **cell,
                "evaluation": {"every": round(cell["evaluation"]["every"] / factor)},
                "steps": round(cell["steps"] / factor),
            }
            for cell in acquisition["grid"]
            if cell["context_length"] in LENGTHS
        ]
        experiment = {
            **acquisition,
            "seeds": SEEDS,
            "block_size": SEEDS["count"],
            "optimiser": {"learning_rate": rate},
            "grid": grid,
        }
        medians = []
        for job in expand(preset["defaults"], experiment):
            record = training.train(job)
            time = np.tile(rate * record.steps, (len(job.seeds), 1))
            found = curves.acquisition_time(record.metrics["icl_accuracy"], time, level)
            medians.append(curves.censored_median(found.time, found.reached))
        local = np.diff(np.log(medians)) / np.diff(np.log(LENGTHS))
        cells = [f"{rate:g}", *(f"{m:.0f}" for m in medians), *(f"{e:.2f}" for e in local)]
        print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
