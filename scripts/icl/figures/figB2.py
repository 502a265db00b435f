"""K* against the MLP's own learning rate: a race moves it, a capacity does not."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements.base import final
from icl.measurements.kinetics import rate_ratio
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes, shown = style.new_grid(2, 2, 2.6, 0.5)
    runs = data["mlp_rates"]
    _finals(shown[0], runs)
    _thresholds(shown[1], verdicts["kinetics_not_capacity"], verdicts["rate_exponent"])
    for ax, letter in zip(axes.ravel(), "ab", strict=True):
        style.panel_label(ax, letter)
    style.footer(figure, annotations.setting(runs, 2), annotations.gap(data.values(), 2))
    return figure


def _finals(ax: Axes, runs: xr.Dataset) -> None:
    """Draw the mean final ICL accuracy against K at each rate."""
    ratios, n_items = rate_ratio(runs).values, runs["n_items"].values
    values = np.unique(ratios)
    for ratio, colour in zip(values, style.sequence_colours(len(values)), strict=True):
        own = ratios == ratio
        last = final(runs.isel(run=np.flatnonzero(own)), "icl_accuracy")
        at = np.unique(n_items[own])
        means = [last[n_items[own] == k].mean() for k in at]
        ax.plot(at, means, "o-", ms=3, lw=1, color=colour, label=f"{ratio:g}")
    ax.set_xscale("log")
    style.plain_log(ax.xaxis)
    ax.set_xlabel("number of items $K$")
    ax.set_ylabel("final ICL accuracy")
    panels.chance(ax)
    ax.legend(
        title="rate of the MLP over that of the attention, $r$",
        ncols=len(values),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        handlelength=1.2,
        columnspacing=0.9,
        borderaxespad=0.1,
    )


def _thresholds(ax: Axes, moved: Verdict, compared: Verdict) -> None:
    """Draw K* against the rate, the fitted slope and those of a race and of a capacity."""
    details = moved.details
    rows = [row for row in details.get("by_rate", ()) if np.isfinite(row["threshold"])]
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlabel("rate of the MLP over that of the attention, $r$")
    ax.set_ylabel("threshold $K^*$ (items)")
    if not rows:
        style.measured(ax, "no threshold fitted")
        return
    x, y = (np.array([row[key] for row in rows]) for key in ("rate_ratio", "threshold"))
    ends = np.array([row["interval"] for row in rows]).T
    ax.errorbar(x, y, [y - ends[0], ends[1] - y], fmt="o", ms=4, lw=1, color=style.ICL)
    line = np.geomspace(x.min() / 1.2, x.max() * 1.2, 50)
    panels.slopes(ax, line, details, "fitted slope", r"a race: $1/\nu$ =")
    middle = np.exp(np.log(y).mean())
    ax.plot(line, np.full_like(line, middle), ":", color=style.NEUTRAL, lw=1, label="a capacity: 0")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.legend(loc="upper left")
    style.measured(
        ax,
        f"exponent {text.estimate_text(moved.estimate('exponent'), 3)}\n"
        f"less $1/\\nu$: {text.estimate_text(compared.estimate('difference'), 2)}",
    )
