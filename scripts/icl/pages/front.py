"""The report's first page: verdicts first, then every figure with its caption, runs, runtimes."""

import base64
import csv
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import docutils.core
import jinja2
import numpy as np
import xarray as xr
from markupsafe import Markup
from PIL import Image

from icl import text
from icl.experiment.declarations import declared
from icl.pages import sketch
from icl.pages.formulas import typeset
from icl.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Criterion, Verdict

PIXELS_PER_INCH = 125  # at which figures are shown; files have more
FILE_PIXELS_PER_INCH = 250  # of icl.figures.style
THUMBNAIL = (360, 230)  # pixels, shown at half of that


def render(template: str, **content: Any) -> str:
    """Fill in the page's template; returns HTML without a head or a body of its own.

    Raises:
        jinja2.TemplateError: if the template names what there is not.
    """
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: text.seen(value) if type(value) is str else value,
    )
    environment.filters |= {
        "interval": sketch.interval,
        "formulas": typeset,
        "measured": measured,
        "band": text.band_text,
        "number": text.number_text,
        "tries": text.tries_text,
        "repeats": text.repeats_text,
        "hours": text.duration_text,
        "breakable": breakable,
    }
    return environment.from_string(template).render(**content)


def measured(criterion: Criterion) -> str:
    """Write an estimate whose value and interval stay in one line, whatever its unit."""
    numbers, bracket, unit = text.measured_text(criterion.estimate).partition("]")
    return numbers.replace(" ", "\N{NO-BREAK SPACE}") + bracket + unit


def breakable(name: str) -> Markup:
    """Let a long name go on in the next line after an underscore."""
    return Markup("_<wbr>").join(text.visible(name).split("_"))


def caption_html(caption: str) -> Markup:
    """Turn a caption into HTML.

    Raises:
        docutils.utils.SystemMessage: if it is not sound reStructuredText.
    """
    parts = docutils.core.publish_parts(
        caption,
        writer="html5",
        settings_overrides={
            "halt_level": 2,
            "report_level": 5,
            "raw_enabled": False,
            "file_insertion_enabled": False,
            "_disable_config": True,  # a docutils.conf could turn them on again
        },
    )
    return typeset(Markup(parts["body"]))


def picture(path: str | Path) -> dict[str, Any]:
    """Return a PNG as a data URI, the width at which to show it, and a thumbnail."""
    with Image.open(path) as image:
        width = round(image.width * PIXELS_PER_INCH / FILE_PIXELS_PER_INCH)
        small = image.convert("RGB")
    small.thumbnail(THUMBNAIL, Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.quantize(64).save(buffer, "PNG", optimize=True)
    return {
        "uri": _png(Path(path).read_bytes()),
        "width": width,
        "thumbnail": _png(buffer.getvalue()),
    }


def _png(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def claim_row(
    verdict: Verdict,
    claim: Mapping[str, Any],
    figures: Iterable[Mapping[str, Any]],
    datasets: Mapping[str, xr.Dataset],
) -> dict[str, Any]:
    """Gather what the page says of a claim, and where each part of it can be looked at.

    `claim` is its entry in the configuration, empty if there is none; the datasets are by name.
    """
    used = [name for name in claim.get("experiments", {}).values() if name in datasets]
    trained = [name for name in dict.fromkeys(used) if "run" in datasets[name].dims]
    statistic = declared().get(verdict.statistic)
    return {
        "verdict": verdict,
        "title": claim.get("title") or verdict.id.replace("_", " "),
        "figures": [figure["id"] for figure in figures if verdict.id in figure["claims"]],
        "data": {
            name: f"{'collected' if name in trained else 'theory'}/{name}.nc" for name in used
        },
        "code": f"scripts/{statistic.module.replace('.', '/')}.py" if statistic else "",
        "docs": {page.partition(".md")[0]: f"docs/{page}" for page in claim.get("docs", ())},
        "curves": urlencode({"experiment": trained[0], "claim": verdict.id}) if trained else "",
    }


def order_of_paper(verdict: Verdict) -> tuple[str, int, str]:
    """Sort key of claims: by the figure that shows them, then those of the text by section."""
    if found := re.search(r"Figures? (?:([A-Z])\.)?(\d+)( [a-z]\b)?", verdict.source):
        return found[1] or "", int(found[2]), found[3] or ""
    section = re.search(r"sections? ([\d.]+)", verdict.source)
    return "~", 0, section[1] if section else "~"


def experiment_row(dataset: xr.Dataset) -> dict[str, Any]:
    """Summarise an experiment: its grid, its runs, and where and when they ran."""
    runs = json.loads(dataset.attrs["provenance"])
    jobs = json.loads(dataset.attrs["jobs"])
    return {
        "name": dataset.attrs["experiment"],
        "title": dataset.attrs["title"].partition(": ")[2],
        "context_length": text.counts_text(dataset["context_length"].values),
        "n_items": text.counts_text(dataset["n_items"].values),
        "runs": dataset.sizes["run"],
        "jobs": len(jobs),
        "missing": len(json.loads(dataset.attrs["missing_blocks"])),
        "steps": text.counts_text(np.array([job["steps"] for job in jobs], dtype=float)),
        "stop": ", ".join(sorted({job["stop"]["when"] for job in jobs})),
        "seconds": sum(run.get("wall_seconds", 0.0) for run in runs),
        "device": ", ".join(sorted({str(run.get("device", "unknown")) for run in runs})),
        "commit": ", ".join(
            sorted({commit(run["git_revision"], run["git_dirty"]) for run in runs})
        ),
        "newest": max((run["started"][:10] for run in runs), default=""),
        "versions": sorted({run["versions"] for run in runs}),
        "digest": dataset.attrs["data_digest"][:12],
    }


def commit(revision: str, dirty: int) -> str:
    """Name a commit in a few letters, and say if the code differed from it."""
    return revision[:10] + (" with changes" if dirty == 1 else "")


def runtimes(folder: str | Path) -> list[dict[str, Any]]:
    """Sum up the benchmark files below a folder, by stage and (of training) by experiment.

    Returns rows of stage, jobs, total and longest in seconds, peak memory in MB; the longest first.
    """
    stages: dict[str, list[dict[str, str]]] = defaultdict(list)
    folder = Path(folder)
    for path in sorted(folder.rglob("*.tsv")):
        parts = path.relative_to(folder).with_suffix("").parts
        stage = " ".join(parts[:-1]) or parts[-1]
        with path.open(encoding="utf-8") as lines:
            stages[stage] += list(csv.DictReader(lines, delimiter="\t"))
    rows = [
        {
            "stage": stage,
            "jobs": len(records),
            "total": sum(float(record["s"]) for record in records),
            "longest": max(float(record["s"]) for record in records),
            "memory": max(map(_memory, records)),
        }
        for stage, records in stages.items()
        if records
    ]
    return sorted(rows, key=lambda row: -row["total"])


def _memory(record: Mapping[str, str]) -> float:
    """Read the peak memory of a benchmark's record, 0 where the job was too short to be seen."""
    try:
        return float(record["max_rss"])
    except ValueError:
        return 0.0


def tally(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Count claims by verdict."""
    found = [verdict.verdict for verdict in verdicts]
    kinds = (REPRODUCED, UNDECIDED, NOT_REPRODUCED)
    return {kind: found.count(kind) for kind in kinds}
