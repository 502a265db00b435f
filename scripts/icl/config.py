"""From YAML to frozen dataclasses: what an experiment is, and which jobs it expands to.

Nothing heavy is imported here, for the Snakefile does so whenever it is parsed. Errors are
`ConfigError`, one line per fault: the file, the key's path, the value and what is allowed.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from math import log
from typing import Any

# Part of every job's identity. Raise it whenever a change of the code changes a run's numbers
# (the golden trajectory in tests/unit/ fails then), so that old artifacts are not taken for new.
NUMERICS_VERSION = 1

INFINITY = "infinity"
SLOWEST_OPERATIONS_PER_MINUTE = 60 * 10e9  # a slow core; what is asked of a scheduler for a job


class ConfigError(ValueError):
    """The configuration cannot be run; the message says which key, its value, what is allowed."""


@dataclass(frozen=True)
class Model:
    """Architecture of eq. 1; see config/README.md for every key."""

    name: str
    item_dim: int
    hidden_dim: int
    attend_to: str
    layernorm_affine: bool


@dataclass(frozen=True)
class Task:
    """How items are labelled, and how large the redrawn dataset of K = infinity is."""

    item_labels: str
    redrawn_items: int


@dataclass(frozen=True)
class WeightDecay:
    """L2 regularisation as in SGD, lambda * parameter added to the gradient, by group."""

    attention: float
    mlp: float


@dataclass(frozen=True)
class Optimiser:
    """Plain SGD."""

    learning_rate: float
    batch_size: int
    weight_decay: WeightDecay


@dataclass(frozen=True)
class EvaluationSequences:
    """Number of sequences of each evaluation."""

    icl: int
    iwl: int
    train: int


@dataclass(frozen=True)
class Evaluation:
    """When to evaluate, on how much."""

    schedule: str
    every: int
    per_decade: int | None
    sequences: EvaluationSequences
    novel_items: int

    def at(self, steps: int) -> tuple[int, ...]:
        """List the steps of the evaluations of a run, from 0 to its last step.

        Linear: every `every` steps. Geometric: from `every` on, `per_decade` to a factor of ten.
        """
        if self.schedule == "linear":
            return (*range(0, steps, self.every), steps)
        n = int(self.per_decade * log(max(steps / self.every, 1), 10)) + 1
        grown = {round(self.every * 10 ** (i / self.per_decade)) for i in range(n)}
        return tuple(sorted({0, steps, *(step for step in grown if step < steps)}))


@dataclass(frozen=True)
class Stop:
    """When a replicate leaves its batch before the last step."""

    when: str
    icl_accuracy: float | None
    iwl_accuracy: float | None
    confirmations: int | None


@dataclass(frozen=True)
class Job:
    """One training job: a block of seeds at one (N, K), and all that determines its numbers.

    Attributes:
        n_items: K, or None for K = infinity.
    """

    model: Model
    task: Task
    optimiser: Optimiser
    evaluation: Evaluation
    stop: Stop
    steps: int
    context_length: int
    n_items: int | None
    seeds: tuple[int, ...]

    def identity(self) -> dict[str, Any]:
        """Return what determines the job's numbers, as JSON-able data."""
        return {"numerics": NUMERICS_VERSION, **asdict(self), "seeds": list(self.seeds)}

    @property
    def name(self) -> str:
        """The stem of the artifact's file; see `job_name`."""
        return job_name(self.identity())


