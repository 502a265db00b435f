"""Figure A.3: c1(t) of the MLP alone for each K, and its integral I_K(t)."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, figA2, style
from icl.measurements.memorisation import gains_once_small, memorising_runs
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs = memorising_runs(data["memorisation"])
    figure, axes = style.new_figure(2, 3.1, 1, 2)
    figA2.curves(axes[0], runs, "c1")
    axes[0].set_ylabel(r"$c_1=\langle\sigma(-\phi^+)\rangle$")
    axes[0].set_ylim(0, 0.54)
    figA2.curves(axes[1], runs, "i_k")
    _ends(axes[1], runs)
    axes[1].set_ylabel("$I_K(t)$ (learning rate × step)")
    axes[1].set_yscale("log")
    style.plain_log(axes[1].yaxis)
    for ax, letter in zip(axes, "ab", strict=True):
        ax.set_xlabel("theory time (learning rate × step)")
        style.panel_label(ax, letter)
    style.measured(axes[1], _gain(runs, verdicts["seed_invariance"].options["c1"]))
    setting = annotations.setting(data["memorisation"], 2), annotations.gap(data["memorisation"], 2)
    figA2.legend(figure, runs, style.footer(figure, *setting, room_inches=0.22))
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
    ax.plot(time, time, color=style.NEUTRAL, lw=0.8, ls="--", label="$I_\\infty(t)=t$")
    ax.set_xlim(limits)
    ax.set_ylim(np.nanmin(runs["i_k"].values[:, 1]), 2 * ends.max())
    ax.legend(loc="lower right")


def _gain(runs: xr.Dataset, small: float) -> str:
    """Say by how much I_K grows once c1 is small, the median over runs that get there."""
    gains = gains_once_small(runs, small)
    if not len(gains):
        return f"$c_1$ stays above {small:g}"
    return f"$I_K$ grows by {np.median(gains):.1%}\nafter $c_1$ < {small:g} (median)"
