"""What a verdict holds, and its form in JSON, which knows neither NaN nor infinity."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
Band = tuple[float | None, float | None] | list[float | None]
_INFINITE = {"infinity": math.inf, "-infinity": -math.inf}


@dataclass(frozen=True)
class Estimate:
    """A number with its interval."""

    value: float  # NaN where it could not be computed
    low: float
    high: float
    unit: str = ""  # in words; "" for a pure number
    failed: int = 0  # bootstrap resamples without a value, which count against both ends
    test: bool = False  # whether it is the p of a test, which has no interval

    def to_json(self) -> dict[str, Any]:
        """Return what a criterion and the details both say of it."""
        return {
            "value": self.value,
            "interval": [self.low, self.high],
            "test": self.test,
            "unit": self.unit,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Estimate":
        """Read an estimate; those of an old archive lack what was added later."""
        low, high = restored(entry["interval"])
        return cls(
            restored(entry["value"]),
            low,
            high,
            entry.get("unit", ""),
            entry.get("failed_resamples", 0),
            entry.get("test", False),
        )


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class Criterion:
    """A quantity, the band that it is judged by, and how that ended."""

    quantity: str
    description: str
    band: Band
    estimate: Estimate
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry of a verdict's criteria."""
        return {
            "quantity": self.quantity,
            "description": self.description,
            "band": self.band,
            "verdict": self.verdict,
            **self.estimate.to_json(),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Criterion":
        """Read an entry of a verdict's criteria."""
        return cls(
            entry["quantity"],
            entry["description"],
            entry["band"],
            Estimate.from_json(entry),
            entry["verdict"],
        )


@dataclass(frozen=True)
class Verdict:
    """A claim, what was measured for it, and the judgement: an entry of claims.json."""

    id: str
    statement: str
    source: str
    statistic: str
    paper_value: str | float | None
    preset: str
    tries: int
    criteria: list[Criterion]
    verdict: str
    replicates: int
    censored: int
    diverged: int
    missing_blocks: list[str]
    data_digests: dict[str, str]  # by experiment
    band_digest: str
    reason: str  # why it is undecided, else ""
    estimates: dict[str, Estimate]  # of all quantities, judged or not
    options: dict[str, Any]  # of the claim
    notes: list[str]
    details: dict[str, Any]  # whatever else was measured, for figures and readers
    # Of the even and of the odd seeds, if they were judged too: "verdict" and "criteria".
    halves: list[dict[str, Any]] = field(default_factory=list)
    # How often a fresh run of the same design would say the same, once `snakemake power` has asked.
    repeats: float | None = None

    def estimate(self, quantity: str) -> Estimate:
        """Find the estimate of a quantity, unknown if it was not measured."""
        return self.estimates.get(quantity, UNKNOWN)

    def to_json(self) -> dict[str, Any]:
        """Return the entry of claims.json."""
        entry = {
            **vars(self),
            "criteria": [criterion.to_json() for criterion in self.criteria],
            "halves": [
                {**half, "criteria": [criterion.to_json() for criterion in half["criteria"]]}
                for half in self.halves
            ],
        }
        for name in ("halves", "repeats"):
            if entry[name] in (None, []):
                del entry[name]
        estimates = {
            quantity: {**found.to_json(), "failed_resamples": found.failed}
            for quantity, found in entry.pop("estimates").items()
        }
        inside = {name: entry.pop(name) for name in ("options", "notes")}
        entry["details"] = {**self.details, **inside, "estimates": estimates}
        return plain(entry)

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "Verdict":
        """Read an entry of claims.json. In its details, null becomes NaN."""
        details = dict(entry["details"])
        estimates = {
            quantity: Estimate.from_json(found)
            for quantity, found in details.pop("estimates").items()
        }
        criteria = [Criterion.from_json(found) for found in entry["criteria"]]
        halves = [
            {**half, "criteria": [Criterion.from_json(found) for found in half["criteria"]]}
            for half in entry.get("halves", [])
        ]
        options, notes = details.pop("options", {}), details.pop("notes", [])
        own = {name: entry[name] for name in cls.__dataclass_fields__ if name in entry}
        return cls(
            **{
                "tries": 1,  # an old archive does not say
                **own,
                "criteria": criteria,
                "halves": halves,
                "estimates": estimates,
                "options": options,
                "notes": notes,
                "details": restored(details),
            }
        )


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


def restored(value: Any) -> Any:
    """Turn what `plain` wrote back into numbers; null becomes NaN."""
    if isinstance(value, Mapping):
        return {key: restored(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [restored(entry) for entry in value]
    if isinstance(value, str):
        return _INFINITE.get(value, value)
    return math.nan if value is None else value
