"""The engine: SGD on R replicates at once, evaluations on a schedule, stop rules."""

import logging
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

from icl import memorised, order_parameters, records, steps, tasks
from icl.config import Job
from icl.models import MODELS
from icl.records import METRICS, Record, StopReason
from icl.sampling import TrainingData
from icl.streams import Purpose

log = logging.getLogger(__name__)

HELD_OUT = 250  # sequences of novel items on which attention's scores are compared


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


def resolve_device(name: str) -> torch.device:
    """Turn "auto", "cpu" or "cuda" into a device.

    Raises:
        DeviceError: if "cuda" is asked for where there is none, so that a GPU allocation never
            trains on its CPU.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError(
            "device: cuda was asked for, but this PyTorch sees no CUDA device; "
            "use device: auto or cpu, or ask the scheduler for a GPU"
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


class _Ensemble:
    """The replicates of a job that are still training: parameters, data, and how to evaluate."""

    def __init__(self, job: Job, device: torch.device):
        self.job = job
        self.arithmetic = steps.choose(job, device)
        self.seeds = torch.tensor(job.seeds, dtype=torch.int64, device=device)
        self.parameters = MODELS[job.model.name].initialise(self.seeds, job.model)
        self.data = TrainingData(job, self.seeds, self.arithmetic.embed, self.arithmetic.redraw)
        self.novel = None
        if job.evaluation.novel_items:
            n, dim = job.evaluation.novel_items, job.model.item_dim
            novel = tasks.novel_dataset(self.seeds, n, dim, job.task)
            self.novel = self.arithmetic.embed(novel)

    def train_step(self, step: int) -> None:
        """Do one step of SGD."""
        batch_size = self.job.optimiser.batch_size
        batch = self.data.batch(self.seeds, Purpose.TRAINING, step, batch_size)
        self.arithmetic.step(self.parameters, *batch)

    def _accuracy_and_loss(self, tables, sequences):
        """Average over sequences: accuracy (R,) and binary cross-entropy (R,)."""
        logits = self.arithmetic.logits(self.parameters, tables, sequences, self.job.model)
        margin = tables.labels.gather(1, sequences.target) * logits
        correct = (margin > 0).double().mean(1)
        return correct, functional.softplus(-margin).double().mean(1)

    def _of_sequences(self, step: int) -> dict[str, torch.Tensor]:
        """Measure `METRICS`, and the attention's order parameters if they are asked for."""
        evaluation, length = self.job.evaluation, self.job.context_length
        n = evaluation.sequences
        novel = tasks.draw_sequences(
            self.seeds, Purpose.EVALUATE_ICL, step, n.icl, length, evaluation.novel_items
        )
        without_copy = tasks.draw_sequences_without_copy(
            self.seeds, Purpose.EVALUATE_IWL, step, n.iwl, length, self.data.n_items
        )
        training = self.data.batch(self.seeds, Purpose.EVALUATE_TRAIN, step, n.train)
        icl_accuracy, icl_loss = self._accuracy_and_loss(self.novel, novel)
        iwl_accuracy, iwl_loss = self._accuracy_and_loss(self.data.tables, without_copy)
        _, train_loss = self._accuracy_and_loss(*training)
        values = (icl_accuracy, iwl_accuracy, icl_loss, iwl_loss, train_loss)
        measured = dict(zip(METRICS, values, strict=True))
        if evaluation.order_parameters and self.job.model.name == "minimal":
            measured |= {name: self.parameters[name].double() for name in ("beta", "w")}
        elif evaluation.order_parameters:
            held_out = tasks.Sequences(novel.context[:, :HELD_OUT], novel.target[:, :HELD_OUT])
            measured |= order_parameters.of_head(
                self.parameters, self.arithmetic.unpack(self.novel), held_out, self.job.model
            )
        return measured

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, np.ndarray]:
        """Measure every metric after a number of steps: name -> (R,)."""
        job = self.job
        measured = {} if job.model.name == "mlp" else self._of_sequences(step)
        if records.measures_items(job):
            measured |= order_parameters.of_items(
                self.arithmetic.item_logits,
                self.parameters,
                self.data.tables,
                job.model,
                self.data.probabilities(),
            )
        values = torch.stack(list(measured.values())).cpu().numpy()  # one copy from the device
        return dict(zip(measured, values, strict=True))

    def keep(self, rows: np.ndarray) -> None:
        """Let the other replicates leave, so that they cost nothing from here on."""
        index = torch.from_numpy(rows).to(self.seeds.device)
        self.seeds = self.seeds[index]
        self.parameters = {name: p[index].contiguous() for name, p in self.parameters.items()}
        self.data.keep(index)
        self.novel = self.novel and self.novel.select(index)


