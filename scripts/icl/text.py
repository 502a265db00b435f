"""Word verdicts, numbers and bands for readers."""

import math
import unicodedata
from collections.abc import Callable

from icl.verdicts import Band, Estimate, Verdict

LEAST_P = 1e-4  # p-values below it are bounded by it: Hartigan's table ends at 1e-5
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")  # Unicode's categories of what is not seen


def number_text(value: str | float | None) -> str:
    """Write a number for readers of a table; text, as a claim may give in its place, stays."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return "not known"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
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


def tries_text(verdict: Verdict) -> str:
    """Say which try of a claim a verdict is, "" for the first."""
    return f"try {verdict.tries}" if verdict.tries > 1 else ""


def measured_text(estimate: Estimate) -> str:
    """Write an estimate with its interval and unit, or the p of a test, which has neither."""
    if math.isnan(estimate.value):
        return "not computable"
    if estimate.test:
        return p_text(estimate.value)
    value, low, high = map(number_text, (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}] {estimate.unit}".rstrip()


def visible(text: str) -> str:
    """Put text on one line, and write out the characters that are not seen.

    Control characters, and those that turn the direction of writing, would let text from a file
    look like other text, or start a line of its own.
    """
    return "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c) in HIDDEN else c
        for c in " ".join(text.split())
    )
