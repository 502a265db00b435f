"""Estimate what a job takes on a GPU from its sizes: operations, bytes, block and hours.

    python benchmarks/gpu.py

prints the estimates for the paper's size. Nothing here is measured. Operations and memory are those
of `icl.experiment.cost`. Bytes and kernels are counted on one step of the real engine on the `meta`
device, where it runs as it would on a GPU, operation by operation, but computes nothing: every
operation reads its operands and writes its result once.
"""

import sys
from dataclasses import dataclass, replace
from functools import cache

import store
import torch
from torch.utils._python_dispatch import TorchDispatchMode

sys.path.insert(0, str(store.ROOT / "scripts"))

from icl.engine import training
from icl.experiment.cost import cost
from icl.job import Job, items_text
from jobs import preset_jobs

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


def table() -> str:
    """Lay the estimates for the paper's size out as Markdown."""
    lines = [
        "| estimate (R: replicates of a block) | operations per replicate-step | bytes "
        "| kernels per step | memory of a replicate | R that fills the card "
        "| limited by, own R | limited by, filled |",
        "|---|---|---|---|---|---|---|---|",
    ]
    totals = [
        "| estimate, all jobs | replicate-steps at most |"
        + "".join(f" hours at {share:.0%} of peak, own R | filled |" for share in SHARES),
        "|---|---|" + "---|---|" * len(SHARES),
    ]
    for experiment in ("transition", "acquisition"):
        jobs = preset_jobs("paper", experiment)
        ordered = sorted(
            jobs, key=lambda job: (job.context_length, 0 if job.is_redrawn else job.n_items)
        )
        lines += [_row(experiment, job) for job in (ordered[0], ordered[-1])]
        n = sum(len(job.seeds) * job.steps for job in jobs)
        cells = [f"{hours(jobs, share, filled):,.1f}" for share in SHARES for filled in (0, 1)]
        totals.append(f"| {experiment} | {n / 1e6:,.0f} million | " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", *totals])


def _row(experiment: str, job: Job) -> str:
    asked, own = demand_at(job), len(job.seeds)
    n_items = items_text(job.n_items, ",")
    each = f" + {asked.kernels_per_replicate:.0f} R" if asked.kernels_per_replicate else ""
    limited = []
    for n_replicates in (own, asked.block):
        limits = asked.limits(n_replicates, SHARES[-1])
        limited.append(max(limits, key=limits.get))
    return (
        f"| {experiment}, N = {job.context_length}, K = {n_items}, R = {own} "
        f"| {asked.operations / 1e9:.2f} G | {asked.bytes / 1e6:.0f} MB "
        f"| {asked.kernels:.0f}{each} | {asked.memory / 1e6:.0f} MB | {asked.block:,} "
        f"| {limited[0]} | {limited[1]} |"
    )


if __name__ == "__main__":
    print(table())
