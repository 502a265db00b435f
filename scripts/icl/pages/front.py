"""The report's first page: verdicts first, then every figure with its caption, runs, runtimes."""

import base64
import csv
import json
import math
import struct
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import docutils.core
import jinja2
import numpy as np
import xarray as xr
from markupsafe import Markup

from icl import text
from icl.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Criterion, Verdict

PIXELS_PER_INCH = 125  # at which figures are shown; files have more
FILE_PIXELS_PER_INCH = 250  # of icl.figures.style


def render(template: str, **content: Any) -> str:
    """Fill the page's template in.

    Returns HTML, without a head or a body of its own.

    Args:
        template: the text of workflow/report/front.html.
        **content: what the template names.

    Raises:
        jinja2.TemplateError: if the template names what there is not.
    """
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "interval": interval_drawing,
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
    return Markup("_<wbr>").join(name.split("_"))


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
    return Markup(parts["body"])


def picture(path: str | Path) -> dict[str, Any]:
    """Return a PNG as a data URI, and the width at which to show it."""
    data = Path(path).read_bytes()
    (width,) = struct.unpack(">I", data[16:20])  # of the header, IHDR
    return {
        "uri": "data:image/png;base64," + base64.b64encode(data).decode(),
        "width": round(width * PIXELS_PER_INCH / FILE_PIXELS_PER_INCH),
    }


def interval_drawing(criterion: Criterion) -> Markup:
    """Draw an estimate with its interval over its band, as SVG; nothing if it has no value.

    The band is shaded; an end without a limit, and an interval without an end, reach the margin.
    """
    value, low, high = (getattr(criterion.estimate, name) for name in ("value", "low", "high"))
    lowest, highest = criterion.band
    marks = [x for x in (value, low, high, lowest, highest) if x is not None and math.isfinite(x)]
    if not math.isfinite(value) or not marks:
        return Markup("")
    span = (max(marks) - min(marks)) or abs(value) or 1.0
    left, right = min(marks) - 0.18 * span, max(marks) + 0.18 * span
    width, height = 110, 20

    def at(x: float | None, otherwise: float) -> float:
        if x is None or math.isnan(x):
            return otherwise
        return round(float(np.clip((x - left) / (right - left), 0, 1)) * width, 1)

    start, end = at(lowest, 0), at(highest, width)
    dot = at(value, 0)
    return Markup(
        '<svg class="interval {kind}" role="img" width="{w}" height="{h}" viewBox="0 0 {w} {h}">'
        '<title>{title}</title><rect class="band" x="{x}" y="1" width="{bw}" height="{bh}"/>'
        '<line x1="{a}" x2="{b}" y1="{m}" y2="{m}"/><circle cx="{c}" cy="{m}" r="3.6"/></svg>'
    ).format(
        kind=criterion.verdict.replace(" ", "-"),
        title=f"{text.measured_text(criterion.estimate)}; band: {text.band_text(criterion.band)}",
        w=width,
        h=height,
        bh=height - 2,
        x=start,
        bw=round(end - start, 1),
        a=at(low, dot),
        b=at(high, dot),
        m=height / 2,
        c=dot,
    )


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
        "digest": dataset.attrs["data_digest"][:12],
    }


def commit(revision: str, dirty: int) -> str:
    """Name a commit in a few letters, and say if the code differed from it."""
    return revision[:10] + (" with changes" if dirty == 1 else "")


def runtimes(folder: str | Path) -> list[dict[str, Any]]:
    """Sum the benchmark files of a size up, by stage and (of training) by experiment.

    Returns rows of stage, jobs, total and longest in seconds, peak memory in MB; the longest first.

    Args:
        folder: results/<size>/benchmarks.
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
