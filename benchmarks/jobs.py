"""Peak memory of whole jobs, and the share of their time that is not spent in the step.

    OMP_NUM_THREADS=1 python benchmarks/jobs.py [--json benchmarks/results.json]

Each job is one of a preset's own, in full: its block of replicates, its K, its evaluations. It runs
in a process of its own, whose peak memory the system reports, for a few steps between two
evaluations. Their medians are put together in the proportion of the preset: one evaluation
to `evaluation.every` steps. Setting up is given apart, for it happens once.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from statistics import median

import store
import torch

sys.path.insert(0, str(store.ROOT / "scripts"))

from icl.engine import machine, steps, training
from icl.experiment.cost import cost
from icl.experiment.grid import expand
from icl.experiment.validation import load_yaml
from icl.job import Job, Stop

MEASURED = (  # preset, experiment, K
    ("laptop", "transition", 2200),
    ("laptop", "acquisition", None),
    ("paper", "transition", 11556),
    ("paper", "transition", 100_000),
    ("paper", "acquisition", None),
)


def preset_jobs(preset: str, experiment: str) -> list[Job]:
    """List the jobs of an experiment of a preset."""
    config = load_yaml(store.ROOT / f"config/{preset}.yaml")
    return expand(config["defaults"], config["experiments"][experiment])


def find(preset: str, experiment: str, n_items: int | None) -> Job:
    """Find the first block of an experiment at a K (None: infinity), at the targets' nearest N."""
    wanted = inf if n_items is None else n_items
    jobs = [job for job in preset_jobs(preset, experiment) if job.n_items == wanted]
    return min(jobs, key=lambda job: abs(job.context_length - {"laptop": 64, "paper": 99}[preset]))


class Clock:
    """Notes processor time as each step begins and ends, and after each evaluation."""

    def __init__(self):
        self.began, self.ended, self.evaluated = [], [], []

    def time(self, step: steps.Step) -> steps.Step:
        """Make a step that notes when it runs."""

        def timed(*arguments) -> None:
            self.began.append(time.process_time())
            step(*arguments)
            self.ended.append(time.process_time())

        return timed

    def on_progress(self, done: int, left: int) -> None:
        """Note that an evaluation is done."""
        self.evaluated.append(time.process_time())


@dataclass(frozen=True)
class Times:
    """Processor seconds of a job's parts, for all its replicates together."""

    setup: float
    step: float
    sampling: float
    evaluation: float

    def outside(self, every: int) -> float:
        """Return the share of time outside the step, at one evaluation to so many steps."""
        outside = every * self.sampling + self.evaluation
        return outside / (outside + every * self.step)


def run(job: Job, n_steps: int) -> Times:
    """Run a job for a few steps between two evaluations, and time its parts."""
    clock, start, choose = Clock(), time.process_time(), steps.choose

    def choose_timed(job: Job, device: torch.device) -> steps.Arithmetic:
        arithmetic = choose(job, device)
        return replace(arithmetic, step=clock.time(arithmetic.step))

    evaluation = replace(job.evaluation, schedule="linear", every=n_steps)
    never = Stop("never", None, None, None)
    steps.choose = choose_timed
    try:
        short = replace(job, steps=n_steps, evaluation=evaluation, stop=never)
        training.train(short, "cpu", clock.on_progress)
    finally:
        steps.choose = choose
    began, ended = clock.began[1:], clock.ended[1:]  # the first step makes its buffers
    return Times(
        setup=clock.evaluated[0] - start,
        step=median(end - begin for begin, end in zip(began, ended, strict=True)),
        sampling=median(b - a for a, b in zip(clock.ended, began, strict=False)),
        evaluation=clock.evaluated[1] - clock.ended[-1],
    )


def peak_mb() -> float:
    """Return the peak memory of this process in megabytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure_here(preset: str, experiment: str, n_items: int | None, n_steps: int) -> dict:
    """Measure a job in this process, which does nothing else."""
    machine.prepare(1)
    before = peak_mb()
    job = find(preset, experiment, n_items)
    times = run(job, n_steps)
    return {
        "preset": preset,
        "experiment": experiment,
        "context_length": job.context_length,
        "n_items": n_items,
        "hidden_dim": job.model.hidden_dim,
        "n_replicates": len(job.seeds),
        "every": job.evaluation.every,
        "seconds": asdict(times),
        "outside_the_step": times.outside(job.evaluation.every),
        "peak_mb": peak_mb(),
        "before_mb": before,  # of the interpreter and its libraries
        "estimated_mb": cost(job).memory_mb,
    }


def measure(index: int, n_steps: int) -> dict:
    """Measure a job in a process of its own."""
    command = [sys.executable, __file__, "--only", str(index), "--steps", str(n_steps)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Measure every job and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers into this file")
    parser.add_argument("--steps", type=int, default=20, help="steps of each job")
    parser.add_argument("--only", type=int, help="measure this one here, and print it as JSON")
    arguments = parser.parse_args()
    if arguments.only is not None:
        print(json.dumps(measure_here(*MEASURED[arguments.only], arguments.steps)))
        return
    found = []
    for index, (preset, experiment, n_items) in enumerate(MEASURED):
        job = measure(index, arguments.steps)
        found.append(job)
        print(
            f"{preset} {experiment}, K={n_items or 'infinity'}: peak {job['peak_mb']:.0f} MB, "
            f"outside the step {job['outside_the_step']:.0%}",
            flush=True,
        )
    if arguments.json:
        store.update(arguments.json, "jobs", {"jobs": found})


if __name__ == "__main__":
    main()
