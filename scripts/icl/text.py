"""Write numbers, estimates and bands for readers."""

import math
import unicodedata

import numpy as np

from icl.verdicts import Band, Estimate, Verdict

LEAST_P = 1e-4  # p-values below it are bounded by it: Hartigan's table ends at 1e-5
JOINER = "\u2060"  # not seen, and harmless
KEPT = ("\n", "\t", JOINER)
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


def count_text(value: float) -> str:
    """Write a count, thousands in full."""
    return "∞" if math.isinf(value) else f"{value:,.0f}"


def counts_text(values: np.ndarray) -> str:
    """List distinct counts; where they are many, their ends and their number."""
    text = [count_text(value) for value in np.unique(values)]
    return f"{text[0]} to {text[-1]} ({len(text)} values)" if len(text) > 6 else ", ".join(text)


def digits_text(value: float, digits: int = 2, most_places: int = 9) -> str:
    """Write a number to so many significant digits, thousands in full, at most so many decimals."""
    if math.isnan(value):
        return "?"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    rounded = float(f"{value:.{digits}g}")
    places = max(digits - 1 - math.floor(math.log10(abs(rounded))), 0) if rounded else 0
    return f"{rounded:,.{min(places, most_places)}f}".replace("-", "−")


def power_text(value: float) -> str:
    """Write a number as mathtext in scientific notation; 0 and 1 stay as they are."""
    if value in (0, 1):
        return f"{value:g}"
    exponent = math.floor(math.log10(value) + 1e-9)
    factor = value / 10**exponent
    power = f"10^{{{exponent}}}"
    return f"${power}$" if abs(factor - 1) < 1e-6 else f"${factor:.3g}\\times{power}$"


def duration_text(seconds: float) -> str:
    """Write a duration: 12 s, 3.4 min, 5.6 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def band_text(band: Band) -> str:
    """Write a band for readers."""
    low, high = band
    if low is None:
        return f"at most {number_text(high)}"
    if high is None:
        return f"at least {number_text(low)}"
    return f"{number_text(low)} to {number_text(high)}"


def tries_text(verdict: Verdict) -> str:
    """Say which try of a claim a verdict is, "" for the first."""
    return f"try {verdict.tries}" if verdict.tries > 1 else ""


def repeats_text(verdict: Verdict) -> str:
    """Say how often a fresh run of the design repeats a verdict, "" where that is not known."""
    return "" if verdict.repeats is None else f"repeats with {verdict.repeats:.2f}"


def measured_text(estimate: Estimate) -> str:
    """Write an estimate with its interval and unit, or the p of a test, which has neither."""
    if math.isnan(estimate.value):
        return "not computable"
    if estimate.test:
        p = estimate.value  # given as a bound where it is very small
        return f"p < {LEAST_P:.4f}" if p < LEAST_P else f"p = {number_text(p)}"
    value, low, high = map(number_text, (estimate.value, estimate.low, estimate.high))
    return f"{value} [{low}, {high}] {estimate.unit}".rstrip()


def estimate_text(estimate: Estimate, digits: int = 2) -> str:
    """Write an estimate and its interval to so many significant digits, without the unit."""
    if math.isnan(estimate.value):
        return "not computable"
    ends = (estimate.value, estimate.low, estimate.high)
    value, low, high = (digits_text(number, digits) for number in ends)
    return value if estimate.test else f"{value} [{low}, {high}]"  # a p has no interval


def visible(text: str) -> str:
    """Put text on one line, and write out the characters that are not seen.

    Control characters, and those that turn the direction of writing, would let text from a file
    look like other text, or start a line of its own.
    """
    return seen(" ".join(text.split()))


def seen(text: str) -> str:
    """Write out the characters of a text that are not seen, but keep its lines."""
    return "".join(
        f"\\u{ord(c):04x}" if unicodedata.category(c) in HIDDEN and c not in KEPT else c
        for c in text
    )


def in_script(text: str) -> str:
    """Make text safe within a page's script, where `</script>` and `<!--` mean something.

    Snakemake's report has labels and parameters there as they are. A word joiner, not seen, keeps
    `<` from what it would open.
    """
    return visible(text).replace("<", f"<{JOINER}")
