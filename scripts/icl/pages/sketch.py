"""A sketch of an estimate with its interval over its band, as SVG with a scale."""

import math

import numpy as np
from markupsafe import Markup

from icl import text
from icl.pages.formulas import MINUS
from icl.verdicts import Criterion

WIDTH, HEIGHT, MARGIN = 210, 44, 52  # pixels; the margin holds the numbers at both sides
TOP, BOTTOM = 4, 26  # of the band
SKETCH = Markup(
    f'<svg class="interval {{kind}}" role="img" width="{WIDTH}" height="{HEIGHT}" '
    f'viewBox="0 0 {WIDTH} {HEIGHT}"><title>{{title}}</title><rect class="band" '
    'x="{band[0]:.1f}" width="{band[1]:.1f}" y="{band[2]}" height="{band[3]}"/>'
    '<line x1="{line[0]:.1f}" x2="{line[1]:.1f}" y1="{line[3]}" y2="{line[3]}"/>'
    '<circle cx="{line[2]:.1f}" cy="{line[3]}" r="3.6"/>{numbers}</svg>'
)
NUMBER = Markup('<text x="{x:.1f}" y="{y}" text-anchor="{anchor}">{number}</text>')


def interval(criterion: Criterion) -> Markup:
    """Draw an estimate with its interval over its band; nothing if it has no value.

    The band is shaded, and its ends are written below it; those of the interval stand beside it. A
    band without a limit and an interval without an end reach the margin.
    """
    value, low, high = (getattr(criterion.estimate, name) for name in ("value", "low", "high"))
    lowest, highest = criterion.band
    marks = [x for x in (value, low, high, lowest, highest) if x is not None and math.isfinite(x)]
    if not math.isfinite(value) or not marks:
        return Markup("")
    left, right = min(marks), max(marks)
    span = (right - left) or abs(value) or 1.0

    def at(x: float | None, otherwise: float) -> float:
        if x is None or math.isnan(x):
            return otherwise
        share = float(np.clip((x - left) / span, -1, 2))
        return float(np.clip(MARGIN + share * (WIDTH - 2 * MARGIN), 0, WIDTH))

    start, end, dot = at(lowest, 0), at(highest, WIDTH), at(value, 0)
    first, last = at(low, dot), at(high, dot)
    middle = (TOP + BOTTOM) / 2
    outwards = ("middle", "middle") if None in criterion.band else ("end", "start")
    below = [(start, lowest, outwards[0]), (end, highest, outwards[1])]
    beside = [(first - 4, low, "end"), (last + 4, high, "start")] if low != high else []
    numbers = [
        NUMBER.format(x=x, y=y, anchor=anchor, number=text.number_text(number).replace("-", MINUS))
        for marked, y in ((below, HEIGHT - 4), (beside, middle + 4))
        for x, number, anchor in marked
        if number is not None and math.isfinite(number)
    ]
    return SKETCH.format(
        kind=criterion.verdict.replace(" ", "-"),
        title=text.visible(
            f"{text.measured_text(criterion.estimate)}; band: {text.band_text(criterion.band)}"
        ),
        band=(start, end - start, TOP, BOTTOM - TOP),
        line=(first, last, dot, middle),
        numbers=Markup("").join(numbers),
    )
