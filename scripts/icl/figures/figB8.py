"""K* against the MLP's own learning rate at two N, and in the minimal model."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, panels, style
from icl.figures.figB2 import thresholds
from icl.verdicts import Verdict

PANELS = {  # claim -> title, and the claim whose clocks are measured at each rate
    "rates_at_16": ("$N$ = 16", "raced_rates_16"),
    "rates_at_64": ("$N$ = 64", "raced_rates_64"),
    "rates_minimal": ("minimal, $N$ = 64", "raced_rates_minimal"),
}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_mosaic(["abc"], 2, 2.3)
    for letter, (claim, (title, clocks)) in zip("abc", PANELS.items(), strict=True):
        ax = axes[letter]
        thresholds(ax, verdicts[claim], narrow=True)
        _raced(ax, verdicts[clocks])
        ax.set_xlabel("rate of the MLP, $r$")
        if letter != "a":
            ax.set_ylabel("")
        style.plain_log(ax.yaxis)
        style.panel(ax, letter, title)
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _raced(ax: Axes, verdict: Verdict) -> None:
    """Draw the K* of a race whose clocks are measured at each rate, nothing fitted."""
    rows = [row for row in verdict.details.get("raced", ()) if np.isfinite(row["threshold"])]
    if not rows:
        return
    x, y, ends = panels.columns(rows, "rate_ratio", "threshold", "interval")
    look = {"ms": 4, "mfc": "w", "lw": 1, "capsize": 2, "color": style.PREDICTION}
    panels.with_intervals(ax, x, y, ends, fmt="s", **look)
    style.corner(ax, "both clocks", 0.03, 0.97, style.PREDICTION)
