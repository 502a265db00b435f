"""Does ICL come sooner at finite K because a memorising MLP passes on more of what attention reads?

    OMP_NUM_THREADS=1 python docs/diagnoses/readout_gain.py

The gain is |<sigma(-phi^+) grad phi>| / <sigma(-phi^+)>, the mean over items of the MLP's gradient,
weighted as the loss weighs them: what all items have in common, along which V can learn to answer.
Prints, in the study's regime at N = 32 and on seeds of no claim:

1. the gain of the MLP alone while it memorises K items, at c1 = 0.5, 0.4, 0.3 and 0.2;
2. t_ICL at K = infinity where the readout, and so the gain, is multiplied before the first step, of
   transformers and of chains: geometric means over seeds.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, training
from icl.experiment.validation import Sources, check
from icl.job import Job, Stop
from icl.models.chain import network as chain
from icl.models.layers import mlp
from icl.models.one_layer import network as one_layer
from icl.statistics import curves

SEEDS = tuple(range(60_300, 60_316))  # of no claim
ALONE = SEEDS[:8]
LENGTH, ACCURACY = 32, 0.95
ITEMS, LEVELS = (600, 1200, 2400, 4800), (0.5, 0.4, 0.3, 0.2)
FACTORS = (1, 2, 4, 8, 16)
MODELS: dict[str, Any] = {"one_layer": one_layer, "chain": chain}
INITIALISE = {name: module.initialise for name, module in MODELS.items()}


def gain(parameters, tokens: torch.Tensor, labels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return the gain (R,), and c1 (R,), of tokens (R, K, E) without attention."""
    moved = torch.zeros(len(tokens), 1, tokens.shape[-1], requires_grad=True)
    with torch.enable_grad():
        phi = mlp(parameters, tokens + moved)
        wrong = torch.sigmoid(-labels * phi).detach()
        (slope,) = torch.autograd.grad((wrong * phi).sum(), moved)
    total = wrong.sum(1)
    return (slope[:, 0].norm(dim=1) / total).numpy(), (total / labels.shape[1]).numpy()


def of_memorising(job: Job) -> list[float]:
    """Train the MLP alone; return its mean gain over seeds at each of `LEVELS` of c1."""
    run = training.Run(job, torch.device("cpu"))
    dataset = run.ensemble.arithmetic.unpack(run.ensemble.data.tables)
    tokens = one_layer.embed(dataset).unlabelled
    found: list[tuple[np.ndarray, np.ndarray]] = []
    while not run.is_over and not (found and found[-1][1].max() < min(LEVELS)):
        while not run.is_due:
            run.step()
        run.evaluate()
        found.append(gain(run.ensemble.parameters, tokens, dataset.labels))
    gains, c1 = (np.array(values) for values in zip(*found, strict=True))
    assert (c1.min(axis=0) <= min(LEVELS)).all(), "a seed never gets there: more steps are needed"
    at = [np.argmax(c1 <= level + 0.005, axis=0) for level in LEVELS]
    return [gains[i, np.arange(len(ALONE))].mean() for i in at]


def log_times(job: Job, factor: float) -> np.ndarray:
    """Return log t_ICL of each seed whose readout starts as so many times what is drawn."""

    def initialise(seeds, model):
        p = INITIALISE[job.model.name](seeds, model)
        return {name: factor * w if name.startswith("readout") else w for name, w in p.items()}

    MODELS[job.model.name].initialise = initialise
    record = training.train(replace(job, seeds=SEEDS, seeds_per_start=1))
    MODELS[job.model.name].initialise = INITIALISE[job.model.name]
    clock = np.tile(job.optimiser.learning_rate * record.steps, (len(SEEDS), 1))
    found = curves.acquisition_time(record.metrics["icl_accuracy"], clock, ACCURACY)
    assert found.reached.all(), "a seed never acquires: a longer budget is needed"
    return np.log(found.time)


def main() -> None:
    """Print two tables."""
    machine.prepare(1)
    sources = Sources.of_size([ROOT / "config/beyond.yaml"])
    jobs = check(sources.merged(), sources)
    alone = replace(jobs["memorisation"][0], seeds=ALONE, stop=Stop("never", None, None, None))
    print("gain at c1 =", *LEVELS, sep="  ")
    for k in ITEMS:
        values = of_memorising(replace(alone, n_items=k, steps=10 * k))
        print(f"K = {k}", *(f"{value:.2f}" for value in values), sep="  ", flush=True)
    print("readout times  transformer  chain")
    of_length = {
        name: next(job for job in jobs[experiment] if job.context_length == LENGTH)
        for name, experiment in (("one_layer", "whole"), ("chain", "chain"))
    }
    for factor in FACTORS:
        means = (np.exp(log_times(of_length[name], factor).mean()) for name in MODELS)
        print(factor, *(f"{mean:.0f}" for mean in means), sep="  ", flush=True)


if __name__ == "__main__":
    main()
