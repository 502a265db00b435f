"""Figure A.5: t_ICL of the two-layer transformer against N, and its distribution."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, style, times
from icl.measurements.base import acquisition_time
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, verdict = data["two_layer"], verdicts["linear_ticl"]
    options = verdict.options
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    layout = [["a", f"N{value}"] for value in values]
    height = max(3.2, 1.15 * len(values) + 0.7)
    figure, axes = style.new_mosaic(layout, 2, height, width_ratios=(1.15, 1))
    details = verdict.details.get("two_layer", {})
    times.against_length(axes["a"], runs, details, options)
    style.measured(
        axes["a"],
        f"exponent {text.estimate_text(verdict.estimate('two_layer_exponent'), 3)}\n"
        f"$R^2$ of the line {text.estimate_text(verdict.estimate('two_layer_r_squared'), 3)}",
    )
    passage = acquisition_time(runs, options)
    top = 1.1 * passage.time.max()
    for value in values:
        ax, own = axes[f"N{value}"], lengths == value
        times.histogram(ax, passage.time[own], passage.reached[own], top=top)
        censored = int((~passage.reached[own]).sum())
        words = f"$N$ = {value}: {own.sum()} seeds"
        words += f"\n{censored} censored" if censored else ""
        style.note(ax, words, 0.98, 0.95, 7)
        ax.set_ylabel("seeds")
    axes[f"N{values[-1]}"].set_xlabel(times.T_ICL)
    style.panel_label(axes["a"], "a")
    style.panel_label(axes[f"N{values[0]}"], "b")
    setting = "two-layer transformer; " + annotations.setting(runs, 2)
    style.footer(figure, setting, annotations.gap(runs, 2))
    return figure
