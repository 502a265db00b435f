"""Figure 5: I_K(inf) of the MLP alone against K, the power law, and how far it is one."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, panels, style
from icl.measurements.memorisation import memorising_runs
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, (top, below) = style.new_figure(
        1, 4.0, 2, 1, sharex=True, height_ratios=(2.6, 1), gridspec_kw={"hspace": 0.04}
    )
    verdict = verdicts["memorisation_exponent"]
    beyond = memorising_runs(data["capacity"])
    _seeds(top, memorising_runs(data["memorisation"]), {"mfc": style.IWL, "mew": 0}, "")
    _seeds(top, beyond, {"mfc": "w", "mew": 0.8}, "beyond\nthe fit")
    _power_law(top, verdict)
    _threshold(top, verdicts["not_capacity"])
    top.set(xscale="log", yscale="log")
    style.plain_log(top.yaxis)
    top.set_ylabel(r"$I_K(\infty)$ (rate × step)")
    _local_exponents(below, verdict)
    n_items = [runs["n_items"].values for runs in data.values()]
    panels.items_axis(below, np.concatenate(n_items))
    style.mark_gap(figure, annotations.gap(data.values(), 1))
    return figure


def _seeds(ax: Axes, runs: xr.Dataset, marker: dict[str, Any], words: str) -> None:
    """Show every seed, its bound on what the record leaves out as a bar upwards."""
    n_items, recorded = runs["n_items"].values, runs["i_recorded"].values
    bound = runs["i_tail_bound"].values
    bound = np.where(np.isfinite(bound), bound, 0.0)
    spread = np.empty(len(n_items))
    for value in np.unique(n_items):
        own = np.flatnonzero(n_items == value)
        spread[own] = np.exp(style.jitter(len(own), 0.05))
    x = n_items * spread
    ax.vlines(x, recorded, recorded + bound, color=style.IWL, lw=0.5)
    ax.plot(x, recorded, "o", ms=2.8, mec=style.IWL, **marker)
    if words and len(x):
        style.label(ax, words, (x[0], recorded[0]), style.IWL, (-6, 4), ha="right")


def _power_law(ax: Axes, verdict: Verdict) -> None:
    """Draw the mean slope through the mean of the logarithms."""
    exponent = verdict.estimate("exponent").value
    if np.isnan(exponent):
        return
    prefactor, items = np.exp(verdict.details["log_prefactor"]), verdict.details["n_items"]
    x = np.geomspace(items[0] / 1.3, items[-1] * 1.3, 50)
    ax.plot(x, prefactor * x**exponent, color=style.FIT, lw=1, zorder=1)
    style.corner(ax, rf"line: $K^\nu$, $\nu$ = {exponent:.2f}", 0.03, 0.97)


def _threshold(ax: Axes, verdict: Verdict) -> None:
    """Mark K* of the transformer, where the claim not_capacity found one."""
    details = verdict.details
    threshold = details.get("threshold", np.nan)
    if np.isfinite(threshold):
        ax.axvline(threshold, color=style.ICL, lw=1, ls=":", zorder=0)
        words = f"$K^*$ at $N$ = {details['context_length']}"
        at_bottom: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "va": "bottom"}
        style.label(ax, words, (threshold, 0.03), style.ICL, (4, 0), **at_bottom)


def _local_exponents(ax: Axes, verdict: Verdict) -> None:
    """Draw the exponent between neighbouring K, with the band that judges their mean."""
    low, high = (np.nan if end is None else end for end in verdict.criteria[0].band)
    ax.axhspan(low, high, color="0.9", lw=0, zorder=0)
    for row in verdict.details.get("local_exponents", []):
        left, right = row["between"]
        value, ends = row["value"], row["interval"]
        ax.plot([left, right], [value, value], color=style.FIT, lw=1.2)
        if np.isfinite(ends).all():
            ax.vlines(np.sqrt(left * right), *ends, color=style.FIT, lw=0.8)
    ax.set_ylabel("exponent")
    ax.text(
        0.99,
        (low + high) / 2,
        f"band: {low:g} to {high:g}",
        transform=ax.get_yaxis_transform(),
        ha="right",
        va="center",
        color=style.NEUTRAL,
    )
