"""From an experiment's entry in YAML to its jobs, one for each N, K and block of seeds."""

from collections.abc import Iterator
from math import inf
from typing import Any

from icl.job import Job, build
from icl.models import MODELS


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


def as_list(value: Any) -> list[Any]:
    """Return a list as it is, and one value as a list of it."""
    return value if isinstance(value, list) else [value]


def expand_items(n_items: Any) -> list[float]:
    """Expand the n_items of a grid entry: a number, "infinity", a range, or a list of those."""
    if isinstance(n_items, list):
        return [k for entry in n_items for k in expand_items(entry)]
    if isinstance(n_items, dict):
        low, high, count = n_items["from"], n_items["to"], n_items["count"]
        ratios = [i / (count - 1) for i in range(count)]
        if n_items["spacing"] == "linear":
            return [round(low + (high - low) * ratio) for ratio in ratios]
        return [round(low * (high / low) ** ratio) for ratio in ratios]
    return [inf if n_items == "infinity" else n_items]


def _inherited_by(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Drop from inherited settings what a model of another name does not have."""
    settings = dict(settings)
    if settings.get("model", {}).get("name", name) == name or name not in MODELS:
        return settings
    model = MODELS[name]
    settings["model"] = {k: v for k, v in settings["model"].items() if k in model.keys}
    for key, known in (("weight_decay", model.decay_groups), ("hold", model.groups)):
        if key in settings.get("optimiser", {}):
            of_groups = settings["optimiser"][key]
            of_groups = {k: v for k, v in of_groups.items() if k in known}
            settings["optimiser"] = {**settings["optimiser"], key: of_groups}
    return settings


def resolve(defaults: dict[str, Any], experiment: dict[str, Any]) -> list[dict[str, Any]]:
    """Resolve an experiment into one flat mapping for each entry of its grid.

    The entry's own keys win over the experiment's, those over the defaults'. Where a level names
    another model than the one below it, it inherits the keys that the new model has.
    """
    common = {k: v for k, v in experiment.items() if k not in ("grid", "description")}
    resolved = []
    for entry in experiment["grid"]:
        settings: dict[str, Any] = {}
        for level in (defaults, common, entry):
            name = level.get("model", {}).get("name")
            settings = merge(_inherited_by(name, settings) if name else settings, level)
        resolved.append(settings)
    return resolved


def thresholds(when: str, reads_context: bool) -> tuple[str, ...]:
    """Name the keys of a stop rule that it needs; the others have no effect."""
    acquired, memorised = when in ("acquired", "decided"), when in ("memorised", "decided")
    used = {
        "icl_accuracy": acquired,
        "iwl_accuracy": memorised and reads_context,
        "c1": memorised and not reads_context,
        "confirmations": when != "never",
    }
    return tuple(name for name, is_used in used.items() if is_used)


def _without_idle_settings(entry: dict[str, Any]) -> dict[str, Any]:
    """Blank what has no effect: it must not change a job's identity.

    Two remain, until other numerics rename all jobs anyway: `redrawn_items` at finite K, and
    `weight_decay.attention` beside a minimal model's own of beta and of w.
    """
    entry = {**entry, "evaluation": dict(entry["evaluation"]), "stop": dict(entry["stop"])}
    evaluation, stop = entry["evaluation"], entry["stop"]
    reads_context = MODELS[entry["model"]["name"]].reads_context
    if evaluation["schedule"] == "linear":
        evaluation["per_decade"] = None
    evaluation["substitutions"] = sorted(evaluation.get("substitutions", ()))
    used = thresholds(stop["when"], reads_context)
    idle = {"icl_accuracy", "iwl_accuracy", "c1", "confirmations"} - set(used)
    stop.update(dict.fromkeys(idle))
    if not reads_context:  # it reads no context, and every evaluation is of all items
        evaluation["sequences"] = {"icl": 0, "iwl": 0, "train": 0}
        evaluation.update(novel_items=0, order_parameters=False)
        decay = {**entry["optimiser"]["weight_decay"], "attention": 0.0}
        entry["optimiser"] = {**entry["optimiser"], "weight_decay": decay}
    return entry


def _jobs_of_entry(entry: dict[str, Any]) -> Iterator[Job]:
    entry = _without_idle_settings(entry)
    first, count, size = entry["seeds"]["first"], entry["seeds"]["count"], entry["block_size"]
    for context_length in as_list(entry["context_length"]):
        for n_items in expand_items(entry["n_items"]):
            for start in range(first, first + count, size):
                seeds = tuple(range(start, min(start + size, first + count)))
                grid = {"context_length": context_length, "n_items": n_items, "seeds": seeds}
                grid["seeds_per_start"] = entry["seeds"].get("per_start", 1)
                if n_items != inf:
                    grid["task"] = {**entry["task"], "redraw": "step"}  # nothing is redrawn
                yield build(Job, {**entry, **grid})


def expand(defaults: dict[str, Any], experiment: dict[str, Any]) -> list[Job]:
    """List the jobs of an experiment: for each N, K and block of seeds, one."""
    return [job for entry in resolve(defaults, experiment) for job in _jobs_of_entry(entry)]
