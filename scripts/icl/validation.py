"""Configuration errors that a person can act on: the file, the key's path, the value, the remedy.

Snakemake hands over one merged mapping; the files it came from are read once more, to say which of
them holds the fault and to refuse what YAML lets pass (a key given twice, not a number).
"""

import difflib
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from icl.config import INFINITY, ConfigError, Job, expand, expand_items, resolve
from icl.cost import cost
from icl.measurements import declarations

Key = tuple[str | int, ...]
Fault = tuple[Key, str]  # where, and what is wrong and allowed there
COMMAND_LINE = "--config"
MEMORY_LIMIT_MB = 64_000  # of a job, where memory_limit_mb is not given
SURE_OF_BOTH_LABELS = 64  # among as many random labels one is missing once in 2^63


class _StrictLoader(yaml.CSafeLoader if hasattr(yaml, "CSafeLoader") else yaml.SafeLoader):
    """Safe YAML that refuses a key given twice."""

    def construct_mapping(self, node, deep=False):
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is not a string: quote it", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is given twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read one YAML mapping.

    Raises:
        ConfigError: naming the file, where it is missing, not YAML, or not a mapping of strings.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        data = yaml.load(text, Loader=_StrictLoader)  # a subclass of SafeLoader
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must be a mapping of keys to values, not {_show(data)}")
    return data


def _show(value: Any) -> str:
    text = repr(value)
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+[eE][-+]?\d+", value):
        text += " (text to YAML: write 1.0e-3, not 1e-3)"
    return text if len(text) <= 80 else f"{text[:77]}..."


def dotted(key: Key) -> str:
    """Write a key's path as experiments.transition.grid[0].n_items."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(top level)"


class Sources:
    """The files that a configuration was merged from, later ones winning."""

    def __init__(self, files: Sequence[str | Path]):
        self.files = [(str(path), load_yaml(path)) for path in files]

    def locate(self, key: Key, config: dict[str, Any]) -> str:
        """Name the file that sets a key, or its nearest ancestor, in the merged configuration."""
        deepest, owner, found = 0, COMMAND_LINE, None
        for path, data in reversed(self.files):
            values = list(_walk(data, key))
            if len(values) > deepest:
                deepest, owner, found = len(values), path, values[-1]
            if values and not all(isinstance(value, dict) for value in values):
                break  # a list or a value hides what earlier files have in its place
        merged = list(_walk(config, key))
        if deepest == len(key) == len(merged) and found != merged[-1]:
            return COMMAND_LINE  # it overrides what the files say
        return owner

    def refuse_two_presets(self) -> None:
        """Refuse two presets at once: Snakemake would merge one into the other.

        Raises:
            ConfigError: naming the files.
        """
        presets = [path for path, data in self.files if "preset" in data]
        if len(presets) > 1:
            raise ConfigError(
                f"{' and '.join(presets)}: each is a preset (it has the key preset), and a preset "
                "replaces another whole: give one, and an overlay without that key for changes"
            )


def _walk(data: Any, key: Key) -> Iterator[Any]:
    """Yield the values along a key, as far as the data have it."""
    for part in key:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return
        yield data


def _not_finite(data: Any, key: Key = ()) -> Iterator[Fault]:
    """Find numbers that are not numbers, or infinite: comparisons in a schema let them pass."""
    if isinstance(data, float) and not math.isfinite(data):
        yield key, f"{data!r} is not allowed; allowed: a finite number"
    if isinstance(data, dict | list):
        for part, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _not_finite(value, (*key, part))


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
        yield key, f"{_show(error.instance)} is not allowed; allowed: {allowed or error.message}"


# A whole float is an integer to JSON Schema, but not to the code that counts with it.
_Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
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

    Args:
        config: what Snakemake merged.
        schemas: folder of config.schema.yaml and claims.schema.yaml.
        sources: the files it was merged from, to name them in errors.

    Returns:
        The jobs of each experiment.

    Raises:
        ConfigError: with one line per fault.
    """
    sources.refuse_two_presets()
    schema = load_yaml(schemas / "config.schema.yaml")

    def stop_at(faults: Iterable[Fault]) -> None:
        lines = [f"{sources.locate(key, config)}: {dotted(key)}: {text}" for key, text in faults]
        if lines:
            raise ConfigError("\n".join(dict.fromkeys(lines)))

    stop_at(_not_finite(config))
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
            stop_at(_range_faults(entry, (*here, "grid", i)))
            stop_at(_supplied(_schedule_faults(entry, here), config, i))
            stop_at(_supplied(_task_faults(entry, here), config, i))
        jobs[name] = expand(config["defaults"], experiment)
        stop_at(_duplicate_faults(jobs[name], (*here, "grid")))
        stop_at(_size_faults(jobs[name], (*here, "grid")))
        limit = config.get("memory_limit_mb", MEMORY_LIMIT_MB)
        stop_at(_memory_faults(jobs[name], limit, (*here, "grid")))
    stop_at(_reference_faults(config))
    stop_at(_claim_faults(config, schemas.parents[1]))
    return jobs


