"""Panels that several figures have: finals against K, curves in training, fading."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from icl import text
from icl.figures import annotations, style
from icl.measurements.base import final
from icl.record import StopReason
from icl.statistics import fits

TIME = "theory time (rate × step)"
ACCURACY_RANGE = (0.42, 1.04)


def chance(ax: Axes) -> None:
    """Fix an axis of accuracies, and mark chance."""
    ax.set_ylim(*ACCURACY_RANGE)
    ax.axhline(0.5, color=style.NEUTRAL, lw=0.6, ls=":", zorder=0)


def slopes(
    ax: Axes, x: np.ndarray, details: Mapping[str, Any], fitted: str, predicted: str
) -> None:
    """Draw a claim's fitted power law, and the line of the predicted slope, each with its words."""
    for name, colour, dashes, words in (
        ("power_law", style.FIT, "-", fitted),
        ("predicted_line", style.ALTERNATIVE_FIT, "--", predicted),
    ):
        exponent, prefactor = (details[name][key] for key in ("exponent", "log_prefactor"))
        if np.isfinite(exponent) and np.isfinite(prefactor):
            label = f"{words} {text.digits_text(exponent, 3)}"
            ax.plot(x, np.exp(prefactor) * x**exponent, dashes, color=colour, lw=1, label=label)


def finals(ax: Axes, runs: xr.Dataset, name: str, colour: str) -> None:
    """Show every seed's last accuracy against K, spread a little in log K."""
    last = final(runs, name)
    n_items, diverged = runs["n_items"].values, runs["stop_reason"].values == StopReason.DIVERGED
    values = np.unique(n_items)
    spread = 0.18 * np.diff(np.log(values)).min() if len(values) > 1 else 0.02
    for value in values:
        own = np.flatnonzero((n_items == value) & ~diverged)
        x = value * np.exp(style.jitter(len(own), spread))
        ax.plot(x, last[own], "o", ms=2.6, mew=0, alpha=0.75, color=colour)
    if diverged.any():
        ax.plot(n_items[diverged], last[diverged], "x", ms=4, color=style.GAP, label="diverged")
        ax.legend(loc="center left")
    for _, value in annotations.missing(runs):
        ax.axvline(value, color=style.GAP, lw=3, alpha=0.25, zorder=0)
    items_axis(ax, values)


def items_axis(ax: Axes, values: np.ndarray) -> None:
    """Make the horizontal axis one of K, logarithmic."""
    ax.set_xscale("log")
    label_items(ax.xaxis, values)
    ax.set_xlabel("number of items $K$")


def label_items(axis: Axis, values: np.ndarray) -> None:
    """Label an axis of K by 1, 2, 5 of each decade: more where it is short, decades where long."""
    # Matplotlib would label what is between decades wherever fewer than three of them are seen.
    axis.set_minor_formatter(NullFormatter())
    if values.max() > 100 * values.min():
        return
    short = values.max() <= 3 * values.min()
    axis.set_major_locator(LogLocator(subs=range(1, 10) if short else (1, 2, 5)))
    axis.set_major_formatter(lambda x, _: f"{x / 1000:g}k" if x >= 1000 else f"{x:g}")


def over_seeds(
    runs: xr.Dataset, name: str, of: Callable[[np.ndarray], float] = np.median
) -> tuple[np.ndarray, np.ndarray]:
    """Return each K and the median, or something else, over its seeds of the last accuracy."""
    last = final(runs, name)
    kept = (runs["stop_reason"].values != StopReason.DIVERGED) & np.isfinite(last)
    n_items, last = runs["n_items"].values[kept], last[kept]
    values = np.unique(n_items)
    return values, np.array([of(last[n_items == value]) for value in values])


def fitted(
    ax: Axes, fit: dict[str, float] | None, interval: tuple[float, float] | list[float]
) -> bool:
    """Draw a fitted logistic and the interval of its midpoint; tell whether there is one."""
    if fit is None or np.isnan(fit["midpoint"]):
        return False
    limits = ax.get_xlim()
    log_items = np.linspace(np.log10(limits[0]), np.log10(limits[1]), 300)
    curve = fits.logistic(log_items, **fit)
    ax.plot(10**log_items, curve, color=style.FIT, lw=1)
    low, high = interval
    ax.axvspan(max(low, limits[0]), min(high, limits[1]), color="0.88", lw=0, zorder=0)
    ax.set_xlim(*limits)
    return True


