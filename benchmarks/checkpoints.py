"""The share of training time that checkpoints take at the paper's size.

    OMP_NUM_THREADS=1 python benchmarks/checkpoints.py FOLDER

A block of the paper's thresholds at N = 99 and K = 10,000 is trained for a few steps, each followed
by a save into FOLDER, of which the second replaces an older one as it does in a long run. One save
comes every `checkpoint.MINUTES`, however long a step takes.
"""

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import store

sys.path.insert(0, str(store.ROOT / "scripts"))

from icl.engine import checkpoint, training
from icl.experiment.grid import expand
from icl.experiment.validation import load_yaml

SAVES = 7


def main(folder: Path) -> dict:
    """Measure seconds of a step, of a save and of a resumption."""
    config = load_yaml(store.ROOT / "config/paper.yaml")
    jobs = expand(config["defaults"], config["experiments"]["thresholds"])
    job = replace(next(j for j in jobs if j.context_length == 99), n_items=10_000)
    run = training.Run(job, training.resolve_device("auto"))
    saved = checkpoint.Checkpoints(folder, job)
    run.step()  # compiles
    steps, saves = [], []
    for _ in range(SAVES):
        begun = time.perf_counter()
        run.step()
        between = time.perf_counter()
        assert saved.save(run.steps, run.state())
        steps.append(between - begun)
        saves.append(time.perf_counter() - between)
    size = max(path.stat().st_size for path in folder.iterdir())
    begun = time.perf_counter()
    checkpoint.Checkpoints(folder, job).resume(run.restore)
    resumed = time.perf_counter() - begun
    interval = 60 * checkpoint.MINUTES
    return {
        "job": job.name,
        "hidden_dim": job.model.hidden_dim,
        "replicates": len(job.seeds),
        "bytes": size,
        "seconds_step": median(steps),
        "seconds_save": median(saves),
        "seconds_save_worst": max(saves),
        "seconds_resume": resumed,
        "share": median(saves) / (interval + median(saves)),
        "share_worst": max(saves) / (interval + max(saves)),
    }


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1])), indent=1))
