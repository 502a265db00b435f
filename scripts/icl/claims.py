"""Verdicts: a claim is data (config/claims.yaml), its statistic is code, the band decides.

A criterion is `reproduced` only if its whole interval lies in the band, `not reproduced` if it lies
wholly outside, else `undecided`. The ends of a band belong to it. The p of a test has no interval:
in the band it is `reproduced`, else `undecided`, for a test that does not reject shows nothing.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from icl import measurements
from icl.measurements.base import UNKNOWN, Estimate, Measurement, NotComputableError, count_diverged
from icl.text import (
    NOT_REPRODUCED,
    REPRODUCED,
    UNDECIDED,
    Band,
    band_text,
    measured_text,
    number_text,
    tries_text,
)

__all__ = [
    "NOT_REPRODUCED",
    "REPRODUCED",
    "UNDECIDED",
    "Estimate",
    "Measurement",
    "combine",
    "evaluate",
    "judge",
    "table_markdown",
]

_WITHIN = {REPRODUCED: "yes", NOT_REPRODUCED: "no", UNDECIDED: "undecided"}


def judge(estimate: Estimate, band: Band) -> str:
    """Judge one estimate by its band.

    Args:
        estimate: NaN ends cannot be decided.
        band: lowest and highest allowed value, None where there is no limit.
    """
    lowest = -math.inf if band[0] is None else band[0]
    highest = math.inf if band[1] is None else band[1]
    if any(math.isnan(x) for x in (estimate.value, estimate.low, estimate.high)):
        return UNDECIDED
    if lowest <= estimate.low and estimate.high <= highest:
        return REPRODUCED
    if estimate.test:
        return UNDECIDED
    if estimate.high < lowest or estimate.low > highest:
        return NOT_REPRODUCED
    return UNDECIDED


def combine(verdicts: Iterable[str]) -> str:
    """Combine the verdicts of a claim's criteria: all must hold; one that fails is enough."""
    verdicts = list(verdicts)
    if NOT_REPRODUCED in verdicts:
        return NOT_REPRODUCED
    return REPRODUCED if verdicts and set(verdicts) == {REPRODUCED} else UNDECIDED


