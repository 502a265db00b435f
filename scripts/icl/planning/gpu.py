"""Estimate a job's cost on a GPU from its sizes: operations, bytes, block and hours.

Nothing here is measured. Operations and memory are those of `icl.experiment.cost`. Bytes and
kernels are counted on one step of the real engine on the `meta` device, where it runs as it would
on a GPU, operation by operation, but computes nothing: every operation reads its operands and
writes its result once.
"""

from dataclasses import dataclass, replace
from functools import cache

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from icl.engine import training
from icl.experiment.cost import cost
from icl.job import Job

SHARES = (0.25, 0.5)  # of the peak rates that is reached: an assumption, not a measurement
SECONDS_PER_KERNEL = 5e-6  # what launching one takes: an assumption
# These read as much as they write, however large their operand is.
LOOKUPS = {"gather", "index", "embedding", "index_select", "select_backward", "slice_backward"}


@dataclass(frozen=True)
class Card:
    """A GPU by its data sheet: FP32 operations/s without tensor cores, bytes/s, bytes."""

    name: str
    operations: float
    bandwidth: float
    memory: float


CARD = Card("NVIDIA A100 SXM, 80 GB", 19.5e12, 2.039e12, 80e9)


class Traffic(TorchDispatchMode):
    """Counts the operations that launch a kernel, and the bytes that they read and write."""

    def __init__(self):
        super().__init__()
        self.kernels = self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run an operation and count it, unless it is only a view or an allocation."""
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if func.is_view or name.startswith(("empty", "_unsafe_view", "detach")):
            return out
        written = sum(map(_n_bytes, _tensors(out)))
        read = sum(map(_n_bytes, _tensors((args, kwargs))))
        self.kernels += 1
        self.bytes += written + (min(read, 2 * written) if name in LOOKUPS else read)
        return out


def _tensors(nested) -> list[torch.Tensor]:
    if isinstance(nested, torch.Tensor):
        return [nested]
    if isinstance(nested, dict):
        nested = tuple(nested.values())
    if not isinstance(nested, list | tuple):
        return []
    return [tensor for part in nested for tensor in _tensors(part)]


def _n_bytes(tensor: torch.Tensor) -> int:
    """Count what a tensor holds in memory: along an expanded dimension there is one row."""
    n = tensor.element_size()
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        n *= size if stride else 1
    return n


@dataclass(frozen=True)
class Demand:
    """A job's demand on a GPU.

    Attributes:
        operations: floating-point operations of a replicate-step.
        bytes: moved to and from memory in a replicate-step.
        kernels: launched in a step, whatever the block.
        kernels_per_replicate: and more for each replicate.
        memory: bytes of a replicate while it trains.
        fixed_memory: bytes beside the replicates.
    """

    operations: float
    bytes: float
    kernels: float
    kernels_per_replicate: float
    memory: float
    fixed_memory: float

    @property
    def block(self) -> int:
        """Return how many replicates fill the card."""
        return int((CARD.memory - self.fixed_memory) / self.memory)

    def limits(self, n_replicates: int, share: float) -> dict[str, float]:
        """Return the time of a step of a block as each limit alone would have it."""
        kernels = self.kernels + n_replicates * self.kernels_per_replicate
        return {
            "arithmetic": n_replicates * self.operations / (share * CARD.operations),
            "memory": n_replicates * self.bytes / (share * CARD.bandwidth),
            "launches": SECONDS_PER_KERNEL * kernels,
        }


def _traffic(job: Job, n_replicates: int) -> Traffic:
    sized = replace(job, seeds=tuple(range(n_replicates)))
    ensemble = training.Ensemble(sized, torch.device("meta"))
    with Traffic() as traffic:
        ensemble.train_step(0)
    return traffic


def demand(job: Job) -> Demand:
    """Estimate what a job asks of a GPU, from two sizes of its block."""
    few, many = 1, 3
    small, large = _traffic(job, few), _traffic(job, many)
    kernels = (large.kernels - small.kernels) / (many - few)
    blocks = [replace(job, seeds=tuple(range(n))) for n in (1_000, 2_000)]
    memory = [cost(block).memory_mb * 1e6 for block in blocks]
    per_replicate = (memory[1] - memory[0]) / 1_000
    return Demand(
        operations=cost(job).operations / (len(job.seeds) * job.steps),
        bytes=(large.bytes - small.bytes) / (many - few),
        kernels=small.kernels - few * kernels,
        kernels_per_replicate=kernels,
        memory=per_replicate,
        fixed_memory=memory[0] - 1_000 * per_replicate,
    )


def hours(jobs: list[Job], share: float, filled: bool) -> float:
    """Estimate the GPU hours of training, in the jobs' own blocks or in blocks that fill the card.

    A step takes the longest of its limits, as if the others went on meanwhile. Evaluations come on
    top; a run that stops early takes less.
    """
    total = 0.0
    for job in jobs:
        asked = demand_at(job)
        block = asked.block if filled else len(job.seeds)
        of_step = max(asked.limits(block, share).values()) * len(job.seeds) / block
        total += job.steps * of_step / 3600
    return total


def demand_at(job: Job) -> Demand:
    """Look up the demand at a job's N and K: it is the same for all its blocks."""
    return _demand_once(replace(job, seeds=(0,)))


_demand_once = cache(demand)
