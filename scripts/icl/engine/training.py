"""The engine: training of R replicates at once, evaluations on a schedule, stop rules."""

import logging
from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch.nn import functional

from icl import record
from icl.engine import adam, graphs, memorised, order_parameters, steps
from icl.engine.checkpoint import Checkpoints
from icl.job import Job
from icl.models import MODELS, metrics
from icl.models.loading import network
from icl.models.metrics import METRICS
from icl.record import Record, StopReason
from icl.task import draws
from icl.task.sampling import TrainingData
from icl.task.streams import Purpose, StepIndex

log = logging.getLogger(__name__)

HELD_OUT = 250  # sequences of novel items on which attention's scores are compared


class DeviceError(RuntimeError):
    """The device that was asked for is not there."""


def resolve_device(name: str) -> torch.device:
    """Turn "auto", "cpu" or "cuda" into a device; refuse "cuda" where there is none.

    So a GPU allocation never trains on its CPU.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise DeviceError(
            "device: cuda was asked for, but this PyTorch sees no CUDA device; "
            "use device: auto or cpu, or ask the scheduler for a GPU"
        )
    return torch.device("cuda" if available and name != "cpu" else "cpu")


class Ensemble:
    """The replicates of a job that are still training: parameters, data, and how to evaluate."""

    def __init__(self, job: Job, device: torch.device):
        self.job, self.model = job, MODELS[job.model.name]
        self.network = network(job.model.name)
        is_adam = job.optimiser.method == "adam"
        self.arithmetic = steps.choose(adam.with_large_steps(job) if is_adam else job, device)
        self.seeds = torch.tensor(job.seeds, dtype=torch.int64, device=device)
        starts = self.seeds - self.seeds % job.seeds_per_start
        self.parameters = self.network.initialise(starts, job.model)
        large_step = self.arithmetic.step
        self.adam = adam.Adam(job, self.parameters, large_step) if is_adam else None
        self.data = TrainingData(job, self.seeds, self.arithmetic.embed, self.arithmetic.redraw)
        self.novel: draws.Tables | None = None
        if job.evaluation.novel_items:
            n, dim = job.evaluation.novel_items, job.model.item_dim
            novel = draws.novel_dataset(self.seeds, n, dim, job.task)
            self.novel = self.arithmetic.embed(novel)

        groups = job.optimiser.hold.groups
        self.holds = {
            name: groups[group]
            for name, group in self.network.GROUPS.items()
            if name in self.parameters and group in groups
        }
        self.held: set[str] = set()  # the parameters that the next step does not change
        self.graph = graphs.Graph(self._train_step, device) if device.type == "cuda" else None
        self._clamp(0)

    def _held(self, step: int) -> set[str]:
        """Name the parameters that are held after a number of steps."""
        return {name for name, hold in self.holds.items() if hold.from_ <= step}

    def _clamp(self, step: int) -> None:
        """Give their value to the parameters whose clamp begins after a number of steps."""
        for name, hold in self.holds.items():
            if hold.at is not None and hold.from_ == step:
                self.parameters[name].fill_(hold.at)

    def train_step(self, step: int) -> None:
        """Do one step: from the parameters after `step` steps to those after one more."""
        held = self._held(step)
        if self.graph and held != self.held:
            self.graph.forget()
        self.held = held
        if self.graph:
            self.graph(step)
        else:
            self._train_step(step)
        self._clamp(step + 1)

    def _train_step(self, step: StepIndex) -> None:
        batch_size = self.job.optimiser.batch_size
        batch = self.data.batch(self.seeds, Purpose.TRAINING, step, batch_size)
        # What is held gives a copy to be trained, and so keeps its own bits.
        copies = {name: self.parameters[name].clone() for name in self.held}
        trained = self.parameters | copies
        if self.adam:
            self.adam.step(trained, *batch, step)
        else:
            self.arithmetic.step(trained, *batch)

    @property
    def tensors(self) -> dict[str, torch.Tensor]:
        """All that training changes, by name: parameters, and what the optimiser remembers."""
        found = {"parameter": self.parameters}
        if self.adam:
            found |= {"first moment": self.adam.first, "second moment": self.adam.second}
        return {f"{kind} {name}": value for kind, of in found.items() for name, value in of.items()}

    def _accuracy_and_loss(
        self, tables: draws.Tables, sequences: draws.Sequences
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Average over sequences: accuracy (R,) and binary cross-entropy (R,)."""
        logits = self.arithmetic.logits(self.parameters, tables, sequences, self.job.model)
        margin = tables.labels.gather(1, sequences.target) * logits
        correct = (margin > 0).double().mean(1)
        return correct, functional.softplus(-margin).double().mean(1)

    def _of_sequences(self, step: int) -> dict[str, torch.Tensor]:
        """Measure `METRICS`, and the attention's order parameters if they are asked for."""
        evaluation, length = self.job.evaluation, self.job.context_length
        n = evaluation.sequences
        novel = draws.draw_sequences(
            self.seeds, Purpose.EVALUATE_ICL, step, n.icl, length, evaluation.novel_items
        )
        without_copy = draws.draw_sequences_without_copy(
            self.seeds, Purpose.EVALUATE_IWL, step, n.iwl, length, self.job.dataset_size
        )
        training = self.data.batch(self.seeds, Purpose.EVALUATE_TRAIN, step, n.train)
        assert self.novel is not None  # validation asks for novel items where a model has ICL
        icl_accuracy, icl_loss = self._accuracy_and_loss(self.novel, novel)
        iwl_accuracy, iwl_loss = self._accuracy_and_loss(self.data.tables, without_copy)
        _, train_loss = self._accuracy_and_loss(*training)
        values = (icl_accuracy, iwl_accuracy, icl_loss, iwl_loss, train_loss)
        measured = dict(zip(METRICS, values, strict=True))
        if not (evaluation.order_parameters or evaluation.substitutions):
            return measured
        held_out = draws.Sequences(novel.context[:, :HELD_OUT], novel.target[:, :HELD_OUT])
        tables = self.arithmetic.unpack(self.novel)
        given = self.parameters, tables, held_out, self.job.model
        if evaluation.order_parameters:
            measured |= self.network.order_parameters(*given)
        if evaluation.substitutions:
            found = self.network.substituted(*given)
            measured |= {f"icl_of_{word}": found[word] for word in evaluation.substitutions}
        return measured

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, np.ndarray]:
        """Measure every metric after a number of steps: name -> (R,)."""
        job = self.job
        measured = self._of_sequences(step) if self.model.reads_context else {}
        if self.model.measures_items(job):
            measured |= order_parameters.of_items(
                self.arithmetic.item_logits,
                self.parameters,
                self.data.tables,
                job.model,
                self.data.probabilities(),
                job.dataset_size,
            )
        values = torch.stack(list(measured.values())).cpu().numpy()  # one copy from the device
        return dict(zip(measured, values, strict=True))

    def keep(self, rows: np.ndarray) -> None:
        """Let the other replicates leave, so that they cost nothing from here on."""
        index = torch.from_numpy(rows).to(self.seeds.device)
        self.seeds = self.seeds[index]
        self.parameters = {name: p[index].contiguous() for name, p in self.parameters.items()}
        if self.adam:
            self.adam.keep(index)
        self.data.keep(index)
        self.novel = self.novel and self.novel.select(index)
        if self.graph:
            self.graph.forget()


