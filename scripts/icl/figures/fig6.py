"""Figure 6: K* and t_ICL against N, bimodality, the losses' relation, and failure on D'.

Panel f is beyond the paper: the fraction of minimal models that acquires, with nothing fitted.
"""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from icl import text
from icl.figures import annotations, fig6c, fig6d, panels, style, times
from icl.measurements.base import joined
from icl.verdicts import Verdict

FRACTION = "fraction of seeds with ICL"
MOST_NAMED = 5  # values of K whose seeds are counted below them


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_mosaic(("aaabbb", "cchddd", "eeefff"), 2, 6.6)
    thresholds(axes["a"], verdicts["threshold_exponent"])
    linear, main = verdicts["linear_ticl"], data["transition"]
    infinite = joined(data, "acquisition", "longest")
    times.against_length(axes["b"], infinite, linear.details, linear.options)
    infinite_too = {**data, "acquisition": infinite}
    fig6c.draw_panel(axes["c"], axes["h"], infinite_too, verdicts["bimodality"])
    fig6d.draw_panel(axes["d"], data, verdicts)
    _fractions(axes["e"], verdicts["balanced_failure"])
    _prediction(axes["f"], verdicts["minimal_model"])
    subjects = {
        "a": "where ICL takes over",
        "b": r"time to acquire ICL, $K=\infty$",
        "d": "one loss from the other" + annotations.other_model(data["loss"], main),
        "e": "two labels in equal numbers",
        "f": "minimal model" + annotations.other_model(data["minimal_transition"], main),
    }
    for letter, subject in subjects.items():
        style.panel(axes[letter], letter, subject)
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def thresholds(ax: Axes, verdict: Verdict) -> None:
    """Draw K* against N, the predicted slope, and K* with no fitted constant."""
    details = verdict.details
    rows = [row for row in details.get("by_length", ()) if np.isfinite(row["threshold"])]
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("context length $N$")
    ax.set_ylabel("threshold $K^*$ (items)")
    if not rows:
        style.corner(ax, "no threshold fitted", 0.03, 0.95)
        return
    predicted = [row for row in details["predicted_thresholds"] if np.isfinite(row["threshold"])]
    _points(ax, rows, "o", style.ICL)
    lengths = [row["context_length"] for row in rows + predicted]
    x = np.geomspace(min(lengths) / 1.2, max(lengths) * 1.2, 50)
    ax.set_xlim(x[0], x[-1])
    first = rows[0]
    here = (first["context_length"], first["interval"][0])
    style.label(ax, "measured", here, style.ICL, (4, -3), va="top")
    line = details["predicted_line"]
    if panels.slope(ax, x, line, style.FIT, "-"):
        words = rf"slope $1/\nu$ = {text.digits_text(line['exponent'], 3)}"
        style.corner(ax, words, 0.98, 0.04)
    if predicted:
        _points(ax, predicted, "s", style.PREDICTION)
        style.corner(ax, "equation 12,\nnothing fitted", 0.03, 0.97, style.PREDICTION)
    ax.xaxis.set_major_locator(FixedLocator(sorted(set(lengths))))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(lambda *_: "")
    low, high = ax.get_ylim()
    ax.set_ylim(low / 2, high * 1.3)  # room for words


def _points(ax: Axes, rows: list[dict[str, Any]], marker: str, colour: str) -> None:
    """Draw K* at each N with its interval."""
    x, y, ends = panels.columns(rows, "context_length", "threshold", "interval")
    fill = colour if marker == "o" else "w"
    look = {"ms": 4, "capsize": 2.5, "lw": 1, "color": colour, "mfc": fill, "zorder": 4}
    panels.with_intervals(ax, x, y, ends, fmt=marker, **look)


def _fractions(ax: Axes, verdict: Verdict) -> None:
    """Draw the fraction that acquires against K, on D and on D', and how many seeds it is of."""
    kinds = (("unbalanced", "$D$", "o", style.ICL, -1), ("balanced", "$D'$", "s", style.IWL, 1))
    seeds: dict[float, list[str]] = {}
    for name, words, marker, colour, side in kinds:
        rows = verdict.details.get(name, ())
        if not rows:
            continue
        (x,) = panels.columns(rows, "n_items")
        look = {"fmt": f"{marker}-", "color": colour}
        panels.fractions(ax, x * 1.02**side, rows, "fraction", "interval", **look)
        here = (x[0] * 1.02**side, rows[0]["fraction"])
        ha = "left" if side > 0 else "right"
        style.label(ax, words, here, colour, (5 * side, -4 * side), ha=ha)
        for row in rows:
            seeds.setdefault(row["n_items"], []).append(str(row["replicates"]))
    ax.set_ylabel(FRACTION)
    if not seeds:
        return
    ax.set_ylim(-0.12, 1.05)  # room for a word below 0
    panels.items_axis(ax, np.array(list(seeds)))
    ax.set_xlim(min(seeds) / 1.4, max(seeds) * 1.25)
    if len(seeds) <= MOST_NAMED:
        counted = [f"{panels.short(k)}\n({', '.join(dict.fromkeys(n))})" for k, n in seeds.items()]
        ax.set_xticks(list(seeds), counted)
        ax.minorticks_off()
        ax.set_xlabel("number of items $K$ (seeds)")


def _prediction(ax: Axes, verdict: Verdict) -> None:
    """Draw the fraction of minimal models that acquires, measured and predicted seed by seed."""
    found = verdict.details.get("prediction")
    ax.set(ylabel=FRACTION, xlabel="number of items $K$", ylim=(-0.05, 1.05))
    if found is None:
        style.corner(ax, "nothing predicted", 0.03, 0.95)
        return
    rows = found["by_items"]
    x, y = panels.columns(rows, "n_items", "predicted")
    panels.fractions(ax, x, rows, "measured", "measured_interval", color=style.ICL)
    ax.plot(x, y, "s--", ms=4, mfc="w", lw=1, color=style.PREDICTION)
    panels.items_axis(ax, x)
    style.corner(ax, "predicted,\nnothing fitted", 0.03, 0.95, style.PREDICTION)
    style.corner(ax, "measured", 0.97, 0.1, style.ICL)
