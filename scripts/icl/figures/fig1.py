"""Figure 1: two ways in which more items favour ICL, drawn from the theory's ODEs."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import style
from icl.verdicts import Verdict

ROWS = (
    ("c1", "IWL error $c_1$", (0, 0.56)),
    ("iwl_accuracy", "IWL accuracy", (0.44, 1.06)),
    ("icl_accuracy", "ICL accuracy", (0.36, 1.06)),
)
SUBJECTS = {
    "capacity-constrained": "room for few items",
    "differential learning kinetics": "room for all: a race",
}
ACQUIRED, LOST = 0.9, 0.75  # ICL accuracies that words are chosen by


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw c1, IWL and ICL against time for the two mechanisms."""
    kinetics = data["kinetics"].isel(time=slice(1, None))  # time 0 has no place on a log axis
    colours = style.sequence_colours(kinetics.sizes["n_items"])
    figure, axes = style.new_figure(
        2, 4.6, len(ROWS), kinetics.sizes["mechanism"], sharex=True, sharey="row"
    )
    for column, mechanism in enumerate(kinetics.mechanism.values):
        chosen = kinetics.sel(mechanism=mechanism)
        for row, (name, axis_label, limits) in enumerate(ROWS):
            ax = axes[row, column]
            for colour, n_items in zip(colours, chosen.n_items.values, strict=True):
                curve = chosen.sel(n_items=n_items)
                ax.plot(curve.time, curve[name], color=colour)
            ax.axvline(float(kinetics.t_icl), color=style.NEUTRAL, linewidth=0.8, linestyle=":")
            ax.set_ylim(*limits)
            if name != "c1":
                ax.set_yticks([0.5, 0.75, 1])
                ax.axhline(0.5, color=style.NEUTRAL, linewidth=0.6, zorder=0)
            if column == 0:
                ax.set_ylabel(axis_label)
        for colour, n_items in zip(colours, chosen.n_items.values, strict=True):
            curve = chosen.sel(n_items=n_items)
            name = text.power_text(n_items)
            last = n_items == chosen.n_items.values[-1]
            _name(axes[0, column], curve, f"$K$ = {name}" if last else name, colour)
        _outcomes(axes[2, column], chosen, colours)
        style.panel(axes[0, column], "ab"[column], SUBJECTS.get(str(mechanism), str(mechanism)))
        axes[-1, column].set_xlabel("time (rate × step)")
    axes[0, 0].set(xscale="log", xlim=kinetics.time.values[[0, -1]])
    t_icl = float(kinetics.t_icl)
    words = f"$t_{{\\rm ICL}}$ = {t_icl:.0f}"
    style.label(axes[1, 0], words, (t_icl, 0.78), style.NEUTRAL, (4, 0))
    return figure


def _name(ax: Axes, curve: xr.Dataset, name: str, colour: str) -> None:
    """Write K beside a curve of c1: where it falls by half, or at its end if it does not."""
    time, c1 = curve.time.values, curve.c1.values
    if c1[-1] > c1[0] / 2:
        style.label(ax, name, (time[-1], c1[-1]), colour, (-2, -7), ha="right")
    else:
        here = time[np.argmax(c1 < c1[0] / 2)]
        style.label(ax, name, (here, c1[0] / 2), colour, (3, 4))


def _outcomes(ax: Axes, chosen: xr.Dataset, colours: list[str]) -> None:
    """Say in words what becomes of ICL at the least and at the largest K."""
    time = chosen.time.values
    for which, colour in ((0, colours[0]), (-1, colours[-1])):
        icl = chosen.icl_accuracy.isel(n_items=which).values
        if icl.max() < ACQUIRED:
            style.label(ax, "memorised first: no ICL", (time[0], 0.5), colour, (4, -7))
        elif icl[-1] < LOST:
            here = (np.sqrt(float(chosen.t_icl) * time[-1]), 0.8)
            style.label(ax, "ICL first,\nthen it fades", here, colour, ha="center")
        else:
            here = (np.sqrt(float(chosen.t_icl) * time[-1]), 0.75)
            style.label(ax, "ICL first,\nand it stays", here, colour, ha="center")
