"""Figure A.3: c1(t) of the MLP alone for each K, and its integral I_K(t)."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, figA2, style
from icl.measurements.memorisation import memorising_runs
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs = memorising_runs(data["memorisation"])
    figure, axes = style.new_figure(2, 2.6, 1, 2)
    figA2.curves(axes[0], runs, "c1")
    axes[0].set_ylim(0, 0.54)
    figA2.curves(axes[1], runs, "i_k")
    _ends(axes[1], runs)
    axes[1].set_yscale("log")
    style.plain_log(axes[1].yaxis)
    for ax in axes:
        ax.set_xlabel("time (rate × step)")
    style.head(axes, ("$c_1$, the error", "its integral $I_K(t)$"))
    figA2.legend(figure, runs)
    style.mark_gap(figure, annotations.gap(data["memorisation"], 2))
    return figure


def _ends(ax: Axes, runs: xr.Dataset) -> None:
    """Mark I_K(inf), the end of each record; without memorisation I_K is t."""
    n_items, ends = runs["n_items"].values, runs["i_recorded"].values
    values = np.unique(n_items)
    for colour, value in zip(style.sequence_colours(len(values)), values, strict=True):
        middle = np.median(ends[n_items == value])
        ax.axhline(middle, color=colour, lw=0.5, ls=":", zorder=0)
    limits = ax.get_xlim()
    time = np.geomspace(*limits, 50)
    ax.plot(time, time, color=style.NEUTRAL, lw=0.8, ls="--")
    ax.set(xlim=limits, ylim=(np.nanmin(runs["i_k"].values[:, 1]), 2 * ends.max()))
    style.corner(ax, "dashed:\nnever learns", 0.97, 0.04, style.NEUTRAL)
