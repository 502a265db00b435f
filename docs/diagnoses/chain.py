"""Does the chain foretell t_ICL of the paper's own architecture, at N from 49 to 199?

    OMP_NUM_THREADS=1 python docs/diagnoses/chain.py

Trains the chain of `icl.models.chain` with d = 512, the self token and balanced labels, on the
seeds of the extended size, whose t_ICL at K = infinity is in the gallery; at three times its
learning rate, for the theory's time is the rate times the step. The transformers' affine, which
they learn, has no place in the chain. Prints geometric means of t_ICL, their ratio and R^2 of log
t_ICL over seeds with 95 % intervals, and the exponents of N.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, training
from icl.experiment.validation import Sources, check
from icl.job import Job
from icl.measurements import intervals
from icl.statistics import curves

EXPERIMENTS = ("acquisition", "acquisition_longest")
FASTER = 3  # than the transformers' rate; at 10 steps are too large
ACCURACY = 0.95  # of novel items, at t_ICL
OPTIONS = {"confidence": 0.95}


def of_chain(job: Job) -> np.ndarray:
    """Train the chain as a transformer's job says; return log t_ICL of each seed."""
    model = replace(job.model, name="chain", layernorm_affine=None)
    optimiser = replace(job.optimiser, learning_rate=FASTER * job.optimiser.learning_rate)
    evaluation = replace(job.evaluation, every=job.evaluation.every // FASTER)
    steps = job.steps // FASTER
    job = replace(job, model=model, optimiser=optimiser, evaluation=evaluation, steps=steps)
    record = training.train(job)
    accuracy = record.metrics["icl_accuracy"]
    clock = np.tile(job.optimiser.learning_rate * record.steps, (len(job.seeds), 1))
    return np.log(curves.acquisition_time(accuracy, clock, ACCURACY).time)


def of_transformer(job: Job, experiment: str) -> np.ndarray:
    """Read log t_ICL of each seed of a job off the gallery's data."""
    runs = xr.open_dataset(ROOT / f"docs/gallery/extended/collected/{experiment}.nc")
    runs = runs.isel(run=runs["context_length"].values == job.context_length).sortby("seed")
    assert runs["seed"].values.tolist() == list(job.seeds)
    curve, clock = runs["icl_accuracy"].values, runs["theory_time"].values
    return np.log(curves.acquisition_time(curve, clock, ACCURACY).time)


def main() -> None:
    """Print a row for each N."""
    machine.prepare(1)
    sources = Sources.of_size([ROOT / "config/extended.yaml"])
    experiments = check(sources.merged(), sources)
    jobs = [(job, name) for name in EXPERIMENTS for job in experiments[name]]
    print("N  seeds  transformer  chain  ratio  R^2")
    rows = []
    for job, name in sorted(jobs, key=lambda each: each[0].context_length):
        own, foretold = of_transformer(job, name), of_chain(job)
        ratio = intervals.rescaled(intervals.mean(foretold - own, OPTIONS), np.exp)
        r2 = intervals.explained(foretold, own, OPTIONS)
        said = (f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]" for e in (ratio, r2))
        means = (f"{np.exp(x.mean()):.0f}" for x in (own, foretold))
        print(job.context_length, len(own), *means, *said, sep="  ", flush=True)
        rows.append((np.log(job.context_length), own, foretold))
    log_n, *logs = (np.array(column) for column in zip(*rows, strict=True))
    for name, log_t in zip(("transformer", "chain"), logs, strict=True):
        e = intervals.mean(np.polyfit(log_n, log_t, 1)[0], OPTIONS)
        print(f"exponent of N, {name}: {e.value:.2f} [{e.low:.2f}, {e.high:.2f}]")


if __name__ == "__main__":
    main()
