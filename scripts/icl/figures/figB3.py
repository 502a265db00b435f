"""Every quantity that the study judges, beside its band, on all seeds and on either half."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, style
from icl.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Criterion, Estimate, Verdict

COLOURS = {REPRODUCED: style.ICL, NOT_REPRODUCED: style.IWL, UNDECIDED: style.NEUTRAL}
COLUMNS = 2
HEIGHTS = (2, 1, 0)  # of the whole, the even and the odd seeds
ROW_INCHES = 0.46
BAND = "#d9e6d9"


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure: the quantities in reading order, each named at the left of its axis."""
    judged = [
        (verdict, row, criterion)
        for verdict in verdicts.values()
        for row, criterion in enumerate(verdict.criteria)
    ]
    figure, _, shown = style.new_grid(len(judged), COLUMNS, ROW_INCHES, 0.2)
    style.arrange(figure, h_pad=0.01, hspace=0)
    for ax, (verdict, row, criterion) in zip(shown, judged, strict=True):
        halves = [half["criteria"][row] for half in verdict.halves]
        _criterion(ax, verdict, criterion, halves)
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _criterion(ax: Axes, verdict: Verdict, criterion: Criterion, halves: list[Criterion]) -> None:
    """Draw one quantity's intervals and its band."""
    ax.set_ylim(-0.7, 2.7)
    ax.spines["left"].set_visible(False)
    name = f"{verdict.id}\n{criterion.quantity}"
    ax.set_yticks([1], [name], color=COLOURS[criterion.verdict])
    ax.tick_params(axis="y", length=0)
    ax.tick_params(axis="x", length=2, pad=1)
    parts = [criterion, *halves]
    estimates = [part.estimate for part in parts]
    ends = np.array([[e.low, e.value, e.high] for e in estimates] + [_limits(criterion.band)])
    finite = ends[np.isfinite(ends)]
    room = 0.15 * np.ptp(finite) or 0.1
    low, high = finite.min() - room, finite.max() + room
    ax.set_xlim(low, high)
    least, most = criterion.band
    left, right = low if least is None else least, high if most is None else most
    ax.axvspan(left, right, color=BAND, lw=0)
    for height, part in zip(HEIGHTS, parts, strict=False):
        if np.isfinite(part.estimate.value):
            _interval(ax, part.estimate, height, COLOURS[part.verdict], low, high)
    if np.isnan(criterion.estimate.value):
        ax.text((low + high) / 2, 1, "not computable", ha="center", va="center")
    ax.locator_params(axis="x", nbins=3)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.4g}".replace("-", "−"))


def _limits(band) -> list[float]:
    """The ends of a band as three numbers, NaN where it has none."""
    return [np.nan if end is None else float(end) for end in (band[0], band[1], band[1])]


def _interval(
    ax: Axes, found: Estimate, height: float, colour: str, low: float, high: float
) -> None:
    """Draw an estimate and its interval, cut where the axis ends."""
    ends = np.clip(np.nan_to_num([found.low, found.high], nan=found.value), low, high)
    ax.plot(ends, [height, height], "-", lw=1.4 if height == HEIGHTS[0] else 0.8, color=colour)
    ax.plot(
        np.clip(found.value, low, high),
        height,
        "o",
        ms=3 if height == HEIGHTS[0] else 2,
        color=colour,
    )
