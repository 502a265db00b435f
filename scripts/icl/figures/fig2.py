"""Figure 2 b-d: ICL and IWL accuracy against K, and ICL curves in training.

Panels a and e of the paper's figure are not drawn here; the letters are the paper's.
"""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from icl import fits, statistics
from icl.figures import annotations, style
from icl.records import StopReason


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, dict[str, Any]]) -> Figure:
    """Draw the figure.

    Args:
        data: role "transition", finite K at one N.
        verdicts: of sharp_transition and abrupt_acquisition.
    """
    runs, sharp = data["transition"], verdicts["sharp_transition"]
    figure, axes = style.new_figure(2, 2.75, 1, 3, width_ratios=(1, 1, 1.15))
    _finals(axes[0], runs, "icl_accuracy", style.ICL)
    _transition(axes[0], sharp)
    axes[0].set_ylabel("final ICL accuracy")
    _finals(axes[1], runs, "iwl_accuracy", style.IWL)
    axes[1].set_ylabel("final IWL accuracy")
    axes[1].plot(*_medians(runs, "iwl_accuracy"), color=style.IWL, lw=0.8, alpha=0.6, zorder=1)
    style.measured(axes[1], f"Spearman with ICL\n{annotations.quote(sharp, 'spearman')}")
    _curves(axes[2], runs, verdicts["abrupt_acquisition"])
    for ax, letter in zip(axes, "bcd", strict=True):
        style.panel_label(ax, letter)
        ax.set_ylim(0.42, 1.04)
        ax.axhline(0.5, color=style.NEUTRAL, lw=0.6, ls=":", zorder=0)
    style.footer(figure, annotations.setting(runs, 2), annotations.gap(runs, 2))
    return figure


def _finals(ax: Axes, runs: xr.Dataset, name: str, colour: str) -> None:
    """Show every seed's last accuracy, spread a little in log K."""
    final = statistics.last_value(runs[name].values)
    n_items, diverged = runs["n_items"].values, runs["stop_reason"].values == StopReason.DIVERGED
    values = np.unique(n_items)
    spread = 0.18 * np.diff(np.log(values)).min() if len(values) > 1 else 0.02
    for value in values:
        own = np.flatnonzero((n_items == value) & ~diverged)
        x = value * np.exp(style.jitter(len(own), spread))
        ax.plot(x, final[own], "o", ms=2.6, mew=0, alpha=0.75, color=colour)
    if diverged.any():
        ax.plot(n_items[diverged], final[diverged], "x", ms=4, color=style.GAP, label="diverged")
        ax.legend(loc="center left")
    for _, value in annotations.missing(runs):
        ax.axvline(value, color=style.GAP, lw=3, alpha=0.25, zorder=0)
    ax.set_xscale("log")
    _label_items(ax.xaxis, values)
    ax.set_xlabel("number of items $K$")


def _label_items(axis: Axis, values: np.ndarray) -> None:
    """Label an axis of K by 1, 2, 5 of each decade, by decades alone where it has many."""
    if values.max() > 25 * values.min():
        return
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")
    axis.set_minor_formatter(NullFormatter())


def _medians(runs: xr.Dataset, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return each K and the median over its seeds of the last accuracy."""
    final = statistics.last_value(runs[name].values)
    kept = (runs["stop_reason"].values != StopReason.DIVERGED) & np.isfinite(final)
    n_items, final = runs["n_items"].values[kept], final[kept]
    values = np.unique(n_items)
    return values, np.array([np.median(final[n_items == value]) for value in values])


def _transition(ax: Axes, sharp: dict[str, Any]) -> None:
    """Draw the fitted logistic, K* and its interval."""
    fit = sharp["details"].get("fit")
    if fit is None or fit["midpoint"] is None:
        style.measured(ax, "no transition fitted")
        return
    log_items = np.linspace(*np.log10(ax.get_xlim()), 300)
    curve = fits.logistic(log_items, **{k: annotations.number(v) for k, v in fit.items()})
    ax.plot(10**log_items, curve, color=style.FIT, lw=1)
    low, high = (
        annotations.number(x) for x in sharp["details"]["estimates"]["threshold"]["interval"]
    )
    ax.axvspan(
        max(low, ax.get_xlim()[0]), min(high, ax.get_xlim()[1]), color="0.88", lw=0, zorder=0
    )
    style.measured(
        ax,
        f"$K^*$ = {annotations.quote(sharp, 'threshold', 3)}\n"
        f"width {annotations.quote(sharp, 'width')} decades",
    )


def _curves(ax: Axes, runs: xr.Dataset, abrupt: dict[str, Any]) -> None:
    """Draw ICL accuracy in training, a line for every run, coloured by K."""
    n_items = runs["n_items"].values
    norm = LogNorm(n_items.min(), max(n_items.max(), 1.01 * n_items.min()))
    lines = LineCollection(
        [
            np.column_stack(xy)
            for xy in zip(runs["theory_time"].values, runs["icl_accuracy"].values, strict=True)
        ],
        array=n_items,
        norm=norm,
        cmap="viridis",
        linewidths=0.6,
        alpha=0.8,
    )
    ax.add_collection(lines, autolim=False)
    ax.set_xlim(0, np.nanmax(runs["theory_time"].values))
    ax.set_xlabel("theory time (learning rate × step)")
    ax.set_ylabel("ICL accuracy")
    bar = ax.figure.colorbar(lines, ax=ax, pad=0.02, aspect=28)
    bar.set_label("$K$", rotation=0, labelpad=2)
    _label_items(bar.ax.yaxis, n_items)
    bar.outline.set_linewidth(0.5)
    levels = abrupt["details"].get("levels", ())
    for level in levels[:2]:
        ax.axhline(level, color=style.NEUTRAL, lw=0.5, ls="--", zorder=0)
    span = f"rise {levels[0]:g} to {levels[1]:g}" if levels else "rise"
    style.measured(ax, f"{span}, over $t_{{\\mathrm{{ICL}}}}$\n{annotations.quote(abrupt, 'rise')}")
