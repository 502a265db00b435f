"""Every quantity that the study judges, beside its band, on all seeds and on either half."""

import math
import re

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextPath

from icl import text
from icl.figures import annotations, style
from icl.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Criterion, Estimate, Verdict

COLOURS = {REPRODUCED: style.ICL, NOT_REPRODUCED: style.IWL, UNDECIDED: style.NEUTRAL}
OFFSETS = (-0.26, 0.06, 0.3)  # of the whole, the even and the odd seeds; down, in rows
ROW_INCHES = 0.143
CLAIM, STRIP, VALUE, WITHIN = 1.42, 1.0, 0.5, 1.0  # inches of columns; quantities have the rest
WIDE = 6  # inches of a figure that has room for the bands in numbers, too
LEAST = 0.001  # a p below it is bounded by it
BAND = "#d9e6d9"
KNOWN = {"icl": "ICL", "iwl": "IWL", "ticl": "t_ICL", "aic": "AIC", "spearman": "Spearman"}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure: a row for each quantity, in reading order, below the name of its claim."""
    rows = sum(len(verdict.criteria) for verdict in verdicts.values())
    figure, ax = style.new_figure(2, (rows + 1.4) * ROW_INCHES + 0.1)
    style.arrange(figure, w_pad=0.02, h_pad=0.02)
    width = figure.get_figwidth() - 0.04
    within = width - (WITHIN if width > WIDE else 0)
    value = within - VALUE
    strip = (value - 0.1 - STRIP, value - 0.1)
    ax.set_xlim(0, width)
    ax.set_ylim(rows, -1.4)
    ax.axis("off")
    heads = {0: "claim", CLAIM: "quantity", value: "value", within: "band"}
    for x, head in heads.items():
        if x < width:
            ax.text(x, -0.9, head, va="center", style="italic")
    row = 0
    for verdict in verdicts.values():
        ax.plot([0, width], [row - 0.5] * 2, "-", color=style.NEUTRAL, lw=0.3)
        ax.text(0, row, words(verdict.id), va="center", color=COLOURS[verdict.verdict])
        names = quantities(verdict, strip[0] - CLAIM - 0.05)
        for number, criterion in enumerate(verdict.criteria):
            cells = {CLAIM: names[number], value: _value(criterion), within: _band(criterion)}
            for x, cell in cells.items():
                if x < width:
                    ax.text(x, row, cell, va="center", color=COLOURS[criterion.verdict])
            halves = [half["criteria"][number] for half in verdict.halves]
            _criterion(ax, row, strip, criterion, halves)
            row += 1
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def words(name: str) -> str:
    """Turn a name of the configuration into words."""
    return " ".join(KNOWN.get(word, word) for word in name.split("_"))


def quantities(verdict: Verdict, inches: float) -> list[str]:
    """Name what decides a claim: by its description, or by the first clause of that if it is short.

    Where it is longer than the room for it, or two begin alike, the quantity's own name serves.
    """
    clauses = [re.split(r"[,;] ", each.description)[0] for each in verdict.criteria]
    names = []
    for clause, each in zip(clauses, verdict.criteria, strict=True):
        name = clause if clause == each.description else f"{clause} …"
        short = clauses.count(clause) == 1 and _inches(name) <= inches
        names.append(name if short else words(each.quantity))
    return names


def _inches(words_: str) -> float:
    """Measure words as they are printed."""
    font = FontProperties(family="DejaVu Sans")
    return TextPath((0, 0), words_, size=style.POINTS, prop=font).get_extents().width / 72


def _value(criterion: Criterion) -> str:
    """Write what all seeds give."""
    value, test = criterion.estimate.value, criterion.estimate.test
    if math.isnan(value):
        return "none"
    return f"< {LEAST:g}" if test and value < LEAST else text.digits_text(value, 3, 3)


def _band(criterion: Criterion) -> str:
    """Write a band as short as a column of the figure needs it."""
    short = text.band_text(criterion.band).replace("-", "−")
    return short.replace("at most", "≤").replace("at least", "≥")


def _criterion(
    ax: Axes,
    row: int,
    strip: tuple[float, float],
    criterion: Criterion,
    halves: list[Criterion],
) -> None:
    """Draw one quantity's intervals and its band, on a scale of the row's own."""
    parts = [criterion, *halves]
    estimates = [part.estimate for part in parts]
    ends = np.array([[e.low, e.value, e.high] for e in estimates] + [_limits(criterion.band)])
    finite = ends[np.isfinite(ends)]
    room = 0.1 * np.ptp(finite) or 0.1
    scale = (finite.min() - room, finite.max() + room)

    def place(value: float | None, otherwise: float) -> float:
        return float(np.interp(otherwise if value is None else value, scale, strip))

    least, most = criterion.band
    left, right = place(least, scale[0]), place(most, scale[1])
    ax.add_patch(Rectangle((left, row - 0.5), right - left, 1, color=BAND, lw=0, zorder=0))
    for offset, part in zip(OFFSETS, parts, strict=False):
        if np.isfinite(part.estimate.value):
            whole, colour = offset == OFFSETS[0], COLOURS[part.verdict]
            spots = [place(end, end) for end in _ends(part.estimate)]
            ax.plot(spots, [row + offset] * 2, "-", lw=1.3 if whole else 0.7, color=colour)
            spot = place(part.estimate.value, np.nan)
            ax.plot(spot, row + offset, "o", ms=2.8 if whole else 1.8, mew=0, color=colour)


def _limits(band) -> list[float]:
    """The ends of a band as three numbers, NaN where it has none."""
    return [np.nan if end is None else float(end) for end in (band[0], band[1], band[1])]


def _ends(found: Estimate) -> list[float]:
    """The ends of an interval, which is a point where there is none."""
    return np.nan_to_num([found.low, found.high], nan=found.value).tolist()
