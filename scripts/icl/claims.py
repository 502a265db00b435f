"""Verdicts: a claim is data (config/claims.yaml), its statistic is code, the band decides.

A criterion is `reproduced` only if its whole interval lies in the band, `not reproduced` if it lies
wholly outside, else `undecided`. The ends of a band belong to it. The p of a test has no interval:
in the band it is `reproduced`, else `undecided`, for a test that does not reject shows nothing.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from icl import measurements
from icl.measurements.base import Measurement, NotComputableError, count_diverged
from icl.verdicts import (
    NOT_REPRODUCED,
    REPRODUCED,
    UNDECIDED,
    UNKNOWN,
    Band,
    Criterion,
    Estimate,
    Verdict,
)


def judge(estimate: Estimate, band: Band) -> str:
    """Judge one estimate by its band; NaN ends cannot be decided."""
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


def evaluate(
    claim: Mapping[str, Any], claim_id: str, data: Mapping[str, xr.Dataset], preset: str
) -> Verdict:
    """Measure a claim's statistic and judge it: the same verdict for the same arguments."""
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
        measured = Measurement({}, runs, error.details, diverged=diverged)
        reasons.append(str(error))
    judged = []
    for criterion in criteria:
        quantity, band = criterion["quantity"], criterion["band"]
        found = measured.estimates.get(quantity, UNKNOWN)
        verdict = judge(found, band)
        judged.append(Criterion(quantity, criterion["description"], band, found, verdict))
        if measured.estimates and verdict == UNDECIDED:
            reasons.append(f"{quantity}: {_why_undecided(found)}")
    missing = (json.loads(dataset.attrs["missing_blocks"]) for dataset in data.values())
    return Verdict(
        id=claim_id,
        statement=claim["statement"],
        source=claim["source"],
        statistic=claim["statistic"],
        paper_value=claim["paper_value"],
        preset=preset,
        tries=claim.get("tries", 1),
        criteria=judged,
        verdict=combine(criterion.verdict for criterion in judged),
        replicates=measured.replicates,
        censored=measured.censored,
        diverged=measured.diverged,
        missing_blocks=sorted({block for blocks in missing for block in blocks}),
        data_digests={
            dataset.attrs["experiment"]: dataset.attrs["data_digest"] for dataset in data.values()
        },
        band_digest=_digest([claim["statistic"], claim["options"], criteria]),
        reason="; ".join(reasons),
        estimates=measured.estimates,
        options=claim["options"],
        notes=[*measured.notes, *notes],
        details=measured.details,
    )


def with_halves(
    claim: Mapping[str, Any], claim_id: str, data: Mapping[str, xr.Dataset], preset: str
) -> Verdict:
    """Judge a claim on all seeds, and on the even and the odd ones by themselves.

    The verdict is of all seeds, but undecided if one half reproduces the claim and the other does
    not: then the seed decides, not the model.
    """
    whole = evaluate(claim, claim_id, data, preset)
    halves = [evaluate(claim, claim_id, _of_parity(data, parity), preset) for parity in (0, 1)]
    shown = [{"verdict": half.verdict, "criteria": half.criteria} for half in halves]
    if {half.verdict for half in halves} == {REPRODUCED, NOT_REPRODUCED}:
        reason = "the even seeds and the odd seeds say the opposite"
        return replace(whole, halves=shown, verdict=UNDECIDED, reason=reason)
    return replace(whole, halves=shown)


def _of_parity(data: Mapping[str, xr.Dataset], parity: int) -> dict[str, xr.Dataset]:
    """Select the runs of even (0) or odd (1) seeds; theory has no seeds and stays."""
    return {
        role: dataset.isel(run=np.flatnonzero(dataset["seed"].values % 2 == parity))
        if "run" in dataset.dims
        else dataset
        for role, dataset in data.items()
    }


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
