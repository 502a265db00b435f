"""Why c1 varies over seeds: their pace, and whether it is the start's or the data's.

    OMP_NUM_THREADS=1 python docs/diagnoses/seed_invariance.py     # minutes, on one core

First from committed data, at each K: the coefficient of variation over seeds of c1, the greatest
while its mean falls from 0.4 to 0.05; the same once each seed's time is measured in its own time to
c1 = 0.2; that of I_K. Then from new runs of the study's MLP: eight starts with eight sets of items
each, on seeds of no claim. The share of the variance of the log of that time that lies between
starts; the rest is the items'.
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
from icl.job import Stop
from icl.statistics import hypotheses

SEEDS = {"first": 60400, "count": 64, "per_start": 8}  # of no claim
HALF_WAY, LOW, HIGH = 0.2, 0.05, 0.4


def log_times(log_t: np.ndarray, c1: np.ndarray) -> np.ndarray:
    """Return the log of the time at which each seed's c1 (R, T) first passes 0.2."""
    falling = np.minimum.accumulate(c1, axis=1)
    return np.array([np.interp(-HALF_WAY, -row, log_t) for row in falling])


def variation(columns: np.ndarray) -> float:
    """Return the greatest coefficient of variation over seeds while the mean is in the range."""
    mean = columns.mean(0)
    kept = (mean >= LOW) & (mean <= HIGH)
    return float((columns.std(0, ddof=1) / mean)[kept].max())


def at_each_k(gallery: str) -> None:
    """Print what the committed runs of the MLP alone say."""
    with xr.open_dataset(ROOT / f"docs/gallery/{gallery}/collected/memorisation_wide.nc") as runs:
        for k in np.unique(runs["n_items"]):
            own = runs.isel(run=np.flatnonzero(runs["n_items"] == k))
            times = own["theory_time"].values
            shared = np.isfinite(times).all(0) & (times[0] > 0) & np.isfinite(own["c1"]).all("run")
            log_t, c1 = np.log(times[0, shared]), own["c1"].values[:, shared]
            clock = log_times(log_t, c1)
            each = zip(clock, c1, strict=True)
            moved = [np.interp(log_t - clock.mean(), log_t - t, row) for t, row in each]
            print(
                f"{gallery}, K = {k:,.0f}: c1 {variation(c1):.3f}, on its own clock "
                f"{variation(np.array(moved)):.3f}, the clock {clock.std(ddof=1):.3f}, "
                f"I_K {(s := own['i_recorded'].values).std(ddof=1) / s.mean():.3f}"
            )


def main() -> None:
    """Print all of it."""
    machine.prepare(1)
    for gallery in ("study", "extended"):
        at_each_k(gallery)
    preset = yaml.safe_load((ROOT / "config/study.yaml").read_text())
    own = preset["experiments"]["memorisation_wide"]
    for k in (200, 1700):
        entry = {
            **own,
            "seeds": SEEDS,
            "block_size": 64,
            "grid": [{"context_length": 1, "n_items": [k]}],
        }
        (job,) = grid.expand(preset["defaults"], entry)
        job = replace(job, stop=Stop("memorised", None, None, 1, 0.1))
        metrics = training.train(job)
        time = np.log(np.maximum(metrics.steps, 1))
        clock = log_times(time, np.nan_to_num(metrics.metrics["c1"], nan=0.0)).reshape(8, 8)
        share, low, high = hypotheses.between_groups(clock, 0.95)
        of_start = f"{share:.2f} [{low:.2f}, {high:.2f}]"
        print(f"K = {k:,}: the clock {clock.std(ddof=1):.3f}, the start's share {of_start}")


if __name__ == "__main__":
    main()