class _StopRule:
    """Decides, evaluation by evaluation, which replicates stop and why."""

    def __init__(self, job: Job):
        self.stop = job.stop
        n = len(job.seeds)
        self.streaks = {reason: np.zeros(n, dtype=int) for reason in StopReason}

    def reasons(self, measured: dict[str, np.ndarray], active: np.ndarray) -> np.ndarray:
        """Return each active replicate's reason to stop now, or -1."""
        reasons = np.full(len(active), -1)
        rules = []
        if self.stop.when in ("memorised", "decided"):
            if self.stop.c1 is None:
                passed = measured["iwl_accuracy"] >= self.stop.iwl_accuracy
            else:
                passed = measured["c1"] <= self.stop.c1
            rules.append((StopReason.MEMORISED, passed))
        if self.stop.when in ("acquired", "decided"):
            acquired = measured["icl_accuracy"] > self.stop.icl_accuracy
            rules.append((StopReason.ACQUIRED, acquired))
        for reason, passed in rules:
            streak = self.streaks[reason]
            streak[active] = np.where(passed, streak[active] + 1, 0)
            reasons[streak[active] >= self.stop.confirmations] = reason
        losses = [values for name, values in measured.items() if name.endswith("loss")]
        finite = np.isfinite(losses).all(axis=0)
        reasons[~finite] = StopReason.DIVERGED
        return reasons


def train(
    job: Job,
    device: torch.device | str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
) -> Record:
    """Train the replicates of a job and record their evaluations.

    Args:
        job: what to train.
        device: where.
        on_progress: called at each evaluation with the steps done and the replicates left.

    Returns:
        The record. A replicate that stops leaves the batch; one whose losses are not finite is
        recorded as diverged, with NaN from that evaluation on.
    """
    ensemble, rule = _Ensemble(job, torch.device(device)), _StopRule(job)
    at = job.evaluation.at(job.steps)
    shape = (len(job.seeds), len(at))
    metrics = {name: np.full(shape, np.nan) for name in records.metrics_of(job)}
    stop_step = np.full(len(job.seeds), job.steps)
    stop_reason = np.full(len(job.seeds), StopReason.LAST_STEP, dtype=np.int8)
    active = np.arange(len(job.seeds))
    done = 0
    for index, step in enumerate(at):
        for now in range(done, step):
            ensemble.train_step(now)
        done = step
        measured = ensemble.evaluate(step)
        reasons = rule.reasons(measured, active)
        for name, values in measured.items():
            healthy = reasons != StopReason.DIVERGED
            metrics[name][active[healthy], index] = values[healthy]
        for seed in np.asarray(job.seeds)[active[reasons == StopReason.DIVERGED]]:
            log.warning("seed %d diverged: a loss is not finite at step %d", seed, step)
        stopping = active[reasons >= 0]
        stop_step[stopping], stop_reason[stopping] = step, reasons[reasons >= 0]
        if on_progress:
            on_progress(step, len(active) - len(stopping))
        if len(stopping) == len(active):
            break
        if len(stopping):
            ensemble.keep(np.flatnonzero(reasons < 0))
            active = active[reasons < 0]
    summaries = {}
    if records.measures_items(job):
        time = job.optimiser.learning_rate * np.asarray(at)
        metrics["i_k"] = memorised.integral(time, metrics["c1"])
        if job.model.name == "mlp":
            summaries = memorised.summarise(time, metrics["c1"])
    return Record(np.asarray(at), metrics, stop_step, stop_reason, summaries)