class StopRule:
    """Decides, evaluation by evaluation, which replicates stop and why."""

    def __init__(self, job: Job):
        self.stop = job.stop
        n = len(job.seeds)
        self.streaks = {reason: np.zeros(n, dtype=int) for reason in StopReason}

    def reasons(self, measured: dict[str, np.ndarray], active: np.ndarray) -> np.ndarray:
        """Return each active replicate's reason to stop now, or -1."""
        reasons = np.full(len(active), -1)
        for reason, passed in record.passing(self.stop, measured).items():
            streak = self.streaks[reason]
            streak[active] = np.where(passed, streak[active] + 1, 0)
            reasons[streak[active] >= self.stop.confirmations] = reason
        losses = [values for name, values in measured.items() if name.endswith("loss")]
        finite = np.isfinite(losses).all(axis=0)
        reasons[~finite] = StopReason.DIVERGED
        return reasons


class Run:
    """A job under way: its replicates, the record so far and the stop rule's memory."""

    def __init__(self, job: Job, device: torch.device, weights_at: Iterable[str] = ()):
        self.job, self.ensemble, self.rule = job, Ensemble(job, device), StopRule(job)
        self.at, n = job.evaluation.at(job.steps), len(job.seeds)
        self.metrics = {
            name: np.full((n, len(self.at)), np.nan) for name in metrics.metrics_of(job)
        }
        self.stop_step = np.full(n, job.steps)
        self.stop_reason = np.full(n, StopReason.LAST_STEP, dtype=np.int8)
        self.active = np.arange(n)
        self.steps, self.evaluations = 0, 0  # done
        start = {name: p.cpu().numpy() for name, p in self.ensemble.parameters.items()}
        self.weights = {
            when: {name: np.full_like(p, np.nan) for name, p in start.items()}
            for when in weights_at
        }
        self._keep_weights("0")

    def _history(self) -> dict[str, np.ndarray]:
        """Return the arrays with an entry for every replicate, even those that have left."""
        return {
            "stop_step": self.stop_step,
            "stop_reason": self.stop_reason,
            **{f"metric {name}": values for name, values in self.metrics.items()},
            **{f"streak {int(reason)}": values for reason, values in self.rule.streaks.items()},
            **{
                f"weights {when} {name}": values
                for when, kept in self.weights.items()
                for name, values in kept.items()
            },
        }

    def state(self) -> dict[str, np.ndarray]:
        """Return all that determines how the job goes on; only valid until the next step."""
        return {
            "done": np.array([self.steps, self.evaluations]),
            "active": self.active,
            **self._history(),
            **{name: value.cpu().numpy() for name, value in self.ensemble.tensors.items()},
        }

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a state."""
        expected = {name: (v.dtype, v.shape) for name, v in self.state().items()}
        active = state.get("active", self.active)
        expected["active"] = (active.dtype, active.shape)
        for name in self.ensemble.tensors:
            dtype, shape = expected[name]
            expected[name] = (dtype, (len(active), *shape[1:]))
        if {name: (v.dtype, v.shape) for name, v in state.items()} != expected:
            raise ValueError("its arrays are not those that this version of the code needs")
        self.steps, self.evaluations = state["done"].tolist()
        self._let_others_leave(active)
        for name, values in self._history().items():
            values[...] = state[name]
        for name, tensor in self.ensemble.tensors.items():
            tensor.copy_(torch.from_numpy(state[name]))

    def _let_others_leave(self, staying: np.ndarray) -> None:
        """Keep the replicates in `staying`, a part of `active`."""
        if len(staying) < len(self.active):
            self._keep_weights("end")  # of those that stay, to be replaced when they leave
            self.ensemble.keep(np.searchsorted(self.active, staying))
            self.active = staying

    def _keep_weights(self, when: str) -> None:
        """Copy the parameters of the active replicates, if they are asked for then."""
        for name, kept in self.weights.get(when, {}).items():
            kept[self.active] = self.ensemble.parameters[name].cpu().numpy()

    def step(self) -> None:
        """Do one step of training."""
        self.ensemble.train_step(self.steps)
        self.count_step()

    def count_step(self) -> None:
        """Note that the ensemble has done a step."""
        self.steps += 1
        self._keep_weights(str(self.steps))

    def evaluate(self) -> None:
        """Do the evaluation that is due; whoever stops by it leaves."""
        step, active = self.steps, self.active
        measured = self.ensemble.evaluate(step)
        reasons = self.rule.reasons(measured, active)
        healthy = reasons != StopReason.DIVERGED
        for name, values in measured.items():
            self.metrics[name][active[healthy], self.evaluations] = values[healthy]
        for seed in np.asarray(self.job.seeds)[active[~healthy]]:
            log.warning("seed %d diverged: a loss is not finite at step %d", seed, step)
        stopping = active[reasons >= 0]
        self.stop_step[stopping], self.stop_reason[stopping] = step, reasons[reasons >= 0]
        self.evaluations += 1
        self._let_others_leave(active[reasons < 0])

    @property
    def is_due(self) -> bool:
        """True if the next thing to do is to evaluate."""
        return self.steps == self.at[self.evaluations]

    @property
    def is_over(self) -> bool:
        """True once nothing is left to train."""
        return self.evaluations == len(self.at) or not len(self.active)

    def end(self) -> None:
        """Let the remaining replicates leave, so that the last state holds no parameters."""
        self._let_others_leave(self.active[:0])

    def record(self) -> Record:
        """Return the job's measurements."""
        metrics, summaries = self.metrics, {}
        model = self.ensemble.model
        if model.measures_items(self.job):
            time = self.job.optimiser.learning_rate * np.asarray(self.at)
            metrics["i_k"] = memorised.integral(time, metrics["c1"])
            if not model.reads_context:
                summaries = memorised.summarise(time, metrics["c1"])
        at, stops = np.asarray(self.at), (self.stop_step, self.stop_reason)
        return Record(at, metrics, *stops, summaries, self.weights)


def train(
    job: Job,
    device: torch.device | str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
    checkpoints: Checkpoints | None = None,
    weights_at: Iterable[str] = (),
) -> Record:
    """Train the replicates of a job and record their evaluations.

    A replicate that stops leaves the batch; one whose losses are not finite is recorded as
    diverged, with NaN from that evaluation on. With `checkpoints`, the job goes on from the last,
    to the same bits, and raises `Interrupted` if a signal asks the process to end.

    At each evaluation `on_progress` is told the steps done and the replicates left. `weights_at`
    are steps, and "end" for each replicate's own last, whose weights to record; a checkpoint holds
    them too, so one that was made with others is refused.
    """
    run = Run(job, torch.device(device), weights_at)
    if checkpoints:
        checkpoints.resume(run.restore)
    while not run.is_over:
        while not run.is_due:
            run.step()
            if checkpoints:
                checkpoints.after_step(run.steps, run.state)
        run.evaluate()
        if on_progress:
            on_progress(run.steps, len(run.active))
    run.end()
    if checkpoints:
        checkpoints.save(run.steps, run.state(), final=True)
    return run.record()
