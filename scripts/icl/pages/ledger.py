"""The record of every complete run that judged a claim: docs/record.csv, one row a criterion."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from icl.verdicts import Verdict

PATH = Path("docs/record.csv")
COLUMNS = (
    *("date", "commit", "size", "claim", "quantity", "value", "low", "high"),
    *("band_low", "band_high", "criterion", "verdict", "replicates", "data", "bands"),
)
# What tells one judgement from another: other data, other bands or another estimate.
IDENTITY = ("size", "claim", "quantity", "value", "low", "high", "data", "bands")
Row = Mapping[str, str]


def rows(verdicts: Iterable[Verdict], date: str, commit: str) -> list[Row]:
    """Write the criteria of the verdicts that have their data as rows of the record."""
    found: list[Row] = []
    for verdict in verdicts:
        if not verdict.data_digests or "there are no data" in verdict.reason:
            continue
        data = " ".join(sorted(digest[:12] for digest in verdict.data_digests.values()))
        for criterion in verdict.criteria:
            estimate, band = criterion.estimate, criterion.band
            numbers = (estimate.value, estimate.low, estimate.high)
            cells = (
                *(date, commit, verdict.preset, verdict.id, criterion.quantity),
                *(f"{number:.6g}" for number in numbers),
                *("" if end is None else f"{end:g}" for end in band),
                *(criterion.verdict, verdict.verdict, str(verdict.replicates)),
                *(data, verdict.band_digest),
            )
            found.append(dict(zip(COLUMNS, cells, strict=True)))
    return found


def read(text: str) -> list[Row]:
    """Read the record."""
    return list(csv.DictReader(io.StringIO(text)))


def written(record: Iterable[Row]) -> str:
    """Write the record."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(record)
    return out.getvalue()


def added(record: Sequence[Row], new: Iterable[Row]) -> list[Row]:
    """Add the rows that the record does not have yet."""
    known = {tuple(row[name] for name in IDENTITY) for row in record}
    fresh = [row for row in new if tuple(row[name] for name in IDENTITY) not in known]
    return [*record, *fresh]
