"""Beta moved before the first step: t_ICL and K* follow, as a race says and a capacity does not."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements.base import where
from icl.measurements.shifted_starts import SHIFT
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, verdict = data["thresholds"], verdicts["start_moves_threshold"]
    shifts = np.unique(runs[SHIFT].values)
    strips = [f"c{place}" for place in range(len(shifts))]
    width = len(strips)
    layout = [["a"] * width + ["b"] * width, [name for name in strips for _ in range(2)]]
    figure, axes = style.new_mosaic(layout, 2, 4.0, height_ratios=[1.7, 1])
    _times(axes["a"], verdicts["start_causes"])
    _thresholds(axes["b"], verdict)
    rows = verdict.details.get("by_pace", ())
    for place, (name, shift) in enumerate(zip(strips, shifts, strict=True)):
        own = where(runs, runs[SHIFT] == shift)
        _finals(axes[name], own, shift, rows[place] if place < len(rows) else None)
        axes[name].set_xlim(runs["n_items"].values.min() / 1.2, runs["n_items"].values.max() * 1.2)
    axes[strips[0]].set_ylabel("ICL accuracy")
    style.panel(axes["a"], "a", r"$t_{\mathrm{ICL}}$ at $K=\infty$")
    style.panel(axes["b"], "b", "a race, not a capacity")
    style.panel(axes[strips[0]], "c", axes[strips[0]].get_title(loc="left"))
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _times(ax: Axes, verdict: Verdict) -> None:
    """Draw t_ICL against beta0: a thin line for each seed, their geometric means, a slope of -1."""
    ax.set_yscale("log")
    ax.set_xlabel(r"$\beta_0$, moved before the first step")
    ax.set_ylabel(r"$t_{\mathrm{ICL}}$")
    rows = verdict.details.get("by_length", ())
    if not rows:
        style.unmeasured(ax)
        return
    for row in rows:
        beta0, log_t = np.asarray(row["beta0"]), np.asarray(row["log_t_icl"])
        ax.plot(beta0.T, np.exp(log_t.T), "-", lw=0.3, alpha=0.3, color=style.ICL)
        x, y = beta0.mean(axis=0), log_t.mean(axis=0)
        ax.plot(x, np.exp(y), "o", ms=3.5, color=style.ICL)
        ax.plot(x, np.exp(y.mean() - (x - x.mean())), "--", lw=1, color=style.PREDICTION)
        style.label(ax, f"$N$ = {row['N']}", (x[-1], np.exp(y[-1])), style.ICL, (6, -3))
    ax.set_xlim(right=ax.get_xlim()[1] + 0.9)
    style.corner(ax, "dashed: slope $-1$", 0.98, 0.95)
    style.plain_log(ax.yaxis)


def _finals(ax: Axes, runs: xr.Dataset, shift: float, row: dict | None) -> None:
    """Draw the mean final ICL accuracy against K at one shift, and K* with its interval."""
    panels.means_and_threshold(ax, runs, row)
    ax.set_xlabel("number of items $K$")
    panels.accuracy_strip(ax)
    words = "as drawn" if shift == 0 else "lowered" if shift < 0 else "raised"
    ax.set_title(rf"$\beta$ {words}", loc="left")


def _thresholds(ax: Axes, moved: Verdict) -> None:
    """Draw K* against e^beta0, and the slopes of a race and of a capacity."""
    details = moved.details
    rows = [row for row in details.get("by_pace", ()) if np.isfinite(row["threshold"])]
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(r"$e^{\beta_0}$")
    ax.set_ylabel("threshold $K^*$ (items)")
    if not rows:
        style.corner(ax, "no threshold fitted", 0.03, 0.95)
        return
    x, y = (np.array([row[key] for row in rows]) for key in ("pace", "threshold"))
    ends = [row["interval"] for row in rows]
    panels.with_intervals(ax, x, y, ends, fmt="o", ms=4, lw=1, capsize=2, color=style.ICL)
    line = np.geomspace(x.min() / 1.15, x.max() * 1.15, 50)
    panels.slope(ax, line, details["power_law"], style.FIT, "-")
    race = details["predicted_line"]
    panels.slope(ax, line, race, style.ALTERNATIVE_FIT, "--")
    middle = np.exp(np.log(y).mean())
    ax.plot(line, np.full_like(line, middle), ":", color=style.NEUTRAL, lw=1)
    words = [
        f"fitted: {text.digits_text(details['power_law']['exponent'])}",
        f"dashed, a race: {text.digits_text(race['exponent'])}",
        "dotted, a capacity: 0",
    ]
    style.corner(ax, "\n".join(words), 0.03, 0.04)
    ax.set_ylim(y.min() / 3, y.max() * 1.6)
    style.plain_log(ax.xaxis)
    style.plain_log(ax.yaxis)
