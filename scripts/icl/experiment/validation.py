"""Errors that a person can act on: the file, the key's path, the value, what is allowed."""

import difflib
import functools
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from pathlib import Path
from typing import Any

import pydantic

from icl.experiment import declarations, limits
from icl.experiment.declarations import Declaration
from icl.experiment.grid import expand, expand_items, resolve, thresholds
from icl.experiment.limits import Fault
from icl.experiment.schema import Configuration, Options
from icl.experiment.yaml_files import Key, Sources, dotted, load_yaml, plain, show, walk
from icl.job import ConfigError, Job
from icl.models import MODELS

__all__ = ["Sources", "check", "load_yaml"]

ROOT = Path(__file__).resolve().parents[3]
# What every entry has in a preset or in claims.yaml, and what seldom changes alone.
ESSENTIAL = {"experiments": "description", "claims": "statistic", "figures": "title"}
LARGEST = 1e300  # what is beyond is a slip of the pen, and no float


def check(config: dict[str, Any], sources: Sources) -> dict[str, list[Job]]:
    """Check a merged configuration and expand its experiments into jobs.

    Args:
        sources: the files it was merged from, to name them in errors.

    Raises:
        ConfigError: with one line per fault.
    """
    sources.refuse_two_presets()

    def stop_at(faults: Iterable[Fault]) -> None:
        lines = [f"{sources.locate(key, config)}: {dotted(key)}: {text}" for key, text in faults]
        if lines:
            raise ConfigError("\n".join(dict.fromkeys(lines)))

    stop_at(_not_numbers(config))
    stop_at(_misspelt(config))
    stop_at(schema_faults(config))
    stop_at(claim_faults(config["claims"], declarations.declared()))
    jobs = {}
    for name, experiment in config["experiments"].items():
        here = ("experiments", name)
        for i, entry in enumerate(resolve(config["defaults"], experiment)):
            stop_at(_supplied(missing_faults(entry, here), config, i))
            stop_at(_supplied(model_faults(entry, here), config, i))
            stop_at(limits.grid_faults(entry, (*here, "grid", i)))
            stop_at(_supplied(limits.entry_faults(entry, here), config, i))
        jobs[name] = expand(config["defaults"], experiment)
        most = config.get("memory_limit_mb", limits.MEMORY_LIMIT_MB)
        stop_at(limits.job_faults(jobs[name], most, (*here, "grid")))
    stop_at(limits.theory_faults(config["theory"]))
    stop_at(_reference_faults(config))
    stop_at(_other_faults(config))
    stop_at(_weights_faults(config.get("weights", {}), jobs))
    return jobs


def _not_numbers(data: Any, key: Key = ()) -> Iterator[Fault]:
    """Find numbers that are not numbers, infinite or absurdly large."""
    if isinstance(data, int | float) and not (abs(data) < LARGEST):
        yield key, f"{show(data)} is not allowed; allowed: a finite number"
    if isinstance(data, dict | list):
        for part, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _not_numbers(value, (*key, part))


def schema_faults(config: dict[str, Any]) -> list[Fault]:
    """List what the schema refuses, each with what is allowed."""
    try:
        Configuration.model_validate(config)
    except pydantic.ValidationError as error:
        found = [_fault(entry, config) for entry in error.errors(include_url=False)]
        return sorted(found, key=lambda fault: [str(part) for part in fault[0]])
    return []


def _fault(error: Mapping[str, Any], config: dict[str, Any]) -> Fault:
    """Say what is wrong and what is allowed, for one error of the schema's."""
    key = _written(error["loc"], config)
    if error["type"] == "extra_forbidden":
        known = [name for node in _nodes(key[:-1]) for name in node.get("properties", {})]
        return key, f"unknown key; {_hint(key[-1], known)}"
    if error["loc"][-1] == "[key]":
        names = [node.get("propertyNames", {}).get("description") for node in _nodes(key[:-1])]
        return key, f"this name is not allowed; allowed: {next(filter(None, names))}"
    if error["type"] == "missing":
        return _missing((*key, error["loc"][-1]))
    allowed = what_is_allowed(key) or error["msg"]
    return key, f"{show(error['input'])} is not allowed; allowed: {allowed}"


