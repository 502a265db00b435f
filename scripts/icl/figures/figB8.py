"""K* against the MLP's own learning rate at two N, and in the minimal model."""

import xarray as xr
from matplotlib.figure import Figure

from icl.figures import annotations, style
from icl.figures.figB2 import thresholds
from icl.verdicts import Verdict

PANELS = {
    "rates_at_16": "$N$ = 16",
    "rates_at_64": "$N$ = 64",
    "rates_minimal": "minimal, $N$ = 64",
}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_mosaic(["abc"], 2, 2.3)
    for letter, (claim, title) in zip("abc", PANELS.items(), strict=True):
        ax = axes[letter]
        thresholds(ax, verdicts[claim], capacity="0")
        ax.set_xlabel("rate of the MLP, $r$")
        if letter != "a":
            ax.set_ylabel("")
        style.plain_log(ax.yaxis)
        style.panel(ax, letter, title)
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure
