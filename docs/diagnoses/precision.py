"""Does a run know at which precision its products were made? See docs/performance.md.

    OMP_NUM_THREADS=1 python docs/diagnoses/precision.py [gradients | times | thresholds | memories]

A precision is accepted if all of this holds, in the laptop's regime at N = 32 and on seeds of no
claim. As a control, "4 bits" keeps four significant bits.

1. gradients: on 64 batches at K = infinity, at the start, half-way to t_ICL, at t_ICL and at twice
   that, the distance from the gradient in float64 is under 1 % of the batches' own spread, for
   every parameter and each of four seeds. Distances and spreads are root mean squares. (Where the
   spread of a parameter is nothing beside that of all, it is not asked.) In brackets: the distance
   of the mean gradients of the batches, which is what does not average out.
2. times: paired over 128 seeds at K = infinity, t_ICL differs by less than 2 % in the geometric
   mean, with its 95 % interval.
3. thresholds: K* over six K of 24 seeds is in the 95 % interval of float32's.
4. memories: c1 of the MLP alone after 3,000 steps on 1,900 items, the geometric mean over 32 seeds,
   is in the 95 % interval of float32's.
"""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, steps, training
from icl.experiment.validation import Sources, check
from icl.job import Job, Stop
from icl.kernels.products import PRECISIONS, Precision, at
from icl.measurements import base, transition
from icl.models.layers import Parameters
from icl.record import Record
from icl.statistics import curves
from icl.task.streams import Purpose

LENGTH = 32
NEVER = Stop("never", None, None, None)
PRECISIONS["4 bits"] = Precision(4)
LESS = [name for name in PRECISIONS if name != "float32"]
FIT = {
    "response": "final_accuracy",
    "floor": 0.5,
    "ceiling": [0.9, 1.0],
    "confidence": 0.95,
    "resamples": 2000,
    "seed": 1,
}
GRADIENT_SEEDS, BATCHES, NOTHING = tuple(range(70_000, 70_004)), 64, 1e-3
TIME_SEEDS = tuple(range(70_100, 70_228))
THRESHOLD_SEEDS = tuple(range(70_300, 70_324))
MEMORY_SEEDS, MEMORY_ITEMS, MEMORY_STEPS = tuple(range(70_400, 70_432)), 1900, 3000


def job_of(experiment: str, **changes) -> Job:
    """Take a job of the laptop's size and change it."""
    sources = Sources.of_size([ROOT / "config/laptop.yaml"])
    jobs = check(sources.merged(), sources)[experiment]
    job = next(job for job in jobs if job.context_length in (1, LENGTH))
    return replace(job, **changes)


def trained(job: Job, precision: str) -> Record:
    """Train a job at a precision, 32 seeds at a time."""
    job = replace(job, optimiser=replace(job.optimiser, precision=precision))
    parts = [
        training.train(replace(job, seeds=job.seeds[first : first + 32]))
        for first in range(0, len(job.seeds), 32)
    ]
    joined = {
        name: np.concatenate([part.metrics[name] for part in parts]) for name in parts[0].metrics
    }
    return replace(parts[0], metrics=joined)


def moments(job: Job) -> Iterator[tuple[str, training.Ensemble, int]]:
    """Yield the replicates at the start, half-way to t_ICL, at t_ICL and at twice that."""
    run = training.Run(replace(job, stop=NEVER), torch.device("cpu"))
    record = training.train(replace(job, stop=NEVER))
    accuracy = np.median(record.metrics["icl_accuracy"], axis=0)
    t_icl = int(record.steps[np.argmax(accuracy > 0.95)])
    for name, until in (
        ("start", 0),
        ("half-way", t_icl // 2),
        ("t_ICL", t_icl),
        ("late", 2 * t_icl),
    ):
        while run.steps < until:
            run.step()
        yield name, run.ensemble, run.steps


def rms(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Root of the mean square of norms over a list: (R,)."""
    return torch.stack([x.flatten(1).square().sum(1) for x in tensors]).mean(0).sqrt()


def gradients() -> None:
    """Print each precision's worst distance from float64, as a share of the batches' spread."""
    job = job_of("acquisition", seeds=GRADIENT_SEEDS, steps=4000)
    print("gradients: % of the batches' spread", *PRECISIONS, sep="  ")
    for moment, ensemble, step in moments(job):
        found: dict[str, list[Parameters]] = {name: [] for name in ("float64", *PRECISIONS)}
        for i in range(BATCHES):
            batch = ensemble.data.batch(
                ensemble.seeds, Purpose.TRAINING, step + i, job.optimiser.batch_size
            )
            tables = ensemble.arithmetic.unpack(batch[0])
            in_float64 = type(tables)(*(x.double() for x in vars(tables).values()))
            for name in found:
                exact = name == "float64"
                parameters = {
                    key: p.double() if exact else p for key, p in ensemble.parameters.items()
                }
                given = in_float64 if exact else tables
                with at("float32" if exact else name):
                    gradient = steps.loss_and_gradients(job, parameters, given, batch[1])[1]
                found[name].append(gradient)
        print(moment, *shares(found), sep="  ", flush=True)


def shares(found: dict[str, list[Parameters]]) -> list[str]:
    """Return the worst shares over parameters and seeds, in per cent, of each precision."""
    exact = found.pop("float64")
    mean = {key: torch.stack([g[key] for g in exact]).mean(0) for key in exact[0]}
    spread = {key: rms([g[key] - m for g in exact]) for key, m in mean.items()}
    whole = torch.stack(list(spread.values())).square().sum(0).sqrt()
    out = []
    for of_precision in found.values():
        distances = []
        for key, own in spread.items():
            apart = [g[key] - e[key] for g, e in zip(of_precision, exact, strict=True)]
            both = torch.stack((rms(apart), rms([torch.stack(apart).mean(0)])))  # (2, R)
            distances.append(torch.where(own > NOTHING * whole, both / own, 0.0))
        each, of_means = torch.stack(distances).amax((0, 2)).tolist()
        out.append(f"{100 * each:.2g} ({100 * of_means:.2g})")
    return out


def times() -> None:
    """Print by how much t_ICL differs from float32's, paired over seeds."""
    job = job_of("acquisition", seeds=TIME_SEEDS)
    logs = {}
    for name in PRECISIONS:
        record = trained(job, name)
        clock = np.tile(job.optimiser.learning_rate * record.steps, (len(TIME_SEEDS), 1))
        passed = curves.acquisition_time(record.metrics["icl_accuracy"], clock, 0.95)
        logs[name] = np.where(passed.reached, np.log(passed.time), np.inf)
        apart = logs[name] - logs["float32"]
        mean, error = apart.mean(), 1.98 * apart.std(ddof=1) / len(apart) ** 0.5
        print(
            f"t_ICL at {name}: {100 * mean:+.2f} % "
            f"[{100 * (mean - error):+.2f}, {100 * (mean + error):+.2f}]",
            flush=True,
        )


def thresholds() -> None:
    """Print K* at each precision."""
    items = [340, 520, 800, 1200, 1850, 2800]
    job = job_of("thresholds", seeds=THRESHOLD_SEEDS)
    n_items = np.repeat(items, len(THRESHOLD_SEEDS))
    order = base.resampled(n_items, np.tile(THRESHOLD_SEEDS, len(items)), FIT)
    for name in PRECISIONS:
        finals = [
            trained(replace(job, n_items=k), name).metrics["icl_accuracy"][:, -1] for k in items
        ]
        fit = transition.fit_finals(n_items, np.concatenate(finals), order, FIT)
        k = 10**fit.midpoint
        low, high = np.quantile(k[1:], [0.025, 0.975])
        print(f"K* at {name}: {k[0]:.0f} [{low:.0f}, {high:.0f}]", flush=True)


def memories() -> None:
    """Print c1 of a memorising MLP at each precision."""
    job = job_of("memorisation", seeds=MEMORY_SEEDS, n_items=MEMORY_ITEMS, steps=MEMORY_STEPS)
    for name in PRECISIONS:
        log_c1 = np.log(trained(replace(job, stop=NEVER), name).metrics["c1"][:, -1])
        mean, error = log_c1.mean(), 2.04 * log_c1.std(ddof=1) / len(log_c1) ** 0.5
        low, middle, high = np.exp([mean - error, mean, mean + error])
        print(f"c1 at {name}: {middle:.5f} [{low:.5f}, {high:.5f}]", flush=True)


PARTS = {part.__name__: part for part in (gradients, times, thresholds, memories)}

if __name__ == "__main__":
    machine.prepare(1)
    for part in [name for name in sys.argv[1:] if name in PARTS] or PARTS:
        PARTS[part]()
