"""A training job: its settings, and the identity that names its artifact.

Nothing heavy is imported here, for the Snakefile does so whenever it is parsed. Errors are
`ConfigError`, one line per fault: the file, the key's path, the value and what is allowed.
"""

import hashlib
import json
from dataclasses import MISSING, dataclass, fields, is_dataclass
from math import inf, log
from typing import Any, TypeVar, get_args

# Part of every job's identity. Raise it whenever a change of the code changes a run's numbers
# (the golden trajectory in tests/unit/ fails then), so that old artifacts are not taken for new.
NUMERICS_VERSION = 1


class ConfigError(ValueError):
    """The configuration cannot be run; the message says which key, its value, what is allowed."""


# A setting with a default came after jobs had been run: where it holds its default, it is left out
# of a job's identity, so that those jobs keep their names.


@dataclass(frozen=True)
class Normal:
    """A normal distribution over seeds; a fixed value where the deviation is 0."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Model:
    """An architecture; see config/README.md for every key, and for which models have it."""

    name: str
    item_dim: int
    hidden_dim: int
    attend_to: str | None = None
    layernorm_affine: bool | None = None
    initial_beta: Normal | None = None
    initial_w: Normal | None = None
    beta_shift: float = 0.0
    mlp_input: str | None = None
    heads: int = 1


@dataclass(frozen=True)
class Task:
    """The labelling and drawing of items, and their redrawing where K is infinite."""

    item_labels: str
    redrawn_items: int
    context_labels: str = "random"
    zipf_exponent: float = 0.0
    redraw: str = "step"
    copies: int = 1
    label_noise: float = 0.0


@dataclass(frozen=True)
class WeightDecay:
    """L2 regularisation as in SGD, lambda * parameter added to the gradient, by group."""

    attention: float  # of Q, K, V and the affine, or of beta and w
    mlp: float  # of every MLP
    beta: float | None = None  # of the minimal model; None: as the attention
    w: float | None = None  # likewise

    def of(self, group: str) -> float:
        """Return the decay of a group of parameters: attention, mlp, beta or w."""
        own = getattr(self, group)
        return self.attention if own is None else own


@dataclass(frozen=True)
class Held:
    """What does not change from a step on: after so many steps it stays as it is."""

    from_: int
    at: float | None = None  # the value that it takes then; None: the one that it has

    def __str__(self) -> str:
        """Write it for a reader and for a collected dataset."""
        return f"from {self.from_}" + ("" if self.at is None else f" at {self.at}")


@dataclass(frozen=True)
class Hold:
    """The groups of parameters that are held from a step on; None: trained to the end."""

    attention: Held | None = None
    mlp: Held | None = None
    beta: Held | None = None
    w: Held | None = None

    @property
    def groups(self) -> dict[str, Held]:
        """Return those that are held at some time."""
        every = {field.name: getattr(self, field.name) for field in fields(self)}
        return {group: held for group, held in every.items() if held}

    def __str__(self) -> str:
        """Write it for a reader and for a collected dataset."""
        return ", ".join(f"{group} {held}" for group, held in self.groups.items()) or "nothing"


@dataclass(frozen=True)
class Optimiser:
    """Plain SGD, or Adam."""

    learning_rate: float
    batch_size: int
    weight_decay: WeightDecay
    mlp_learning_rate: float | None = None  # of every MLP; None: as the rest
    method: str = "sgd"
    precision: str = "float32"
    hold: Hold = Hold()

    def rate_of(self, group: str) -> float:
        """Return the learning rate of a group of parameters: attention, mlp, beta or w."""
        own = getattr(self, f"{group}_learning_rate", None)
        return self.learning_rate if own is None else own


@dataclass(frozen=True)
class EvaluationSequences:
    """Number of sequences of each evaluation."""

    icl: int
    iwl: int
    train: int


@dataclass(frozen=True)
class Evaluation:
    """The schedule and the size of evaluations, and what they measure beside accuracy and loss."""

    schedule: str
    every: int
    per_decade: int | None
    sequences: EvaluationSequences
    novel_items: int
    order_parameters: bool = False
    substitutions: tuple[str, ...] = ()  # in the place of a part of the model

    def at(self, steps: int) -> tuple[int, ...]:
        """List the steps of the evaluations of a run, from 0 to its last step.

        Linear: every `every` steps. Geometric: from `every` on, `per_decade` to a factor of ten.
        """
        if self.schedule == "linear" or self.per_decade is None:
            return (*range(0, steps, self.every), steps)
        n = int(self.per_decade * log(max(steps / self.every, 1), 10)) + 1
        grown = {round(self.every * 10 ** (i / self.per_decade)) for i in range(n)}
        return tuple(sorted({0, steps, *(step for step in grown if step < steps)}))


@dataclass(frozen=True)
class Stop:
    """The rule by which a replicate leaves its batch before the last step."""

    when: str
    icl_accuracy: float | None
    iwl_accuracy: float | None
    confirmations: int | None
    c1: float | None = None


@dataclass(frozen=True)
class Job:
    """One training job: a block of seeds at one (N, K), and all that determines its numbers."""

    model: Model
    task: Task
    optimiser: Optimiser
    evaluation: Evaluation
    stop: Stop
    steps: int
    context_length: int  # N
    n_items: int | float  # K; `inf` where the dataset is redrawn
    seeds: tuple[int, ...]
    seeds_per_start: int = 1  # that share their weights at step 0, those of the first of them

    def identity(self) -> dict[str, Any]:
        """Return all that determines the job's numbers, as JSON-able data."""
        n_items = None if self.is_redrawn else self.n_items
        return {"numerics": NUMERICS_VERSION, **_settings(self), "n_items": n_items}

    @classmethod
    def from_identity(cls, identity: dict[str, Any]) -> "Job":
        """Rebuild a job from what `identity` returned."""
        n_items = inf if identity["n_items"] is None else identity["n_items"]
        return build(cls, {**identity, "n_items": n_items})

    @property
    def is_redrawn(self) -> bool:
        """True if K is infinite."""
        return self.n_items == inf

    @property
    def dataset_size(self) -> int:
        """Items of the dataset at any one time."""
        return self.task.redrawn_items if self.is_redrawn else int(self.n_items)

    @property
    def labelled_items(self) -> int:
        """Items of the dataset, counted once for each label that they may carry."""
        return self.dataset_size * (2 if self.task.label_noise > 0 else 1)

    @property
    def name(self) -> str:
        """The stem of the artifact's file; see `job_name`."""
        return job_name(self.identity())


