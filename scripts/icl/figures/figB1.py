"""The regime study: the last ICL accuracies against K, one setting changed at a time."""

import textwrap

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl.figures import annotations, panels, style
from icl.verdicts import Verdict

LINE = 24  # characters above a panel


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes, shown = style.new_grid(len(data), 3, 1.6, 0.1, sharey=True)
    base = next(iter(data.values()))
    for ax, (variant, runs) in zip(shown, data.items(), strict=True):
        panels.finals(ax, runs, "icl_accuracy", style.ICL)
        verdict = verdicts[f"{variant}_sharp"]
        threshold = verdict.estimate("threshold")
        ends = (threshold.low, threshold.high)
        if not panels.fitted(ax, verdict.details.get("fit"), ends, "$K^*$"):
            style.corner(ax, "no transition", 0.03, 0.95)
        ax.set_title(_head(variant, runs, base))
        panels.chance(ax)
        low, high = np.min(runs["n_items"].values), np.max(runs["n_items"].values)
        ax.set_xlim(low / 1.3, high * 1.3)  # whole dots
    for ax in axes[:, 0]:
        ax.set_ylabel("ICL accuracy")
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _head(variant: str, runs: xr.Dataset, base: xr.Dataset) -> str:
    """Name a variant, and what it has otherwise than the first: K aside, which the axis shows."""
    changed = [fact for fact in annotations.changed(runs, base) if not fact.startswith("K = ")]
    name = variant.replace("_", " ")
    if runs is base:
        return name
    what = ", ".join(changed) or "longer runs"
    return f"{name}\n" + textwrap.shorten(what, LINE, placeholder=" …")
