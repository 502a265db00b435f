"""The regime study: the last ICL accuracies against K, one setting changed at a time."""

import textwrap

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl.figures import annotations, panels, style
from icl.verdicts import Verdict

COLUMNS = 3
LINE = 25  # characters above a panel


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes, shown = style.new_grid(len(data), COLUMNS, 1.45, 0.2, sharey=True)
    for place, (variant, runs) in enumerate(data.items()):
        ax = shown[place]
        panels.finals(ax, runs, "icl_accuracy", style.ICL)
        if place + COLUMNS < len(data):
            ax.set_xlabel("")
        verdict = verdicts[f"{variant}_sharp"]
        threshold, fit = verdict.estimate("threshold"), verdict.details.get("fit")
        if fit and panels.fitted(ax, fit, (threshold.low, threshold.high), ""):
            # Above its diamond, for the interval may be as wide as the panel.
            height = (fit["floor"] + fit["ceiling"]) / 2
            at = (10 ** fit["midpoint"], height)
            style.label(ax, "$K^*$", at, offset=(-3, 9), ha="right")
        else:
            style.corner(ax, "no transition", 0.03, 0.95)
        ax.set_title(_head(variant, runs))
        panels.chance(ax)
        low, high = np.min(runs["n_items"].values), np.max(runs["n_items"].values)
        ax.set_xlim(low / 1.3, high * 1.3)  # whole dots
    shown[0].set_ylim(bottom=0.4)  # the panels share it
    for ax in axes[:, 0]:
        ax.set_ylabel("ICL accuracy")
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _head(variant: str, runs: xr.Dataset) -> str:
    """Say in two lines at most what a variant is: the description of its experiment."""
    _, _, described = runs.attrs["title"].partition(": ")
    lines = textwrap.wrap(described or variant.replace("_", " "), LINE, max_lines=2)
    return "\n".join(lines)
