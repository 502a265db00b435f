"""What in the chain makes t_ICL grow faster than N, and its slope on beta0 steepen?

    OMP_NUM_THREADS=1 python docs/diagnoses/chain_parts.py

Takes parts of the chain away before the first step, in the study's regime at K = infinity, on seeds
of no claim, each with beta as drawn, lowered and raised. Without "scores" K^T Q is beta0 times the
identity, with K^T K + Q^T Q as it was on average, so that beta grows as before. Without "learning"
the MLP keeps its weights. Prints geometric means over seeds of t_ICL, the exponent of N, and the
slope of log t_ICL on beta0 at the least and the greatest N, with 95 % intervals.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import training
from icl.experiment.validation import Sources, check
from icl.job import Job
from icl.measurements import intervals
from icl.models.chain import network as chain
from icl.statistics import curves

SEEDS = tuple(range(60_300, 60_316))  # of no claim
LENGTHS = (16, 32, 64)
SHIFTS = (-0.022, 0.0, 0.022)
OVERLAP = 45.5  # of an item in a context with itself as target, which beta0 is in units of
ACCURACY = 0.95
OPTIONS = {"confidence": 0.95}
SCORES, LEARNING = "the scores at the start", "the MLP's learning"
CASES = [[], [SCORES], [LEARNING], [SCORES, LEARNING]]
INITIALISE = chain.initialise


def without_scores(seeds, model):
    """Start from K^T Q = beta times the identity."""
    p = INITIALISE(seeds, model)
    product = torch.bmm(p["key"].mT, p["query"])[:, : model.item_dim, : model.item_dim]
    beta = product.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    key = torch.linalg.qr(p["key"]).Q * (2 / 3) ** 0.5  # nn.Linear's K^T K and Q^T Q: 1/3 each
    return p | {"key": key, "query": 1.5 * beta * key}


def log_times(job: Job, away: list[str]) -> np.ndarray:
    """Train; return log t_ICL of each seed."""
    chain.initialise = without_scores if SCORES in away else INITIALISE
    rate = 0.0 if LEARNING in away else None
    job = replace(job, seeds=SEEDS, optimiser=replace(job.optimiser, mlp_learning_rate=rate))
    record = training.train(job)
    clock = np.tile(job.optimiser.learning_rate * record.steps, (len(SEEDS), 1))
    found = curves.acquisition_time(record.metrics["icl_accuracy"], clock, ACCURACY)
    if never := (~found.reached).sum():
        print(f"{job.context_length}, {away}: {never} count with their end", file=sys.stderr)
    return np.log(found.time)


def main() -> None:
    """Take parts away and print a table."""
    torch.set_num_threads(1)
    sources = Sources.of_size([ROOT / "config/beyond.yaml"])
    listed = check(sources.merged(), sources)["shifted_chain"]
    jobs = {(job.context_length, job.model.beta_shift): job for job in listed}
    columns = ["taken away", *(f"N = {n}" for n in LENGTHS), "exponent of N"]
    columns += [f"slope on beta0, N = {n}" for n in (LENGTHS[0], LENGTHS[-1])]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for away in CASES:
        logs = {
            (n, shift): log_times(jobs[n, shift], away)
            for n in LENGTHS
            for shift in (SHIFTS if n in (LENGTHS[0], LENGTHS[-1]) else (0.0,))
        }
        as_drawn = [logs[n, 0.0] for n in LENGTHS]
        of_seeds = [np.polyfit(np.log(LENGTHS), as_drawn, 1)[0]]
        for n in (LENGTHS[0], LENGTHS[-1]):
            of_seeds.append(
                np.polyfit(OVERLAP * np.array(SHIFTS), [logs[n, s] for s in SHIFTS], 1)[0]
            )
        found = (intervals.mean(of, OPTIONS) for of in of_seeds)
        cells = [f"{np.exp(log_t.mean()):.0f}" for log_t in as_drawn]
        cells += [f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]" for e in found]
        print(f"| {', '.join(away) or 'nothing'} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
