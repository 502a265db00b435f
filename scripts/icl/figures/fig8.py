"""Figure 8, beyond the paper: t_ICL at finite K over that at K = infinity, in two models.

In the theory finite K can only delay ICL, for c1 is at most 1/2: a ratio below 1 is where the
independence of memorisation and ICL ends.
"""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, panels, style
from icl.verdicts import Verdict

MODELS = {"threshold_exponent": "one-layer transformer", "minimal_model": "minimal model"}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_figure(2, 2.5, 1, 2, sharey=True)
    rows = [verdicts[claim].details.get("finite_over_infinite", ()) for claim in MODELS]
    known = [[row for row in own if np.isfinite(row["ratio"])] for own in rows]
    lengths = sorted({row["context_length"] for own in known for row in own})
    colours = dict(zip(lengths, style.sequence_colours(len(lengths)), strict=True))
    for ax, own in zip(axes, known, strict=True):
        _ratios(ax, own, colours)
    if colours:
        style.name_colours(figure, map(str, colours), colours.values(), "$N$ =")
    other = annotations.other_model(data["minimal_transition"], data["transition"])
    style.head(axes, (MODELS["threshold_exponent"], MODELS["minimal_model"] + other))
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(min(0, low), max(1.2, high))
    axes[0].set_ylabel(r"$t_{\mathrm{ICL}}(K)\,/\,t_{\mathrm{ICL}}(\infty)$")
    style.label(axes[0], "finite $K$ delays", (1, 1), style.NEUTRAL, (0, 6), **panels.AT_RIGHT)
    style.label(axes[0], "finite $K$ hastens", (1, 1), style.NEUTRAL, (0, -7), **panels.AT_RIGHT)
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _ratios(ax: Axes, known: list[dict[str, Any]], colours: dict[int, str]) -> None:
    """Draw the ratios against K, a line for each N; hollow where the interval is not known."""
    for length, colour in colours.items():
        own = [row for row in known if row["context_length"] == length]
        if not own:
            continue
        x, y, ends = panels.columns(own, "n_items", "ratio", "interval")
        panels.with_intervals(ax, x, y, ends, fmt="o-", ms=3.5, lw=1, capsize=2, color=colour)
        bare = ~np.isfinite(ends).all(axis=1)
        ax.plot(x[bare], y[bare], "o", ms=3.5, color=colour, mfc="w", zorder=3)
    ax.axhline(1, color=style.NEUTRAL, lw=0.7, ls=":")
    ax.set_xlabel("number of items $K$")
    if known:
        (items,) = panels.columns(known, "n_items")
        panels.items_axis(ax, items)
        ax.set_xlim(items.min() / 1.4, items.max() * 1.4)
