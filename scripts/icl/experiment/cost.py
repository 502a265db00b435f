"""Estimate a job's cost from its sizes, before anything runs."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace

from icl.job import Job
from icl.models import MODELS

# Requests to a scheduler assume slow machines: a core; and a GPU, three times as slow as the one
# that was measured (`Card`).
SLOWEST_OPERATIONS_PER_MINUTE = 60 * 10e9
SLOWER_THAN_THE_CARD = 3
STARTING_MINUTES = 10  # of a job, beside training
PROCESS_MB = 600  # the interpreter and its libraries
CUDA_MB = 3_000  # what CUDA's context and libraries take of the host's memory: an assumption
ITEMS_AT_ONCE = 4096  # of the evaluations over all items
OPERATIONS_PER_NORMAL = 100  # drawing a normal number takes the time of so many, by measurement


@dataclass(frozen=True)
class Card:
    """What a step takes on a GPU, for the models that have a step of their own there.

    Fitted to benchmarks/card.json and to the jobs whose times it has, within 20 % of each
    (tests/unit/test_cost.py). Times are in seconds.
    """

    name: str = "NVIDIA H200"
    of_step: float = 70e-6  # whatever the replicates
    of_width: float = 0.12e-6  # the same for each unit of the MLP: products too small for a card
    of_replicate: float = 0.6e-6
    operations: float = 31e12  # a second, of products in float32
    numbers_read: float = 1.2e12  # a second, of a context's tokens, twice
    normals: float = 89e9  # a second, of redrawn items
    of_evaluation: float = 37e-3  # of 5,000 sequences, by PyTorch
    sequences: int = 5000
    plain: float = 13  # how much slower a step by autograd is that one graph holds

    def seconds(self, job: Job, weights: int, redrawn: float) -> float:
        """Estimate the time of a job that no rule stops.

        A replicate applies so many weights to a sequence, and draws so many normal numbers at a
        step.
        """
        batch, replicates = job.optimiser.batch_size, len(job.seeds)
        read = 2 * batch * job.context_length * (job.model.item_dim + 2)
        of_replicate = self.of_replicate + 6 * batch * weights / self.operations
        of_replicate += read / self.numbers_read + redrawn / self.normals
        of_step = self.of_step + self.of_width * job.model.hidden_dim + replicates * of_replicate
        if not MODELS[job.model.name].has_gpu_step:
            of_step *= self.plain
        return job.steps * of_step + self.evaluating(job)

    def evaluating(self, job: Job) -> float:
        """Estimate the time of a job's evaluations, which a few replicates take as many do."""
        evaluated = job.evaluation.sequences
        share = (evaluated.icl + evaluated.iwl + evaluated.train) / self.sequences
        evaluations = len(job.evaluation.at(job.steps))
        return evaluations * self.of_evaluation * max(share, 0.1)


@dataclass(frozen=True)
class Cost:
    """The estimated cost of a job."""

    operations: float  # of training, or what takes as long; evaluations come on top
    memory_mb: int  # peak memory in megabytes, the interpreter and its libraries included
    minutes: int  # wall time to ask a scheduler for, far above what one core should need
    gpu_minutes: int  # the same on a GPU
    gpu_seconds: float  # what the GPU that was measured should need (`Card`)

    def memory(self, attempt: int, device: str | None) -> int:
        """Return the host's memory to ask a scheduler for, in megabytes: more at each attempt."""
        return attempt * (self.memory_mb + (CUDA_MB if device == "cuda" else 0))

    def time_limit(self, attempt: int, device: str, most: int | None) -> int:
        """Return the minutes to ask a scheduler for: more at each attempt, up to `most`."""
        minutes = attempt * (self.gpu_minutes if device == "cuda" else self.minutes)
        return min(minutes, most or minutes)


def largest(jobs: Iterable[Job]) -> Cost:
    """Return the largest of each cost: what any of the jobs can be run with."""
    return Cost(*map(max, zip(*(astuple(cost(job)) for job in jobs), strict=True)))


def together(jobs: Iterable[Job]) -> Cost:
    """Return what jobs that train together cost: on a card one step serves all their replicates.

    Each does its own evaluations.
    """
    jobs = list(jobs)
    each = [cost(job) for job in jobs]
    longest = max(jobs, key=lambda job: job.steps)
    of_all = cost(replace(longest, seeds=tuple(seed for job in jobs for seed in job.seeds)))
    evaluating = Card().evaluating
    on_gpu = of_all.gpu_seconds - evaluating(longest) + sum(map(evaluating, jobs))
    operations = sum(found.operations for found in each)
    return Cost(
        operations=operations,
        memory_mb=PROCESS_MB + sum(found.memory_mb - PROCESS_MB for found in each),
        minutes=_minutes(operations),
        gpu_minutes=_gpu_minutes(on_gpu),
        gpu_seconds=on_gpu,
    )


def _minutes(operations: float) -> int:
    return STARTING_MINUTES + int(operations / SLOWEST_OPERATIONS_PER_MINUTE)


def _gpu_minutes(seconds: float) -> int:
    return STARTING_MINUTES + int(SLOWER_THAN_THE_CARD * seconds / 60)


def cost(job: Job) -> Cost:
    """Estimate a job's operations and memory.

    The forward pass costs two operations per weight it applies, the backward pass twice that;
    attention reads N tokens twice forwards and twice backwards.
    """
    n_seeds, batch, length = len(job.seeds), job.optimiser.batch_size, job.context_length
    model = MODELS[job.model.name]
    size = model.size(job)
    per_sequence = job.is_redrawn and job.task.redraw == "sequence"
    n_items = job.dataset_size
    redrawn = 0
    if job.is_redrawn:
        redrawn = job.model.item_dim * (batch * length if per_sequence else n_items)
    of_step = batch * size.operations + redrawn * OPERATIONS_PER_NORMAL
    operations = float(n_seeds * job.steps * of_step)
    evaluated = job.evaluation.sequences
    rows = job.labelled_items + job.evaluation.novel_items
    if per_sequence:
        rows += max(batch, evaluated.train) * length
    width = job.model.item_dim + 2
    copies = 8 if job.optimiser.method == "adam" else 4  # moments, and what a step is made of
    copies += 1 if job.optimiser.hold.groups else 0
    numbers = n_seeds * (size.tables * rows * width + copies * size.weights + batch * size.numbers)
    numbers += 6 * n_items * width  # while one replicate's items are drawn
    longest = max(evaluated.icl, evaluated.iwl, evaluated.train)
    numbers += n_seeds * longest * length * 10  # indices of an evaluation's sequences, 64-bit
    if not model.reads_context:
        numbers += n_seeds * ITEMS_AT_ONCE * 3 * job.model.hidden_dim
    on_gpu = Card().seconds(job, size.weights, redrawn)
    return Cost(
        operations=operations,
        memory_mb=PROCESS_MB + int(numbers * 4 / 1e6),
        minutes=_minutes(operations),
        gpu_minutes=_gpu_minutes(on_gpu),
        gpu_seconds=on_gpu,
    )