def plain(value: Any) -> Any:
    """Turn numbers, arrays and containers into what JSON has; infinity becomes text, NaN null."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else "infinity" if value > 0 else "-infinity"
    return value


def evaluate(
    claim: Mapping[str, Any], claim_id: str, data: Mapping[str, xr.Dataset], preset: str
) -> dict[str, Any]:
    """Measure a claim's statistic and judge it.

    Returns the entry of claims.json, plain data, the same for the same arguments.
    """
    criteria = [c for c in claim["criteria"] if preset in c.get("presets", [preset])]
    optional = measurements.declared()[claim["statistic"]].optional
    absent = {role: name for role, name in claim["experiments"].items() if role not in data}
    notes = [f"there are no data of {' and '.join(absent.values())}"] if absent else []
    reasons = []
    try:
        if set(absent) - set(optional):
            raise NotComputableError(notes.pop())
        measured = measurements.load(claim["statistic"])(dict(data), dict(claim["options"]))
    except NotComputableError as error:
        trained = [dataset for dataset in data.values() if "run" in dataset.dims]
        runs = sum(dataset.sizes["run"] for dataset in trained)
        diverged = sum(map(count_diverged, trained))
        measured = Measurement({}, runs, 0, diverged, error.details)
        reasons.append(str(error))
    judged = []
    for criterion in criteria:
        quantity = criterion["quantity"]
        found = measured.estimates.get(quantity, UNKNOWN)
        verdict = judge(found, criterion["band"])
        judged.append(
            {
                "quantity": quantity,
                "description": criterion["description"],
                "unit": found.unit,
                "value": found.value,
                "interval": [found.low, found.high],
                "test": found.test,
                "band": criterion["band"],
                "verdict": verdict,
            }
        )
        if measured.estimates and verdict == UNDECIDED:
            reasons.append(f"{quantity}: {_why_undecided(found)}")
    return plain(
        {
            "id": claim_id,
            "statement": claim["statement"],
            "source": claim["source"],
            "statistic": claim["statistic"],
            "paper_value": claim["paper_value"],
            "preset": preset,
            "tries": claim.get("tries", 1),
            "criteria": judged,
            "verdict": combine(entry["verdict"] for entry in judged),
            "replicates": measured.replicates,
            "censored": measured.censored,
            "diverged": measured.diverged,
            "missing_blocks": sorted(
                {
                    block
                    for dataset in data.values()
                    for block in json.loads(dataset.attrs["missing_blocks"])
                }
            ),
            "data_digests": {
                dataset.attrs["experiment"]: dataset.attrs["data_digest"]
                for dataset in data.values()
            },
            "band_digest": _digest([claim["statistic"], claim["options"], criteria]),
            "reason": "; ".join(reasons),
            "details": {
                **measured.details,
                "notes": [*measured.notes, *notes],
                "estimates": {
                    quantity: {
                        "value": found.value,
                        "interval": [found.low, found.high],
                        "test": found.test,
                        "unit": found.unit,
                        "failed_resamples": found.failed,
                    }
                    for quantity, found in measured.estimates.items()
                },
                "options": claim["options"],
            },
        }
    )


def _why_undecided(estimate: Estimate) -> str:
    if math.isnan(estimate.value):
        return "the data do not determine it"
    if estimate.test:
        return "the test does not reject, which shows nothing"
    text = "its interval reaches over an end of the band"
    return f"{text} ({estimate.failed} resamples failed)" if estimate.failed else text


def _digest(decisive: Any) -> str:
    """Digest what decides: the statistic, its options, the criteria with their bands."""
    text = json.dumps(decisive, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def table_markdown(verdicts: list[dict[str, Any]]) -> str:
    """Write the verdicts for readers: a table, then a paragraph for each claim."""
    presets = ", ".join(sorted({verdict["preset"] for verdict in verdicts}))
    lines = [
        f"# Claims, measured at size {presets}",
        "",
        "A claim is *reproduced* only if the whole interval of each of its quantities lies in its "
        "band, *not reproduced* if one lies wholly outside, else *undecided*. The bands are ours, "
        "and were fixed before the runs.",
        "",
        *_on_tries(verdicts),
        "| claim | verdict | quantity | measured [interval] | band | within it | paper |",
        "|---|---|---|---|---|---|---|",
    ]
    for verdict in verdicts:
        for row, criterion in enumerate(verdict["criteria"]):
            name = whole = paper = ""
            if row == 0:
                name, paper = verdict["id"], number_text(verdict["paper_value"])
                whole = ", ".join(filter(None, [f"**{verdict['verdict']}**", tries_text(verdict)]))
            lines.append(
                f"| {name} | {whole} | {criterion['quantity']} | {measured_text(criterion)} | "
                f"{band_text(criterion['band'])} | {_WITHIN[criterion['verdict']]} | {paper} |"
            )
    for verdict in verdicts:
        lines += ["", f"## {verdict['id']}: {verdict['verdict']}", "", *_paragraphs(verdict)]
    return "\n".join(lines) + "\n"


def _on_tries(verdicts: list[dict[str, Any]]) -> list[str]:
    if not any(map(tries_text, verdicts)):
        return []
    return [
        "*Try 2* beside a verdict: one complete run of this size did not reproduce the claim, and "
        "this verdict is of new runs; docs/regime.md says what was changed before them.",
        "",
    ]


def _paragraphs(verdict: Mapping[str, Any]) -> list[str]:
    details, options = verdict["details"], verdict["details"]["options"]
    lines = [f"{verdict['statement']} (paper: {verdict['source']})", ""]
    if tries := tries_text(verdict):
        text = f"This is {tries} at this size: docs/regime.md says what was changed before it."
        lines += [text, ""]
    for criterion in verdict["criteria"]:
        failed = details["estimates"].get(criterion["quantity"], {}).get("failed_resamples", 0)
        note = f"; {failed} of {options['resamples']} resamples failed" if failed else ""
        lines.append(
            f"- **{criterion['quantity']}**: {criterion['description']}. "
            f"{measured_text(criterion)}; band: {band_text(criterion['band'])}{note}."
        )
    judged = {criterion["quantity"] for criterion in verdict["criteria"]}
    for quantity, found in details["estimates"].items():
        if quantity not in judged:
            lines.append(f"- {quantity} (not judged): {measured_text(found)}.")
    if verdict["replicates"]:
        resamples = options.get("resamples")
        drawn = f" from {resamples} resamples of the seeds" if resamples else ""
        lines += [
            "",
            f"{verdict['replicates']} replicates, {verdict['censored']} censored, "
            f"{verdict['diverged']} diverged; intervals at {options['confidence']:.0%}{drawn}.",
        ]
    if verdict["missing_blocks"]:
        lines += ["", f"Missing blocks: {', '.join(verdict['missing_blocks'])}."]
    if verdict["reason"]:
        lines += ["", f"Why not decided: {verdict['reason']}."]
    for note in details["notes"]:
        lines += ["", f"Note: {note}."]
    digests = ", ".join(
        f"{name} {digest[:12]}" for name, digest in sorted(verdict["data_digests"].items())
    )
    return [*lines, "", f"Data: {digests or 'none'}. Bands and options: {verdict['band_digest']}."]
