#!/usr/bin/env python3
"""The reference of the configuration: tables made of its schema and of what statistics declare.

`python docs/hooks/configuration.py` writes the table of keys into config/README.md, and
config/schema.json for editors.
"""

import ast
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from icl.experiment.declarations import HERE as MEASUREMENTS
from icl.experiment.declarations import declared
from icl.experiment.schema import Configuration

README = ROOT / "config/README.md"
EDITORS = ROOT / "config/schema.json"
BEGIN = "<!-- made by `make docs` of scripts/icl/experiment/schema.py: edit that -->"
END = "<!-- end -->"


def resolved(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Put what a reference stands for in its place; what stands beside it wins."""
    while "$ref" in node:
        _, name = node["$ref"].rsplit("/", 1)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        node = {**schema["$defs"][name], **beside}
    return node


def keys(node: dict[str, Any], schema: dict[str, Any], at: str = "") -> Iterator[tuple[str, dict]]:
    """Yield every key below a node that holds a value, its path and its schema."""
    for name, child in node.get("properties", {}).items():
        child, path = resolved(child, schema), f"{at}.{name}".lstrip(".")
        if "properties" in child and "meaning" not in child:
            yield from keys(child, schema, path)
        else:
            yield path, child


def setting_keys(schema: dict[str, Any]) -> list[tuple[str, dict]]:
    """List the keys of an experiment, the settings first."""
    settings, experiment, entry = (schema["$defs"][n] for n in ("Settings", "Experiment", "Entry"))

    def own(node: dict[str, Any]) -> dict[str, Any]:
        inherited = settings["properties"]
        return {"properties": {k: v for k, v in node["properties"].items() if k not in inherited}}

    return [
        *keys(settings, schema),
        *keys(own(experiment), schema),
        *keys(own(entry), schema, "grid[]"),
    ]


def table(rows: list[tuple[str, dict]]) -> str:
    """Write keys as a Markdown table.

    Raises:
        KeyError: if a key has no meaning or does not say what is allowed.
    """
    lines = ["| key | meaning | allowed |", "|---|---|---|"]
    for path, node in rows:
        for word in ("meaning", "description"):
            if word not in node:
                raise KeyError(f"{path} has no {word} in experiment/schema.py")
        cells = (node["meaning"], node["description"])
        meaning, allowed = (str(cell).replace("|", "\\|") for cell in cells)
        lines.append(f"| `{path}` | {meaning} | {allowed} |")
    return "\n".join(lines)


def tables() -> str:
    """Write the tables of config/README.md."""
    schema = Configuration.model_json_schema()
    sections = ("defaults", "experiments", "theory", "claims", "figures")
    top = [
        (path, node) for path, node in keys(schema, schema) if path.split(".")[0] not in sections
    ]
    return (
        f"**Of the whole run**\n\n{table(top)}\n\n"
        f"**Of an experiment**\n\n{table(setting_keys(schema))}\n\n"
        f"**Of a claim**, which a size may change in some keys\n\n"
        f"{table(list(keys(schema['$defs']['Claim'], schema)))}"
    )


def readme() -> str:
    """Return config/README.md with its tables as they should be."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{tables()}\n\n{END}{after}"


def editors_schema() -> str:
    """Write the JSON schema for editors: a preset or an overlay may leave anything out."""
    schema = Configuration.model_json_schema()
    for node in [schema, *schema["$defs"].values()]:
        if node is not schema["$defs"]["Range"]:
            node.pop("required", None)
    return json.dumps(schema, indent=1) + "\n"


def statistics() -> str:
    """Write the statistics that a claim may name, for the site's reference."""
    options_of_all = Configuration.model_json_schema()["$defs"]["Options"]["properties"]
    lines = ["| statistic | what | roles | quantities | options |", "|---|---|---|---|---|"]
    for name, entry in declared().items():
        path = MEASUREMENTS / f"{entry.module.rpartition('.')[2]}.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        (function,) = (node for node in tree.body if getattr(node, "name", "") == name)
        what = (ast.get_docstring(function) or "").split("\n\n")[0].replace("\n", " ")
        words = (", ".join(part) for part in (entry.roles, entry.quantities, entry.options))
        lines.append(f"| `{name}` | {what} | {' | '.join(words)} |")
    options = ["| option | allowed |", "|---|---|"]
    for name, node in options_of_all.items():
        options.append(f"| `{name}` | {node['description']} |")
    return "\n".join([*lines, "", *options])


if __name__ == "__main__":
    README.write_text(readme(), encoding="utf-8")
    EDITORS.write_text(editors_schema(), encoding="utf-8")