def _supplied(faults: Iterable[Fault], config: dict[str, Any], i: int) -> Iterator[Fault]:
    """Put the faults of a resolved grid entry where the value in fault was written.

    Args:
        faults: at ("experiments", name, ...).
        config: the merged configuration.
        i: the entry's place in the grid.
    """
    for key, text in faults:
        experiment, rest = key[:2], key[2:]
        layers = ((*experiment, "grid", i), experiment, ("defaults",))
        written = [(*layer, *rest) for layer in layers]
        yield next((at for at in written if len(list(_walk(config, at))) == len(at)), key), text


def _range_faults(entry: dict[str, Any], key: Key) -> Iterator[Fault]:
    values = entry["n_items"] if isinstance(entry["n_items"], list) else [entry["n_items"]]
    for value in values:
        if isinstance(value, dict) and value["to"] <= value["from"]:
            text = f"{value['to']} is not allowed; allowed: above from, {value['from']}"
            yield (*key, "n_items", "to"), text


def _schedule_faults(entry: dict[str, Any], key: Key) -> Iterator[Fault]:
    every, steps = entry["evaluation"]["every"], entry["steps"]
    if every > steps:
        text = f"{every} is not allowed; allowed: at most the run's steps, {steps}"
        yield (*key, "evaluation", "every"), text


def _task_faults(entry: dict[str, Any], key: Key) -> Iterator[Fault]:
    """Refuse what one task cannot be at the same time."""
    exponent = entry["task"].get("zipf_exponent", 0)
    if exponent == 0:
        return
    at = (*key, "task", "zipf_exponent")
    if entry["task"].get("context_labels", "random") == "balanced":
        yield at, f"{exponent} is not allowed; allowed: 0, where context_labels is balanced"
    if None in expand_items(entry["n_items"]):
        yield at, f"{exponent} is not allowed; allowed: 0, where n_items is infinity"


def _size_faults(jobs: list[Job], key: Key) -> Iterator[Fault]:
    """Refuse sizes from which the task's sequences cannot be drawn."""
    for job in jobs:
        length = job.context_length
        n_items = job.task.redrawn_items if job.n_items is None else job.n_items
        name = "task.redrawn_items" if job.n_items is None else "n_items"
        if job.task.context_labels == "balanced":
            if length % 2:
                text = f"{length} is not allowed; allowed: an even N, where context_labels is"
                yield (*key, "context_length"), f"{text} balanced (N/2 of each label)"
            drawn_at_once = job.n_items is not None or job.task.redraw == "step"
            if drawn_at_once and job.task.item_labels == "random" and n_items < SURE_OF_BOTH_LABELS:
                text = f"{n_items} is not allowed; allowed: at least {SURE_OF_BOTH_LABELS}, where"
                text += " context_labels is balanced and item_labels is random: with fewer, a label"
                yield (*key, name), f"{text} may not occur"
        if job.model.name != "mlp" and length > n_items - 1:
            text = f"{length} is not allowed; allowed: at most the items that the context of an IWL"
            text += f" evaluation is drawn from, {n_items - 1} ({name} less the target)"
            yield (*key, "context_length"), text


def _memory_faults(jobs: list[Job], limit: int, key: Key) -> Iterator[Fault]:
    """Refuse a block that cannot fit: the worst one is named."""
    if not jobs:
        return
    worst = max(jobs, key=lambda job: cost(job).memory_mb)
    needed = cost(worst).memory_mb
    if needed > limit:
        shown = INFINITY if worst.n_items is None else worst.n_items
        text = f"a job of {len(worst.seeds)} replicates at N = {worst.context_length}, K = {shown}"
        text += f" would need about {needed} MB; allowed: memory_limit_mb, {limit}. Lower"
        yield key, f"{text} block_size, or raise the limit where there is more"


def _duplicate_faults(jobs: list[Job], key: Key) -> Iterator[Fault]:
    """Refuse a run that is listed twice: it would count as two replicates.

    Entries may differ in any setting of what is trained. Those that differ only in when a run is
    evaluated or ends are the same run.
    """
    runs = Counter(
        (job.context_length, job.n_items, seed, job.model, job.task, job.optimiser)
        for job in jobs
        for seed in job.seeds
    )
    for (context_length, n_items, seed, *_), count in runs.items():
        if count > 1:
            shown = INFINITY if n_items is None else n_items
            yield key, f"N = {context_length}, K = {shown}, seed {seed} is listed {count} times"
            return


def _reference_faults(config: dict[str, Any]) -> Iterator[Fault]:
    """Refuse a claim or a figure that needs what the configuration does not have."""
    datasets = [*config["experiments"], *config["theory"]]
    for kind in ("claims", "figures"):
        for name, entry in config[kind].items():
            for role, used in entry["experiments"].items():
                if used not in datasets:
                    key = (kind, name, "experiments", role)
                    yield key, f"no such experiment: {used}; {_hint(used, datasets)}"
            for claim in entry.get("claims", ()):
                if claim not in config["claims"]:
                    hint = _hint(claim, config["claims"])
                    yield (kind, name, "claims"), f"no such claim: {claim}; {hint}"
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
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}"
