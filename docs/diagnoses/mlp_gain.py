"""What makes the transformer's t_ICL grow faster than N: how attention starts, the MLP's gain.

    OMP_NUM_THREADS=1 python docs/diagnoses/mlp_gain.py     # half an hour, on one core

The signal of ICL goes as 1/N, and t_ICL as N if all else does too. Two things do not: the scores of
K0^T Q0 have attention read a few random labels, and the untrained MLP is a random function of the
target, which at K = infinity SGD shrinks, and with it the gain at which the signal passes. Q = 0
takes the scores away, a logit less the untrained MLP's of the target alone the function. Prints
geometric means over seeds of t_ICL, exponents of N with 95 % intervals by bootstrap over seeds, and
the median gain |d phi / d u| at half of t_ICL over that at the start.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, training
from icl.experiment.grid import expand
from icl.models import fast
from icl.models.layers import MLP, look_up, mlp, mlp_outputs
from icl.models.one_layer import fast as fused_one_layer
from icl.models.one_layer import network as one_layer
from icl.statistics import curves
from icl.task import draws
from icl.task.streams import Purpose

FIRST_SEED, FEW, MANY = 60300, 8, 32  # seeds of no claim; many where nothing or both are away
LENGTHS = [16, 32, 64]
LAST = ["exponent, 32 to 64", "16 to 64", "16 to 64, less the first row's", "gain at t_ICL/2"]
INITIALISE, FORWARD = one_layer.initialise, fused_one_layer.Step._forward
TRAIN, EVALUATE = fast.FusedMLP.train, training.Ensemble.evaluate
SCORES, FUNCTION = "scores at the start", "the MLP's random function"
ITEMS, LEARNING = "what V reads of items", "the MLP's learning"
CASES = [[], [SCORES], [FUNCTION], [SCORES, FUNCTION], [SCORES, FUNCTION, ITEMS]]
CASES += [[LEARNING], [LEARNING, SCORES]]
WITH_MANY = [[], [SCORES, FUNCTION]]


def forward(self, p, tables, sequences, first) -> None:
    """Take the untrained MLP's logit of the target off, where there is one."""
    FORWARD(self, p, tables, sequences, first)
    if "start_readout" in p:
        self.mlp.others.copy_(-mlp_outputs(p, self.token, "start_").squeeze(-1))


def gain(ensemble) -> torch.Tensor:
    """Average |d phi / d u| over sequences of novel items: (R,)."""
    job, novel = ensemble.job, ensemble.arithmetic.unpack(ensemble.novel)
    n_items = job.evaluation.novel_items
    drawn = (ensemble.seeds, Purpose.EVALUATE_ICL, 0, 200, job.context_length, n_items)
    sequences = draws.draw_sequences(*drawn)
    context = look_up(novel.labelled, sequences.context)
    target = look_up(novel.unlabelled, sequences.target)
    u = one_layer.attention(ensemble.parameters, context, target, job.model)
    with torch.enable_grad():
        (slope,) = torch.autograd.grad(mlp(ensemble.parameters, u.requires_grad_()).sum(), u)
    return slope.norm(dim=-1).mean(1)


def measure(job, away: list[str]) -> tuple[np.ndarray, ...]:
    """Train; return t_ICL of each seed and its gain at half of that over the one at the start."""
    gains = {seed: {} for seed in job.seeds}

    def initialise(seeds, model):
        p = INITIALISE(seeds, model)
        p["query"] *= SCORES not in away
        p["value"][..., : model.item_dim] *= ITEMS not in away
        return p | {f"start_{name}": p[name].clone() for name in MLP if FUNCTION in away}

    def train(self, p, sgd, pass_on=True):
        TRAIN(self, p, fast.Descent(0.0, 1.0) if LEARNING in away else sgd, pass_on)

    def evaluate(self, step):
        for seed, value in zip(self.seeds.tolist(), gain(self).tolist(), strict=True):
            gains[seed][step] = value
        return EVALUATE(self, step)

    one_layer.initialise, fused_one_layer.Step._forward = initialise, forward
    fast.FusedMLP.train, training.Ensemble.evaluate = train, torch.no_grad()(evaluate)
    record = training.train(job)
    accuracy, steps = record.metrics["icl_accuracy"], np.tile(record.steps, (len(job.seeds), 1))
    found = curves.acquisition_time(accuracy, steps, job.stop.icl_accuracy)
    assert found.reached.all(), "a seed never acquires: a longer budget is needed"
    ratio = []
    for curve, end in zip(gains.values(), found.time, strict=True):
        half = min(curve, key=lambda step, end=end: abs(step - end / 2))
        ratio.append(curve[half] / curve[0])
    return job.optimiser.learning_rate * found.time, np.array(ratio)


def main() -> None:
    """Take the causes away and print a table."""
    machine.prepare(1)
    preset = yaml.safe_load((ROOT / "config/laptop.yaml").read_text())
    acquisition = preset["experiments"]["acquisition"]
    cells = (c for c in acquisition["grid"] if c["context_length"] in LENGTHS)
    grid = [{**cell, "steps": 2 * cell["steps"]} for cell in cells]
    columns = ["taken away", "seeds", *(f"N = {length}" for length in LENGTHS), *LAST]
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    usual = None  # the exponents of the first case
    for away in CASES:
        n = MANY if away in WITH_MANY else FEW
        seeds = {"first": FIRST_SEED, "count": n}
        experiment = {**acquisition, "seeds": seeds, "block_size": n, "grid": grid}
        resamples = np.random.default_rng(0).integers(n, size=(5000, n))
        level = curves.expanded_level(0.95, n)
        jobs = expand(preset["defaults"], experiment)
        times, gains = zip(*(measure(job, away) for job in jobs), strict=True)
        logs = np.log2(times)  # (N, R); N doubles
        cells = [str(n), *(f"{2**mean:.0f}" for mean in logs.mean(1))]
        overall = (logs[2] - logs[0]) / 2
        usual = overall if usual is None else usual
        for exponent in (logs[2] - logs[1], overall, overall - usual[:n]):
            low, high = curves.interval(exponent[resamples].mean(1), level)
            cells.append(f"{exponent.mean():.2f} [{low:.2f}, {high:.2f}]")
        cells.append(", ".join(f"{np.median(g):.2f}" for g in gains))
        print(f"| {', '.join(away) or 'nothing'} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
