"""Jobs that train together, so that blocks of a few replicates fill a card.

Each job keeps its own run: its data, evaluations, stop rule, record and checkpoints. What they
share is the step of training, on the replicates of all of them: parameters and tables are joined,
and each replicate has its own K, rates and decays.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from icl.engine import graphs, steps
from icl.engine.checkpoint import Checkpoints, interrupted
from icl.engine.training import Run
from icl.models import sgd
from icl.task.draws import Sequences
from icl.task.streams import Purpose, StepIndex


class Together:
    """The shared step of runs whose jobs are alike (`icl.experiment.batches.kind`)."""

    def __init__(self, device: torch.device):
        self.device = device
        self.graph = graphs.Graph(self._step, device) if device.type == "cuda" else None
        self.seeds: list[Tensor] = []  # of each run that is joined
        self.way: Callable[..., steps.Arithmetic] | None = None  # how their step is computed

    def join(self, runs: Sequence[Run]) -> None:
        """Join what runs train on, if it is not that which is joined already.

        From here on a run's parameters are views of the joined ones.
        """
        seeds = [run.ensemble.seeds for run in runs]
        if len(seeds) == len(self.seeds) and all(map(operator.is_, seeds, self.seeds)):
            return
        self.runs, self.seeds = list(runs), seeds
        ensembles = [run.ensemble for run in runs]
        counts = [len(each) for each in seeds]
        self.parameters = {
            name: torch.cat([ensemble.parameters[name] for ensemble in ensembles])
            for name in ensembles[0].parameters
        }
        for ensemble, (first, last) in zip(
            ensembles, pairwise(accumulate(counts, initial=0)), strict=True
        ):
            ensemble.parameters = {name: p[first:last] for name, p in self.parameters.items()}
            if ensemble.graph:
                ensemble.graph.forget()
        jobs = [run.job for run in runs]
        self.tables: Any = None  # of redrawn items, a step's own
        if not jobs[0].is_redrawn:
            self.tables = joined([self._form(run, run.ensemble.data.tables) for run in runs])
        descents = sgd.of_jobs(jobs, counts, self.device)
        self.way = self.way or steps.way(jobs[0], self.device, together=True)
        self.arithmetic = self.way(jobs[0], descents)
        if self.graph:
            self.graph.forget()

    def _form(self, run: Run, tables: Any) -> Any:
        """Return a run's tables as the joint arithmetic takes them, which on a CPU is plain."""
        return run.ensemble.arithmetic.unpack(tables) if self.device.type == "cpu" else tables

    def step(self) -> None:
        """Do a step of training in every run."""
        step = self.runs[0].steps
        if self.graph:
            self.graph(step)
        else:
            self._step(step)
        for run in self.runs:
            run.count_step()

    def _step(self, step: StepIndex) -> None:
        batch_size = self.runs[0].job.optimiser.batch_size
        drawn = [
            run.ensemble.data.batch(run.ensemble.seeds, Purpose.TRAINING, step, batch_size)
            for run in self.runs
        ]
        tables = self.tables
        if tables is None:
            pairs = zip(self.runs, drawn, strict=True)
            tables = joined([self._form(run, redrawn) for run, (redrawn, _) in pairs])
        context, target = (
            torch.cat([getattr(sequences, part) for _, sequences in drawn])
            for part in ("context", "target")
        )
        self.arithmetic.step(self.parameters, tables, Sequences(context, target))


def joined(tables: Sequence[Any]) -> Any:
    """Join tables of one kind; those of fewer items end in rows that no sequence looks up."""
    most = max(each.labels.shape[1] for each in tables)

    def filled(x: Tensor) -> Tensor:
        missing = most - x.shape[1]
        return functional.pad(x, (0, 0) * (x.ndim - 2) + (0, missing))

    fields = [vars(each) for each in tables]
    whole = {name: torch.cat([filled(each[name]) for each in fields]) for name in fields[0]}
    return type(tables[0])(**whole)


def train(
    runs: Sequence[Run],
    checkpoints: Sequence[Checkpoints],
    device: torch.device,
    on_progress: Callable[[int, int], None],
    on_end: Callable[[int], None],
) -> None:
    """Train runs to their ends; `on_end` is told the place of each that has ended.

    Runs may have gone on from checkpoints of unlike steps: those behind catch up alone. At each
    evaluation `on_progress` is told the steps that all have done, and the replicates left.

    Raises:
        Interrupted: if a signal asked the process to end; every run has a checkpoint then.
    """
    together, going = None, dict(enumerate(runs))
    while True:
        due = [run for run in going.values() if not run.is_over and run.is_due]
        for run in due:
            run.evaluate()
        for place in [place for place, run in going.items() if run.is_over]:
            on_end(place)
            del going[place]
        if not going:
            return
        active = list(going.values())
        done = min(run.steps for run in active)
        if due:
            on_progress(done, sum(len(run.active) for run in active))
        behind = {place: run for place, run in going.items() if run.steps == done}
        together = together or Together(device)
        together.join(active)
        if len(behind) == len(active):
            together.step()
        else:
            for run in behind.values():
                run.step()
        _save(behind, checkpoints)


def _save(runs: Mapping[int, Run], checkpoints: Sequence[Checkpoints]) -> None:
    """Save the runs, by their places, that are due; all of them if the process was asked to end.

    A signal meets the handler of one job alone, which may have ended: so all are asked.
    """
    why = next((asked for kept in checkpoints if (asked := kept.asked_by)), None)
    if why is None:
        for place, run in runs.items():
            checkpoints[place].save_if_due(run.steps, run.state)
        return
    saved = [checkpoints[place].save(run.steps, run.state()) for place, run in runs.items()]
    raise interrupted(why, next(iter(runs.values())).steps, all(saved))