def job_name(identity: dict[str, Any]) -> str:
    """Name a job: N, K and seeds for a reader, a digest of its whole identity for a machine."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    n_items = "inf" if identity["n_items"] is None else identity["n_items"]
    seeds = f"{identity['seeds'][0]}-{identity['seeds'][-1]}"
    return f"N{identity['context_length']}_K{n_items}_seeds{seeds}_{digest}"


def build(cls: type, values: dict[str, Any]) -> Any:
    """Build a dataclass from a mapping, its own dataclass fields likewise."""
    return cls(
        **{
            field.name: build(field.type, values[field.name])
            if isinstance(field.type, type) and hasattr(field.type, "__dataclass_fields__")
            else values[field.name]
            for field in fields(cls)
        }
    )


def job_from_identity(identity: dict[str, Any]) -> Job:
    """Rebuild a job from its identity.

    Raises:
        ConfigError: if the identity is another numerics version's.
    """
    if identity["numerics"] != NUMERICS_VERSION:
        raise ConfigError(f"numerics {identity['numerics']} is not this code's: {NUMERICS_VERSION}")
    return build(Job, {**identity, "seeds": tuple(identity["seeds"])})


def merge(base: dict[str, Any], *others: dict[str, Any]) -> dict[str, Any]:
    """Merge mappings, later over earlier; mappings merge key by key, all else is replaced."""
    merged = dict(base)
    for other in others:
        for key, value in other.items():
            if isinstance(value, dict) and isinstance(merged.get(key), dict):
                merged[key] = merge(merged[key], value)
            else:
                merged[key] = value
    return merged


def expand_items(n_items: Any) -> list[int | None]:
    """Expand the n_items of a grid entry: a number, "infinity", a range, or a list of those."""
    if isinstance(n_items, list):
        return [k for entry in n_items for k in expand_items(entry)]
    if isinstance(n_items, dict):
        low, high, count = n_items["from"], n_items["to"], n_items["count"]
        ratios = [i / (count - 1) for i in range(count)]
        if n_items["spacing"] == "linear":
            return [round(low + (high - low) * ratio) for ratio in ratios]
        return [round(low * (high / low) ** ratio) for ratio in ratios]
    return [None if n_items == INFINITY else n_items]


def resolve(defaults: dict[str, Any], experiment: dict[str, Any]) -> list[dict[str, Any]]:
    """Resolve an experiment into one flat mapping for each entry of its grid.

    The entry's own keys win over the experiment's, those over the defaults'.
    """
    common = {k: v for k, v in experiment.items() if k not in ("grid", "description")}
    return [merge(defaults, common, entry) for entry in experiment["grid"]]


def _jobs_of_entry(entry: dict[str, Any]) -> Iterator[Job]:
    evaluation, stop = dict(entry["evaluation"]), dict(entry["stop"])
    if evaluation["schedule"] == "linear":
        evaluation["per_decade"] = None  # what has no effect must not change the identity
    if stop["when"] in ("never", "memorised"):
        stop["icl_accuracy"] = None
    if stop["when"] in ("never", "acquired"):
        stop["iwl_accuracy"] = None
    if stop["when"] == "never":
        stop["confirmations"] = None
    lengths = entry["context_length"]
    first, count, size = entry["seeds"]["first"], entry["seeds"]["count"], entry["block_size"]
    for context_length in lengths if isinstance(lengths, list) else [lengths]:
        for n_items in expand_items(entry["n_items"]):
            for start in range(first, first + count, size):
                seeds = tuple(range(start, min(start + size, first + count)))
                values = {
                    **entry,
                    "evaluation": evaluation,
                    "stop": stop,
                    "context_length": context_length,
                    "n_items": n_items,
                    "seeds": seeds,
                }
                yield build(Job, values)


def expand(defaults: dict[str, Any], experiment: dict[str, Any]) -> list[Job]:
    """List the jobs of an experiment: for each N, K and block of seeds, one."""
    return [job for entry in resolve(defaults, experiment) for job in _jobs_of_entry(entry)]


@dataclass(frozen=True)
class Cost:
    """What a job costs, estimated from its sizes.

    Attributes:
        operations: floating-point operations of training (evaluation adds a few per cent).
        memory_mb: peak memory in megabytes, the interpreter and its libraries included.
        minutes: wall time to ask a scheduler for, far above what one core should need.
    """

    operations: float
    memory_mb: int
    minutes: int


def cost(job: Job) -> Cost:
    """Estimate a job's operations and memory.

    The forward pass costs two operations per weight and sequence, the backward pass twice that;
    attention reads N tokens twice forwards and twice backwards.
    """
    width, d = job.model.item_dim + 2, job.model.hidden_dim
    weights = 3 * width**2 + width * d + d**2 + 2 * d
    per_sequence = 6 * weights + 8 * job.context_length * width
    n_seeds, batch = len(job.seeds), job.optimiser.batch_size
    n_items = job.task.redrawn_items if job.n_items is None else job.n_items
    # Two token tables, the items and the novel items; the gathered context and its gradient.
    numbers = n_seeds * (3 * (n_items + job.evaluation.novel_items) * width + 4 * weights)
    numbers += n_seeds * batch * (3 * job.context_length * width + 8 * (d + width))
    numbers += 6 * n_items * width  # while one replicate's items are drawn
    operations = float(n_seeds * batch * job.steps * per_sequence)
    return Cost(
        operations=operations,
        minutes=10 + int(operations / SLOWEST_OPERATIONS_PER_MINUTE),
        memory_mb=600 + int(numbers * 4 / 1e6),
    )