def trajectories(ax: Axes, runs: xr.Dataset, name: str = "icl_accuracy") -> None:
    """Draw a metric in training, a line for every run, coloured by K."""
    n_items = runs["n_items"].values
    norm = LogNorm(n_items.min(), max(n_items.max(), 1.01 * n_items.min()))
    lines = LineCollection(
        [
            np.column_stack(xy)
            for xy in zip(runs["theory_time"].values, runs[name].values, strict=True)
        ],
        array=n_items,
        norm=norm,
        cmap="viridis",
        linewidths=0.6,
        alpha=0.8,
    )
    ax.add_collection(lines, autolim=False)
    ax.set_xlim(0, np.nanmax(runs["theory_time"].values))
    ax.set_xlabel(TIME)
    bar = ax.figure.colorbar(lines, ax=ax, pad=0.02, aspect=28)
    bar.ax.set_title("$K$", pad=4)  # above: beside it, it would meet the ticks' labels
    label_items(bar.ax.yaxis, n_items)
    bar.outline.set_linewidth(0.5)


def rise(ax: Axes, details: dict[str, Any], quoted: str) -> None:
    """Mark the levels between which the rise was timed, and quote it."""
    levels = details.get("levels", ())
    for level in levels[:2]:
        ax.axhline(level, color=style.NEUTRAL, lw=0.5, ls="--", zorder=0)
    span = f"rise {levels[0]:g} to {levels[1]:g}" if levels else "rise"
    style.measured(ax, f"{span}, over $t_{{\\mathrm{{ICL}}}}$\n{quoted}")


def fading(
    ax: Axes,
    runs: xr.Dataset,
    groups: list[tuple[np.ndarray, str, str]],
    title: str | None = None,
) -> None:
    """Draw ICL accuracy in training: every seed faintly, the median over seeds boldly.

    Args:
        groups: for each line, the mask of its runs (R,), its label and its dashes; colours follow
            their order.
        title: of the legend.
    """
    clock, accuracy = runs["theory_time"].values, runs["icl_accuracy"].values
    colours = style.sequence_colours(len(groups))
    for (own, label, dashes), colour in zip(groups, colours, strict=True):
        for row in np.flatnonzero(own):
            ax.plot(clock[row, 1:], accuracy[row, 1:], color=colour, lw=0.35, alpha=0.35)
        middle = np.median(accuracy[own], axis=0)
        ax.plot(clock[own][0, 1:], middle[1:], dashes, color=colour, lw=1.3, label=label)
    ax.set_xscale("log")
    if np.nanmax(clock) > 10 * np.nanmin(clock[:, 1:]):  # else minor ticks are all there is
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(TIME)
    ax.set_ylabel("ICL accuracy")
    chance(ax)
    # The legend stands above the curves, wherever they run.
    rows = -(-len(groups) // 2) + (title is not None)
    ax.set_ylim(ACCURACY_RANGE[0], ACCURACY_RANGE[1] + 0.07 * rows)
    ax.set_yticks(np.arange(0.5, 1.01, 0.1))
    ax.legend(
        loc="upper left", ncols=2, title=title, handlelength=1.3, columnspacing=0.7, borderaxespad=0
    )


def with_intervals(
    ax: Axes, x: np.ndarray, y: np.ndarray, ends: Sequence[Sequence[float]], **look: Any
) -> None:
    """Draw values with their intervals; an end that is not known is left out."""
    known = np.where(np.isfinite(ends), ends, y[:, None])
    ax.errorbar(x, y, yerr=np.abs(known - y[:, None]).T, **look)


def censored_marker(label: str) -> Line2D:
    """Return the legend's mark of a seed that did not get there."""
    return Line2D([], [], ls="", marker="^", ms=3.2, mew=0.7, mfc="w", color=style.GAP, label=label)
