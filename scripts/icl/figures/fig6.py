"""Figure 6 b: t_ICL against N at K = infinity; the paper's other panels are not drawn here."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import statistics
from icl.figures import annotations, style


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, dict[str, Any]]) -> Figure:
    """Draw the figure.

    Args:
        data: role "acquisition", several N at K = infinity.
        verdicts: of linear_ticl.
    """
    runs, verdict = data["acquisition"], verdicts["linear_ticl"]
    details = verdict["details"]
    figure, ax = style.new_figure(1, 3.1)
    passage = statistics.acquisition_time(
        runs["icl_accuracy"].values, runs["theory_time"].values, details["options"]["threshold"]
    )
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    spread = 0.16 * np.diff(values).min() if len(values) > 1 else 1.0
    for value in values:
        own = np.flatnonzero(lengths == value)
        own = own[np.argsort(passage.time[own], kind="stable")]
        x = value + _spread_evenly(len(own), spread)
        reached = passage.reached[own]
        ax.plot(x[reached], passage.time[own][reached], "o", ms=2.6, mew=0, alpha=0.6, c=style.ICL)
        ax.plot(
            x[~reached], passage.time[own][~reached], "^", ms=3.2, mew=0.7, mfc="w", c=style.GAP
        )
    ax.plot([], [], "o", ms=2.6, mew=0, alpha=0.6, color=style.ICL, label="a seed")
    if not passage.reached.all():
        label = f"not acquired by then ({(~passage.reached).sum()}, censored)"
        ax.plot([], [], "^", ms=3.2, mew=0.7, mfc="w", color=style.GAP, label=label)
    ax.set_xlim(0, values[-1] * 1.08)
    ax.set_ylim(0, np.nanmax(passage.time) * 1.05)
    _medians_and_fits(ax, details)
    for length, _ in annotations.missing(runs):
        ax.axvline(length, color=style.GAP, lw=3, alpha=0.25, zorder=0)
    ax.set_xlabel("context length $N$")
    ax.set_ylabel(r"$t_{\mathrm{ICL}}$ (learning rate × step)")
    style.measured(
        ax,
        f"exponent {annotations.quote(verdict, 'exponent', 3)}\n"
        f"$R^2$ of the line {annotations.quote(verdict, 'r_squared', 3)}",
    )
    ax.legend(loc="upper left")
    style.panel_label(ax, "b")
    style.footer(figure, annotations.setting(runs, 1), annotations.gap(runs, 1))
    return figure


def _spread_evenly(n: int, width: float) -> np.ndarray:
    """Offsets for sorted times that put neighbours apart: a golden-ratio sequence, in order."""
    return style.jitter(n, width)[np.argsort(np.argsort(np.arange(n) * 0.6180339887 % 1))]


def _medians_and_fits(ax: Axes, details: dict[str, Any]) -> None:
    """Draw the medians with their intervals, the straight line and the power law."""
    rows = details.get("by_length")
    if rows is None:
        return
    median = np.array([annotations.number(row["median"]) for row in rows])
    ends = np.array([[annotations.number(x) for x in row["interval"]] for row in rows])
    shown = np.isfinite(median)
    top = ax.get_ylim()[1]
    error = np.abs(np.clip(ends, 0, top) - np.clip(median, 0, top)[:, None]).T
    lengths = np.array([row["context_length"] for row in rows], dtype=float)
    ax.errorbar(
        lengths[shown],
        median[shown],
        yerr=error[:, shown],
        fmt="D",
        ms=3.6,
        capsize=2.5,
        lw=1,
        color=style.FIT,
        label=f"median, {details['options']['confidence']:.0%} interval",
        zorder=4,
    )
    slope, intercept, exponent, log_prefactor = (
        annotations.number(details[kind][key])
        for kind, key in (
            ("line", "slope"),
            ("line", "intercept"),
            ("power_law", "exponent"),
            ("power_law", "log_prefactor"),
        )
    )
    if not np.isfinite(slope):
        return
    x = np.linspace(ax.get_xlim()[0] + 1e-9, ax.get_xlim()[1], 200)
    sign = "+" if intercept >= 0 else "−"
    equation = (
        f"{annotations.show(slope)} $N$ {sign} {annotations.show(abs(intercept), most_places=2)}"
    )
    ax.plot(x, slope * x + intercept, color=style.FIT, lw=1, label=f"straight line: {equation}")
    ax.plot(
        x,
        np.exp(log_prefactor) * x**exponent,
        color=style.ALTERNATIVE_FIT,
        lw=1,
        ls="--",
        label=f"power law: $N^{{{exponent:.2f}}}$",
    )
