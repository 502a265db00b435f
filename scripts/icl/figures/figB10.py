"""K* against N under Adam, with decay on every weight, and with two heads."""

import xarray as xr
from matplotlib.figure import Figure

from icl.figures import annotations, fig6, style
from icl.verdicts import Verdict

PANELS = {
    "adam_exponent": "Adam",
    "decayed_exponent": "decay on every weight",
    "two_heads_exponent": "two heads",
}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_mosaic(["abc"], 2, 2.3)
    for letter, (claim, title) in zip("abc", PANELS.items(), strict=True):
        ax = axes[letter]
        fig6.thresholds(ax, verdicts[claim])
        if letter != "a":
            ax.set_ylabel("")
        style.panel(ax, letter, title)
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure
