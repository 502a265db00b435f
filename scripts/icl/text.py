"""Word verdicts, numbers and bands for readers."""

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

LEAST_P = 1e-4  # p-values below it are bounded by it: Hartigan's table ends at 1e-5
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # Unicode's categories of what is not seen
REPRODUCED, NOT_REPRODUCED, UNDECIDED = "reproduced", "not reproduced", "undecided"
Band = tuple[float | None, float | None] | list[float | None]


def number_text(value: Any) -> str:
    """Write a number of claims.json for readers."""
    if value is None:
        return "not known"
    if isinstance(value, str):
        return {"infinity": "∞", "-infinity": "−∞"}.get(value, value)
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def band_text(band: Band) -> str:
    """Write a band for readers."""
    low, high = band
    if low is None:
        return f"at most {number_text(high)}"
    return (
        f"at least {number_text(low)}"
        if high is None
        else f"{number_text(low)} to {number_text(high)}"
    )


def p_text(p: float, written: Callable[[float], str] = number_text) -> str:
    """Write the p of a test, bounded where it is too small to be told."""
    return f"p < {LEAST_P:.4f}" if p < LEAST_P else f"p = {written(p)}"


def tries_text(verdict: Mapping[str, Any]) -> str:
    """Say which try of a claim a verdict is, "" for the first."""
    tries = verdict.get("tries", 1)  # verdicts of an old archive have none
    return f"try {tries}" if tries > 1 else ""


def measured_text(criterion: Mapping[str, Any]) -> str:
    """Write an estimate with its interval and unit, or the p of a test, which has neither."""
    low, high = criterion["interval"]
    if criterion["value"] is None:
        return "not computable"
    if criterion.get("test"):
        return p_text(criterion["value"])
    value = f"{number_text(criterion['value'])} [{number_text(low)}, {number_text(high)}]"
    return f"{value} {criterion['unit']}".rstrip()


def visible(text: str) -> str:
    """Put text on one line, and write out the characters that are not seen.

    Control characters, and those that turn the direction of writing, would let text from a file
    look like other text, or start a line of its own.
    """
    hidden = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c) in hidden else c
        for c in " ".join(text.split())
    )
