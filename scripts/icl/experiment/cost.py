"""Estimate a job's cost from its sizes, before anything runs."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass

from icl.job import Job
from icl.models import MODELS

# Requests to a scheduler assume slow machines: a core; and a GPU, on which the many small kernels
# of a step take the time (counted in docs/performance.md; none was measured).
SLOWEST_OPERATIONS_PER_MINUTE = 60 * 10e9
SLOWEST_GPU_OPERATIONS_PER_MINUTE = 60 * 2e12
GPU_MINUTES_PER_KERNEL = 20e-6 / 60
KERNELS_PER_STEP = 300
KERNELS_OF_REDRAWING = 350
STARTING_MINUTES = 10  # of a job, beside training
PROCESS_MB = 600  # the interpreter and its libraries
CUDA_MB = 3_000  # what CUDA's context and libraries take of the host's memory: an assumption
ITEMS_AT_ONCE = 4096  # of the evaluations over all items
OPERATIONS_PER_NORMAL = 100  # drawing a normal number takes the time of so many, by measurement


@dataclass(frozen=True)
class Cost:
    """The estimated cost of a job.

    Attributes:
        operations: floating-point operations of training, or what takes as long (evaluations and
            compilation come on top).
        memory_mb: peak memory in megabytes, the interpreter and its libraries included.
        minutes: wall time to ask a scheduler for, far above what one core should need.
        gpu_minutes: the same on a GPU.
    """

    operations: float
    memory_mb: int
    minutes: int
    gpu_minutes: int

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
    rows = n_items + job.evaluation.novel_items
    if per_sequence:
        rows += max(batch, evaluated.train) * length
    width = job.model.item_dim + 2
    numbers = n_seeds * (size.tables * rows * width + 4 * size.weights + batch * size.numbers)
    numbers += 6 * n_items * width  # while one replicate's items are drawn
    longest = max(evaluated.icl, evaluated.iwl, evaluated.train)
    numbers += n_seeds * longest * length * 10  # indices of an evaluation's sequences, 64-bit
    if not model.reads_context:
        numbers += n_seeds * ITEMS_AT_ONCE * 3 * job.model.hidden_dim
    kernels = KERNELS_PER_STEP + (KERNELS_OF_REDRAWING if redrawn else 0)
    on_gpu = operations / SLOWEST_GPU_OPERATIONS_PER_MINUTE
    on_gpu += job.steps * kernels * GPU_MINUTES_PER_KERNEL
    return Cost(
        operations=operations,
        memory_mb=PROCESS_MB + int(numbers * 4 / 1e6),
        minutes=STARTING_MINUTES + int(operations / SLOWEST_OPERATIONS_PER_MINUTE),
        gpu_minutes=STARTING_MINUTES + int(on_gpu),
    )
