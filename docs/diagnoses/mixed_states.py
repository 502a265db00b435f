"""Whether runs that end between memorising and ICL stay there.

    OMP_NUM_THREADS=1 python docs/diagnoses/mixed_states.py     # an hour, on one core

First from committed data: how many runs of the paper's architecture end with an ICL accuracy
between 0.6 and 0.9, how many of them rose by more than 0.02 over their second half, and how many
ever passed 0.99, where the released code stops a run. Then four such runs of the claim (N = 49,
K = 4,200, chosen by their outcome) for five times as long: ICL and IWL accuracy as they go.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, training
from icl.experiment import grid

SEEDS = {"first": 2001020, "count": 4}
LONGER = 5


def main() -> None:
    """Print all of it."""
    machine.prepare(1)
    for name in ("thresholds", "transition"):
        with xr.open_dataset(ROOT / f"docs/gallery/extended/collected/{name}.nc") as runs:
            for length in np.unique(runs["context_length"]):
                own = runs.isel(run=np.flatnonzero(runs["context_length"] == length))
                icl = own["icl_accuracy"].values
                icl = icl[:, np.isfinite(icl).all(0)]
                n = icl.shape[1]
                last, middle = icl[:, -3:].mean(1), icl[:, n // 2 - 1 : n // 2 + 2].mean(1)
                mixed = (last > 0.6) & (last < 0.9)
                if not mixed.any():
                    continue
                rise = (last - middle)[mixed]
                print(
                    f"N = {length}: {mixed.sum()} of {len(icl)} in between, "
                    f"{(rise > 0.02).sum()} higher than half-way, by {rise.mean():.2f}; "
                    f"{(icl[mixed].max(1, initial=0) >= 0.99).sum()} ever passed 0.99"
                )
    preset = yaml.safe_load((ROOT / "config/extended.yaml").read_text())
    entry = preset["experiments"]["thresholds"]
    (first, *_) = entry["grid"]
    entry = {**entry, "grid": [{**first, "n_items": [4200], "seeds": SEEDS}], "block_size": 4}
    (job,) = grid.expand(preset["defaults"], entry)
    apart = replace(job.evaluation, every=job.steps // 5)
    found = training.train(replace(job, steps=LONGER * job.steps, evaluation=apart))
    for name in ("icl_accuracy", "iwl_accuracy"):
        print(name, "at every", job.steps // 5, "steps")
        print(np.array2string(found.metrics[name], precision=2, max_line_width=200))


if __name__ == "__main__":
    main()