def _missing(key: Key) -> Fault:
    allowed = what_is_allowed(key)
    return key, f"is missing{f'; allowed: {allowed}' if allowed else ''}"


def _written(loc: tuple[str | int, ...], data: Any) -> Key:
    """Reduce an error's path, which names alternatives too, to the configuration's own keys."""
    key = []
    for part in loc:
        if isinstance(data, dict | list) and (found := list(walk(data, (part,)))):
            key.append(part)
            data = found[0]
    return tuple(key)


@functools.cache
def _schema() -> dict[str, Any]:
    """Make the JSON schema, which is needed only where something is wrong."""
    return Configuration.model_json_schema()


def _resolved(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a node of the JSON schema, then what it refers to and its alternatives."""
    yield node
    if "$ref" in node:
        yield from _resolved(_schema()["$defs"][node["$ref"].rpartition("/")[2]])
    for alternative in [*node.get("oneOf", ()), *node.get("anyOf", ())]:
        yield from _resolved(alternative)


def _nodes(key: Key) -> list[dict[str, Any]]:
    """List the JSON schema's nodes for a key, those that describe it best first."""
    nodes = list(_resolved(_schema()))
    for part in key:
        inner = []
        for node in nodes:
            inner += [node["items"]] if isinstance(part, int) and "items" in node else []
            inner += [node["properties"][part]] if part in node.get("properties", {}) else []
            inner += node.get("patternProperties", {}).values()
            inner += filter(None, [node.get("additionalProperties")])
        nodes = [found for node in inner for found in _resolved(node)]
    return nodes


def what_is_allowed(key: Key) -> str:
    """Return the description of a key, or of the nearest above it that has one."""
    for end in range(len(key), 0, -1):
        for node in _nodes(key[:end]):
            if "description" in node:
                return node["description"]
    return ""


def claim_faults(claims: dict[str, Any], statistics: dict[str, Declaration]) -> Iterator[Fault]:
    """Find claims whose roles, options or quantities are not those of their statistic.

    Raises:
        ConfigError: if a statistic declares an option that the schema does not know.
    """
    known = {field.alias or name for name, field in Options.model_fields.items()}
    for name, entry in statistics.items():
        if unknown := set(entry.options) - known:
            raise ConfigError(f"{name}: option {min(unknown)!r} is not in experiment/schema.py")
    for name, claim in claims.items():
        key = ("claims", name)
        if claim["statistic"] not in statistics:
            text = f"{show(claim['statistic'])} is not allowed; allowed: {', '.join(statistics)}"
            yield (*key, "statistic"), text
            continue
        entry = statistics[claim["statistic"]]
        needed = [role for role in entry.roles if role not in entry.optional]
        yield from _closed(claim["experiments"], entry.roles, needed, (*key, "experiments"))
        yield from _closed(claim["options"], entry.options, entry.options, (*key, "options"))
        for i, criterion in enumerate(claim["criteria"]):
            if criterion["quantity"] not in entry.quantities:
                text = f"{show(criterion['quantity'])} is not allowed; allowed: "
                yield (*key, "criteria", i, "quantity"), text + ", ".join(entry.quantities)


def _closed(
    given: Mapping[str, Any], known: Iterable[str], needed: Iterable[str], key: Key
) -> Iterator[Fault]:
    """Find keys that are unknown, and those that are missing."""
    for name in given:
        if name not in known:
            yield (*key, name), f"unknown key; {_hint(name, known)}"
    yield from _absent(given, needed, key)


def _absent(given: Mapping[str, Any], needed: Iterable[str], key: Key) -> Iterator[Fault]:
    for name in needed:
        if name not in given:
            yield _missing((*key, name))


NEEDED = {  # of every grid entry, once defaults and experiment are merged into it
    (): ("model", "task", "optimiser", "evaluation", "stop", "seeds", "steps", "block_size"),
    ("model",): ("name", "item_dim", "hidden_dim"),
    ("task",): ("item_labels", "redrawn_items"),
    ("optimiser",): ("learning_rate", "batch_size", "weight_decay"),
    ("optimiser", "weight_decay"): ("attention", "mlp"),
    ("evaluation",): ("schedule", "every"),
    ("stop",): ("when",),
    ("seeds",): ("first", "count"),
}


def missing_faults(entry: dict[str, Any], key: Key) -> list[Fault]:
    """List the settings that a merged grid entry lacks, whatever its model."""
    found: list[Fault] = []
    for part, names in NEEDED.items():
        settings = [entry, *walk(entry, part)]  # from the entry down, as far as it goes
        if len(settings) > len(part):
            found += _absent(settings[-1], names, (*key, *part))
    return found


def model_faults(entry: dict[str, Any], key: Key) -> list[Fault]:
    """List what does not suit the model of a merged grid entry."""
    given, evaluation, stop = entry["model"], entry["evaluation"], entry["stop"]
    model, when = MODELS[given["name"]], stop["when"]
    faults = _foreign(given, model.keys, (*key, "model"))
    faults += _absent(given, model.needed_keys, (*key, "model"))
    faults += _order_faults(entry["task"], model.reads_order, (*key, "task"))
    decay = entry["optimiser"]["weight_decay"]
    faults += _foreign(decay, model.decay_groups, (*key, "optimiser", "weight_decay"))
    hold = entry["optimiser"].get("hold", {})
    faults += _foreign(hold, model.groups, (*key, "optimiser", "hold"))
    substitutions = evaluation.get("substitutions", ())
    if set(substitutions) - set(model.substitutions):
        text = f"{show(substitutions)} is not allowed; allowed: [] (this model has none)"
        faults.append(((*key, "evaluation", "substitutions"), text))
    if evaluation["schedule"] == "geometric":
        faults += _absent(evaluation, ("per_decade",), (*key, "evaluation"))
    if model.reads_context:
        if evaluation.get("order_parameters") and not model.order_parameters:
            text = "True is not allowed; allowed: false (this model has none)"
            faults.append(((*key, "evaluation", "order_parameters"), text))
        faults += _absent(evaluation, ("sequences", "novel_items"), (*key, "evaluation"))
        sequences = evaluation.get("sequences", {})
        if "sequences" in evaluation:
            faults += _absent(sequences, ("icl", "iwl", "train"), (*key, "evaluation", "sequences"))
    else:
        if inf in expand_items(entry["n_items"]):
            text = "a finite K (the MLP alone has items to memorise)"
            faults.append(((*key, "n_items"), f"'infinity' is not allowed; allowed: {text}"))
        if when not in ("never", "memorised"):
            text = "never or memorised (this model has no ICL)"
            faults.append(((*key, "stop", "when"), f"{show(when)} is not allowed; allowed: {text}"))
    needed = thresholds(when, model.reads_context)
    return faults + list(_absent(stop, needed, (*key, "stop")))


def _order_faults(task: Mapping[str, Any], reads_order: bool, key: Key) -> Iterator[Fault]:
    """Refuse tasks that put the target's copy first, where a model can tell that it is."""
    for name, usual in (("copies", 1), ("label_noise", 0)) if reads_order else ():
        if (value := task.get(name, usual)) != usual:
            text = f"{value} is not allowed; allowed: {usual} (this model reads a context's order,"
            yield (*key, name), f"{text} and the target's copy would come first)"


def _foreign(given: Mapping[str, Any], known: Iterable[str], key: Key) -> list[Fault]:
    return [
        ((*key, name), f"is not a key of this model; {_hint(name, known)}")
        for name in given
        if name not in known
    ]


def _misspelt(config: dict[str, Any]) -> Iterator[Fault]:
    """Find entries that lack what makes them one, named nearly like an entry that has it.

    An overlay changes an entry by its name; misspelt, that would be a new one, with nearly all of
    it missing.
    """
    for kind, essential in ESSENTIAL.items():
        entries = config.get(kind)
        entries = entries if isinstance(entries, dict) else {}
        part = [
            n for n, entry in entries.items() if isinstance(entry, dict) and essential not in entry
        ]
        whole = [str(name) for name in entries if name not in part]
        for name in part:
            if guess := _guess(name, whole):
                yield (kind, name), f"is new and has no {essential}; {guess}"


def _supplied(faults: Iterable[Fault], config: dict[str, Any], i: int) -> Iterator[Fault]:
    """Put the faults of a resolved grid entry where the value in fault was written.

    Args:
        faults: at ("experiments", name, ...).
        i: the entry's place in the grid.
    """
    for key, text in faults:
        experiment, rest = key[:2], key[2:]
        layers = ((*experiment, "grid", i), experiment, ("defaults",))
        written = [(*layer, *rest) for layer in layers]
        yield next((at for at in written if len(list(walk(config, at))) == len(at)), key), text


def _reference_faults(config: dict[str, Any]) -> Iterator[Fault]:
    """Refuse a claim or a figure that needs what the configuration does not have."""
    datasets = [*config["experiments"], *config["theory"]]
    for kind in ("claims", "figures"):
        for name, entry in config[kind].items():
            for role, used in entry["experiments"].items():
                if used not in datasets:
                    key = (kind, name, "experiments", role)
                    yield key, f"no such experiment: {plain(used)}; {_hint(used, datasets)}"
                elif (role in config["theory"]) != (used in config["theory"]):
                    kind_of = "a theory dataset" if used in config["theory"] else "an experiment"
                    yield (
                        (kind, name, "experiments", role),
                        f"{plain(used)} is {kind_of}, which cannot play the role {role}",
                    )
            for claim in entry.get("claims", ()):
                if claim not in config["claims"]:
                    hint = _hint(claim, config["claims"])
                    yield (kind, name, "claims"), f"no such claim: {plain(claim)}; {hint}"
    for name in set(config["experiments"]) & set(config["theory"]):
        yield ("experiments", name), "this name is a theory dataset's"


def _other_faults(config: dict[str, Any]) -> Iterator[Fault]:
    """Refuse bands the wrong way round, figures that nothing draws, another preset's folder."""
    for name, claim in config["claims"].items():
        for i, criterion in enumerate(claim["criteria"]):
            low, high = criterion["band"]
            if None not in (low, high) and low > high:
                key = ("claims", name, "criteria", i, "band")
                yield key, f"{[low, high]} is not allowed; allowed: the lowest value first"
    for figure in config["figures"]:
        for needed in (f"scripts/icl/figures/{figure}.py", f"workflow/report/{figure}.rst"):
            if not (ROOT / needed).is_file():
                yield ("figures", figure), f"there is no {needed}, which draws or explains it"
    presets = {path.stem for path in (ROOT / "config").glob("*.yaml")} - {config["preset"]}
    if config.get("name") in presets:
        text = f"{config['name']!r} is not allowed; allowed: a name that is no file of config/"
        yield ("name",), text


def _weights_faults(asked: dict[str, Any], jobs: dict[str, list[Job]]) -> Iterator[Fault]:
    """Refuse weights of an experiment that is none, or after steps that its jobs do not reach."""
    for name, moments in asked.items():
        if name not in jobs:
            yield ("weights", name), f"no such experiment: {plain(name)}; {_hint(name, jobs)}"
            continue
        most = min(job.steps for job in jobs[name])
        for i, moment in enumerate(moments):
            if moment != "end" and moment > most:
                text = f"{moment} is not allowed; allowed: at most {most}, the steps of its jobs"
                yield ("weights", name, i), text


def _hint(name: Any, known: Iterable[str]) -> str:
    return _guess(name, known) or f"allowed: {', '.join(map(plain, known))}"


def _guess(name: Any, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {plain(near[0])}?" if near else ""
