"""Figure A.5: t_ICL of the two-layer transformer against N, and its distribution."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl.figures import annotations, panels, style, times
from icl.measurements.base import acquisition_time
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, verdict = data["two_layer"], verdicts["linear_ticl"]
    options = verdict.options
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    layout = [["a", f"N{value}"] for value in values]
    height = max(2.8, 0.85 * len(values) + 0.6)
    figure, axes = style.new_mosaic(layout, 2, height, width_ratios=(1.15, 1))
    details = verdict.details.get("two_layer", {})
    times.against_length(axes["a"], runs, details, options)
    passage = acquisition_time(runs, options)
    top = 1.1 * passage.time.max()
    for value in values:
        ax, own = axes[f"N{value}"], lengths == value
        times.histogram(ax, passage.time[own], passage.reached[own], top=top)
        censored = int((~passage.reached[own]).sum())
        words = f"$N$ = {value}, {own.sum()} seeds"
        ax.set_title(f"{words}, {censored} censored" if censored else words)
        ax.set_ylabel("seeds")
    axes[f"N{values[-1]}"].set_xlabel(times.T_ICL)
    style.panel(axes["a"], "a", "two layers")
    panels.head_strips([axes[f"N{value}"] for value in values], "b", "over seeds")
    style.mark_gap(figure, annotations.gap(runs, 2))
    return figure
