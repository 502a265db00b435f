"""An archive as a Workflow Run RO-Crate: what each file is and what made it, for others' tools.

RO-Crate describes a folder in one JSON-LD file at its root (https://w3id.org/ro/crate/1.1). The
profile Workflow Run Crate adds a workflow and a run of it (https://w3id.org/ro/wfrun/workflow/0.5).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from icl.store import artifacts, provenance

NAME = "ro-crate-metadata.json"
WORKFLOW = "workflow/Snakefile"
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
# The second has `sha256`, which the specification's own lacks.
CONTEXTS = [f"{SPECIFICATION}/context", "https://w3id.org/ro/terms/workflow-run/context"]
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    WORKFLOW_CRATE: "Workflow RO-Crate",
}
LANGUAGE = "https://w3id.org/workflowhub/workflow-ro-crate#snakemake"
FORMATS = {
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".nc": "application/x-netcdf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".yaml": "application/yaml",
}
CONFIGURATION = (("config",), ("config.json",))  # below results/<size>/
TITLES = {
    "README.md": "What the archive holds, and how to draw its figures",
    "claims.json": "All verdicts",
    "claims.md": "All verdicts, as a table",
    "config.json": "The whole configuration",
    "explorer.html": "Every curve of every run",
    "report.html": "Verdicts, figures and runs on one page",
}


def describe(
    members: Mapping[str, Path | bytes],
    size: str,
    commit: str,
    config: Mapping[str, Any],
    citation: Mapping[str, Any],
) -> bytes:
    """Describe an archive's members; no fact is of the time or place where that is done.

    Args:
        members: names from the archive's root -> a file to read, or contents; with the workflow.
        commit: what the workflow is of.
        config: the size's configuration, for the titles of figures and the statements of claims.
        citation: what CITATION.cff holds.
    """
    datasets = {
        name: artifacts.read(member).attrs
        for name, member in members.items()
        if isinstance(member, Path) and member.suffix == ".nc"
    }
    times = sorted(time for attributes in datasets.values() for time in _times(attributes))
    files = {
        name: _file(members[name]) | _about(PurePosixPath(name), datasets.get(name, {}), config)
        for name in sorted(members)
    }
    given = [name for name in files if PurePosixPath(name).parts[2:3] in CONFIGURATION]
    paper = citation["preferred-citation"]
    article = "https://arxiv.org/abs/" + paper["identifiers"][0]["value"].removeprefix("arXiv:")
    licence = f"https://spdx.org/licenses/{citation['license']}"
    authors = {f"#{who['family-names']}": who for who in paper["authors"]}
    files[WORKFLOW] |= {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": citation["title"],
        "description": "Runs only in its repository, at this version, for it includes other files.",
        "programmingLanguage": _to(LANGUAGE),
        "version": commit,
    }
    entities: dict[str, dict[str, Any]] = {
        NAME: {
            "@type": "CreativeWork",
            "about": _to("./"),
            "conformsTo": _to(SPECIFICATION, WORKFLOW_CRATE),
        },
        "./": {
            "@type": "Dataset",
            "name": f"icl-race, size {size}",
            "description": f"Figures, verdicts and the runs behind them, of: {paper['title']}",
            "datePublished": times[-1][:10],
            "author": _to("#authors"),
            "license": _to(licence),
            "citation": _to(article),
            "conformsTo": _to(*PROFILES),
            "mainEntity": _to(WORKFLOW),
            "mentions": _to("#run"),
            "hasPart": _to(*files),
        },
        **files,
        "#run": {
            "@type": "CreateAction",
            "name": f"The run of size {size}",
            "description": "Timed from the start of the first job to when the last dataset was "
            "made; verdicts and figures came after.",
            "instrument": _to(WORKFLOW),
            "object": _to(*given),
            "result": _to(*(name for name in files if name not in (WORKFLOW, *given))),
            "startTime": times[0],
            "endTime": times[-1],
        },
        LANGUAGE: {
            "@type": "ComputerLanguage",
            "name": "Snakemake",
            "url": _to("https://snakemake.github.io"),
        },
        licence: {"@type": "CreativeWork", "name": citation["license"]},
        "#authors": {"@type": "Organization", "name": citation["authors"][0]["name"]},
        article: {
            "@type": "ScholarlyArticle",
            "name": paper["title"],
            "author": _to(*authors),
            "datePublished": str(paper["year"]),
        },
    }
    for at, who in authors.items():
        name = f"{who['given-names']} {who['family-names']}"
        entities[at] = {"@type": "Person", "name": name}
    for uri, name in PROFILES.items():
        version = uri.rpartition("/")[2]
        entities[uri] = {"@type": "CreativeWork", "name": name, "version": version}
    graph = [{"@id": at, **entity} for at, entity in entities.items()]
    return json.dumps({"@context": CONTEXTS, "@graph": graph}, indent=1).encode()


def _to(*ids: str) -> Any:
    """Refer to one entity or several."""
    references = [{"@id": at} for at in ids]
    return references[0] if len(references) == 1 else references


def _file(member: Path | bytes) -> dict[str, Any]:
    contents = member if isinstance(member, bytes) else member.read_bytes()
    return {
        "@type": "File",
        "contentSize": str(len(contents)),
        "sha256": hashlib.sha256(contents).hexdigest(),
    }


def _about(
    name: PurePosixPath, attributes: Mapping[str, Any], config: Mapping[str, Any]
) -> dict[str, str]:
    """Say what a file is, and of a dataset where it comes from."""
    about = {"encodingFormat": FORMATS.get(name.suffix, "text/plain")}
    match name.parent.name:
        case "collected" | "theory":
            origin = provenance.summary(attributes)
            about["name"] = attributes["title"]
            about["description"] = "; ".join(
                f"{what}: {', '.join(origin[what])}" for what in ("commits", "devices", "versions")
            )
        case "figures":
            about["name"] = config["figures"][name.stem]["title"]
        case "analysis":
            about["name"] = f"Verdict on: {config['claims'][name.stem]['statement']}"
        case "config":
            about["name"] = "A file of the configuration; of them, later ones win"
        case _ if name.name in TITLES:
            about["name"] = TITLES[name.name]
    return about


def _times(attributes: Mapping[str, Any]) -> Iterator[str]:
    """Yield when a dataset was made, and when each attempt at its jobs began."""
    yield attributes["started"]
    for run in json.loads(attributes.get("provenance", "[]")):
        yield run["started"]
        yield from (attempt["started"] for attempt in json.loads(run.get("attempts", "[]")))
