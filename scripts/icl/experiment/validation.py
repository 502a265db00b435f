"""Errors that a person can act on: the file, the key's path, the value, what is allowed."""

import difflib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import jsonschema

from icl.experiment import declarations, limits
from icl.experiment.grid import expand, resolve
from icl.experiment.limits import Fault
from icl.experiment.yaml_files import Key, Sources, dotted, load_yaml, plain, show, walk
from icl.job import ConfigError, Job

__all__ = ["Sources", "check", "load_yaml", "schema_faults"]

# What every entry has in a preset or in claims.yaml, and what seldom changes alone.
ESSENTIAL = {"experiments": "description", "claims": "statistic", "figures": "title"}
LARGEST = 1e300  # what is beyond is a slip of the pen, and no float


def _not_numbers(data: Any, key: Key = ()) -> Iterator[Fault]:
    """Find numbers that are not numbers, or infinite: comparisons in a schema let them pass."""
    if isinstance(data, int | float) and not (abs(data) < LARGEST):
        yield key, f"{show(data)} is not allowed; allowed: a finite number"
    if isinstance(data, dict | list):
        for part, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _not_numbers(value, (*key, part))


def _message(error: jsonschema.ValidationError, key: Key) -> Iterator[Fault]:
    """Say what is wrong and what is allowed, for one fault that the schema found."""
    allowed = error.schema.get("description", "")
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        for name in error.instance:
            if name not in known:
                text = "unknown key"
                if "title" in error.schema:  # known, but not here
                    text = f"is not a key of {error.schema['title']}"
                yield (*key, name), f"{text}; {_hint(name, known)}"
    elif error.validator == "required":
        missing = [name for name in error.validator_value if name not in error.instance]
        for name in missing:
            node = error.schema.get("properties", {}).get(name, {})
            text = node.get("description", "") if isinstance(node, dict) else ""
            yield (*key, name), f"is missing{f'; allowed: {text}' if text else ''}"
    elif "propertyNames" in error.absolute_schema_path:
        yield (*key, error.instance), f"this name is not allowed; allowed: {allowed}"
    else:
        yield key, f"{show(error.instance)} is not allowed; allowed: {allowed or error.message}"


def _whole_pattern(validator, pattern, instance, schema) -> Iterator[jsonschema.ValidationError]:
    """Match a pattern to the end: with Python's `$` alone, a name could end in a line feed."""
    if isinstance(instance, str) and not re.fullmatch(pattern, instance):
        yield jsonschema.ValidationError(f"does not match {pattern}")


# A whole float is an integer to JSON Schema, but not to the code that counts with it.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _whole_pattern},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)


def schema_faults(data: Any, schema: dict[str, Any], at: Key = ()) -> list[Fault]:
    """List the faults of data against a schema.

    Args:
        data: what to check.
        schema: a JSON schema, its `description`s saying what is allowed.
        at: the key of data in the whole configuration.
    """
    validator = _Validator(schema)
    errors = sorted(validator.iter_errors(data), key=lambda error: [str(p) for p in error.path])
    return [fault for error in errors for fault in _message(error, (*at, *error.absolute_path))]


def check(config: dict[str, Any], schemas: Path, sources: Sources) -> dict[str, list[Job]]:
    """Check a merged configuration and expand its experiments.

    Returns the jobs of each experiment.

    Args:
        schemas: folder of config.schema.yaml and claims.schema.yaml.
        sources: the files it was merged from, to name them in errors.

    Raises:
        ConfigError: with one line per fault.
    """
    sources.refuse_two_presets()
    schema = load_yaml(schemas / "config.schema.yaml")

    def stop_at(faults: Iterable[Fault]) -> None:
        lines = [f"{sources.locate(key, config)}: {dotted(key)}: {text}" for key, text in faults]
        if lines:
            raise ConfigError("\n".join(dict.fromkeys(lines)))

    stop_at(_not_numbers(config))
    stop_at(_misspelt(config))
    stop_at(schema_faults(config, schema))
    claims = {key: config[key] for key in ("claims", "figures")}
    claims_schema = load_yaml(schemas / "claims.schema.yaml")
    closed = declarations.complete(claims_schema, declarations.declared())
    stop_at(schema_faults(claims, closed))
    resolved = {**schema["$defs"]["resolved"], "$defs": schema["$defs"]}
    jobs = {}
    for name, experiment in config["experiments"].items():
        here = ("experiments", name)
        for i, entry in enumerate(resolve(config["defaults"], experiment)):
            stop_at(_supplied(schema_faults(entry, resolved, here), config, i))
            stop_at(limits.grid_faults(entry, (*here, "grid", i)))
            stop_at(_supplied(limits.entry_faults(entry, here), config, i))
        jobs[name] = expand(config["defaults"], experiment)
        most = config.get("memory_limit_mb", limits.MEMORY_LIMIT_MB)
        stop_at(limits.job_faults(jobs[name], most, (*here, "grid")))
    stop_at(limits.theory_faults(config["theory"]))
    stop_at(_reference_faults(config))
    stop_at(_claim_faults(config, schemas.parents[1]))
    return jobs


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
            for claim in entry.get("claims", ()):
                if claim not in config["claims"]:
                    hint = _hint(claim, config["claims"])
                    yield (kind, name, "claims"), f"no such claim: {plain(claim)}; {hint}"
    for name in set(config["experiments"]) & set(config["theory"]):
        yield ("experiments", name), "this name is a theory dataset's"


def _claim_faults(config: dict[str, Any], root: Path) -> Iterator[Fault]:
    """Refuse bands the wrong way round, figures that nothing draws, another preset's folder."""
    for name, claim in config["claims"].items():
        for i, criterion in enumerate(claim["criteria"]):
            low, high = criterion["band"]
            if None not in (low, high) and low > high:
                key = ("claims", name, "criteria", i, "band")
                yield key, f"{[low, high]} is not allowed; allowed: the lowest value first"
    for figure in config["figures"]:
        for needed in (f"scripts/icl/figures/{figure}.py", f"workflow/report/{figure}.rst"):
            if not (root / needed).is_file():
                yield ("figures", figure), f"there is no {needed}, which draws or explains it"
    presets = {path.stem for path in (root / "config").glob("*.yaml")} - {config["preset"]}
    if config.get("name") in presets:
        text = f"{config['name']!r} is not allowed; allowed: a name that is no file of config/"
        yield ("name",), text


def _hint(name: Any, known: Iterable[str]) -> str:
    return _guess(name, known) or f"allowed: {', '.join(map(plain, known))}"


def _guess(name: Any, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"did you mean {plain(near[0])}?" if near else ""
