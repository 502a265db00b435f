"""Figure A.2: c1, c2 and c3 of the MLP alone against time, for each K and every seed."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, style
from icl.measurements.memorisation import memorising_runs
from icl.verdicts import Verdict

SCALES = {"c1": "log", "c2": "linear", "c3": "log"}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs = memorising_runs(data["memorisation"])
    figure, axes = style.new_figure(2, 2.5, 1, 3)
    for ax, (name, scale) in zip(axes, SCALES.items(), strict=True):
        curves(ax, runs, name)
        ax.set(yscale=scale, xlabel="time (rate × step)")
    style.head(axes, (r"$c_1$, the error", r"$c_2$", r"$c_3$"))
    axes[1].set_ylim(0.4, 1.05)
    legend(figure, runs)
    style.mark_gap(figure, annotations.gap(data["memorisation"], 2))
    return figure


def curves(ax: Axes, runs: xr.Dataset, name: str) -> None:
    """Draw a line for every run, coloured by K, against theory time on a logarithmic axis."""
    n_items = runs["n_items"].values
    values = np.unique(n_items)
    for colour, value in zip(style.sequence_colours(len(values)), values, strict=True):
        for row in np.flatnonzero(n_items == value):
            time, curve = runs["theory_time"].values[row], runs[name].values[row]
            ax.plot(time[1:], curve[1:], color=colour, lw=0.7, alpha=0.75)
    ax.set_xscale("log")


def legend(figure: Figure, runs: xr.Dataset) -> None:
    """Name the colour of each K, above the panels."""
    values = np.unique(runs["n_items"].values)
    colours = style.sequence_colours(len(values))
    style.name_colours(figure, map(text.count_text, values), colours, "$K$ =")
