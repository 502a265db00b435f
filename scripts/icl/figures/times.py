"""Panels of t_ICL at K = infinity: against N (Figures 6 b, A.5 a) and its histogram (A.4, A.5)."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from scipy import stats

from icl.figures import annotations, panels, style
from icl.measurements.base import acquisition_time

T_ICL = r"$t_{\mathrm{ICL}}$ (rate × step)"


def against_length(
    ax: Axes, runs: xr.Dataset, details: dict[str, Any], options: dict[str, Any]
) -> None:
    """Draw every seed's t_ICL against N, the medians, the straight line and the power law.

    Both are of linear_ticl: `details` may be empty.
    """
    passage = acquisition_time(runs, options)
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    spread = 0.16 * np.diff(values).min() if len(values) > 1 else 1.0
    for value in values:
        own = np.flatnonzero(lengths == value)
        own = own[np.argsort(passage.time[own], kind="stable")]
        x = value + _spread_evenly(len(own), spread)
        reached = passage.reached[own]
        ax.plot(x[reached], passage.time[own][reached], "o", ms=2.6, mew=0, alpha=0.6, c=style.ICL)
        late = passage.time[own][~reached]
        ax.plot(x[~reached], late, "^", ms=3.2, mew=0.7, mfc="w", c=style.GAP)
    ax.set(xlim=(0, values[-1] * 1.08), ylim=(0, np.nanmax(passage.time) * 1.05))
    _medians_and_fits(ax, details)
    for length, _ in annotations.missing(runs):
        ax.axvline(length, color=style.GAP, lw=3, alpha=0.25, zorder=0)
    ax.set(xlabel="context length $N$", ylabel=T_ICL)
    if len(ax.get_legend_handles_labels()[0]):
        ax.legend(loc="upper left")
    if unfinished := passage.censored:
        late = np.flatnonzero(~passage.reached)[-1]
        here = (lengths[late], passage.time[late])
        style.label(ax, f"{unfinished} censored", here, style.GAP, (-8, 0), ha="right")


def _spread_evenly(n: int, width: float) -> np.ndarray:
    """Offsets for sorted times that put neighbours apart: a golden-ratio sequence, in order."""
    return style.jitter(n, width)[np.argsort(np.argsort(np.arange(n) * 0.6180339887 % 1))]


def _medians_and_fits(ax: Axes, details: dict[str, Any]) -> None:
    """Draw the medians with their intervals, the straight line and the power law."""
    rows = details.get("by_length")
    if rows is None:
        return
    lengths, median, ends = panels.columns(rows, "context_length", "median", "interval")
    shown = np.isfinite(median)
    top = ax.get_ylim()[1]
    error = np.abs(np.clip(ends, 0, top) - np.clip(median, 0, top)[:, None]).T
    look: dict[str, Any] = {"fmt": "D", "ms": 3.6, "capsize": 2.5, "lw": 1, "zorder": 4}
    ax.errorbar(lengths[shown], median[shown], error[:, shown], color=style.FIT, **look)
    slope, intercept = details["line"]["slope"], details["line"]["intercept"]
    exponent, log_prefactor = (details["power_law"][key] for key in ("exponent", "log_prefactor"))
    if not np.isfinite(slope):
        return
    x = np.linspace(ax.get_xlim()[0] + 1e-9, ax.get_xlim()[1], 200)
    ax.plot(x, slope * x + intercept, color=style.FIT, lw=1, label="straight line")
    power, label = np.exp(log_prefactor) * x**exponent, f"$N^{{{exponent:.2f}}}$"
    ax.plot(x, power, color=style.ALTERNATIVE_FIT, lw=1, ls="--", label=label)


def histogram(
    ax: Axes,
    times: np.ndarray,
    reached: np.ndarray,
    fit: dict[str, Any] | None = None,
    top: float | None = None,
) -> None:
    """Draw the histogram of t_ICL, a tick for every seed, and two fits scaled to counts.

    Times not reached are those of censoring. `fit` is that of long_tail at this N; `top` ends the
    axis.
    """
    events = times[reached]
    top = top or np.nanmax(times) * 1.1 or 1.0
    ax.set_xlim(0, top)
    edges = np.linspace(0, top, 16)
    counts, *_ = ax.hist(events, bins=edges.tolist(), color=style.ICL, alpha=0.5, lw=0)
    ax.set_ylim(0, 1.15 * max(np.max(counts), 1))
    ax.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    # Marks may leave the axes and must not move them: an empty one would move them to nowhere.
    marks: dict[str, Any] = {"ls": "", "mew": 0.7, "clip_on": False, "in_layout": False}
    marks["transform"] = ax.get_xaxis_transform()
    zero = np.zeros(len(times))
    ax.plot(events, zero[reached], marker="|", ms=7, color=style.ICL, label="a seed", **marks)
    if not reached.all():
        own: dict[str, Any] = {"marker": ">", "ms": 4, "mfc": "w", "color": style.GAP}
        label = "not acquired"
        ax.plot(times[~reached], zero[~reached] + 0.04, label=label, **own, **marks)
    if fit is not None:
        _fits(ax, fit, np.linspace(top / 400, top, 400), len(times) * (edges[1] - edges[0]))


def _fits(ax: Axes, fit: dict[str, Any], x: np.ndarray, scale: float) -> None:
    normal, log_normal = fit["normal"], fit["log_normal"]
    spread, scale_of = log_normal["log_sd"], np.exp(log_normal["log_mean"])
    densities = (
        (stats.lognorm(spread, scale=scale_of), "log-normal", style.FIT, "-"),
        (stats.norm(normal["mean"], normal["sd"]), "normal", style.ALTERNATIVE_FIT, "--"),
    )
    for distribution, label, colour, dashes in densities:
        ax.plot(x, scale * distribution.pdf(x), color=colour, lw=1, ls=dashes, label=label)