Built = TypeVar("Built")

# What may differ between the runs of an experiment besides N, K and the seed: name -> long name.
SETTINGS = {
    "learning_rate": "learning rate of SGD, or of Adam",
    "method": "optimiser: sgd or adam",
    "precision": "how factors of the MLP's products are rounded in training",
    "mlp_learning_rate": "learning rate of every MLP",
    "attention_decay": "weight decay of the attention: Q, K, V and the affine, or beta and w",
    "beta_decay": "weight decay of the minimal model's beta",
    "w_decay": "weight decay of the minimal model's w",
    "mlp_decay": "weight decay of every MLP",
    "beta_shift": "what is added to beta of K^T Q before the first step",
    "zipf_exponent": "alpha: item k is drawn as k^-alpha",
    "copies": "tokens of a training context that are the target's item",
    "label_noise": "probability that a token of a training context carries the other label",
    "context_labels": "labels of a context: random (D), or exactly N/2 of each (balanced, D')",
    "hold": "groups of parameters that do not change from a step on, and at which value",
}
WORDS = ("context_labels", "hold", "method", "precision")  # the settings that are no numbers


def settings_of(job: Job) -> dict[str, float | str]:
    """Return a job's value of each of `SETTINGS`, a group's own or that of all."""
    decay = job.optimiser.weight_decay
    return {
        "learning_rate": job.optimiser.learning_rate,
        "method": job.optimiser.method,
        "precision": job.optimiser.precision,
        "mlp_learning_rate": job.optimiser.rate_of("mlp"),
        "attention_decay": decay.attention,
        "beta_decay": decay.of("beta"),
        "w_decay": decay.of("w"),
        "mlp_decay": decay.mlp,
        "beta_shift": job.model.beta_shift,
        "zipf_exponent": job.task.zipf_exponent,
        "copies": job.task.copies,
        "label_noise": job.task.label_noise,
        "context_labels": job.task.context_labels,
        "hold": str(job.optimiser.hold),
    }


def items_text(n_items: float) -> str:
    """Write K as a configuration does: a number or infinity."""
    return "infinity" if n_items == inf else str(n_items)


def job_name(identity: dict[str, Any]) -> str:
    """Name a job: N, K and seeds for a reader, a digest of its whole identity for a machine."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    n_items = "inf" if identity["n_items"] is None else identity["n_items"]
    seeds = f"{identity['seeds'][0]}-{identity['seeds'][-1]}"
    return f"N{identity['context_length']}_K{n_items}_seeds{seeds}_{digest}"


def _settings(instance: Any) -> dict[str, Any]:
    """Return a dataclass as a JSON-able mapping, without the fields that hold their default."""
    out: dict[str, Any] = {}
    for field in fields(instance):
        value = getattr(instance, field.name)
        if field.default is MISSING or value != field.default:
            value = list(value) if isinstance(value, tuple) else value
            out[_key(field.name)] = _settings(value) if is_dataclass(value) else value
    return out


def _key(field: str) -> str:
    """Return what a configuration calls a field: `from` is a word of Python's."""
    return field.rstrip("_")


def build(cls: type[Built], values: dict[str, Any]) -> Built:
    """Build a dataclass from a mapping, its own dataclass fields likewise."""
    arguments = {}
    for field in fields(cls):  # type: ignore[arg-type]  # no annotation says "a dataclass"
        if _key(field.name) not in values:
            continue  # it has a default, or the constructor complains
        value: Any = values[_key(field.name)]
        value = tuple(value) if isinstance(value, list) else value
        kinds = (field.type, *get_args(field.type))
        if float in kinds and int not in kinds and value is not None:
            value = float(value)  # 1 and 1.0 are one setting
        nested = [kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)]
        arguments[field.name] = build(nested[0], value) if nested and value is not None else value
    return cls(**arguments)


def job_from_identity(identity: dict[str, Any]) -> Job:
    """Rebuild a job from its identity; refuse that of another numerics version."""
    if identity["numerics"] != NUMERICS_VERSION:
        raise ConfigError(f"numerics {identity['numerics']} is not this code's: {NUMERICS_VERSION}")
    return Job.from_identity(identity)
