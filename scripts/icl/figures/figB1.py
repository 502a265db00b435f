"""The regime study: the last ICL accuracies against K, one setting changed at a time."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements.base import final
from icl.verdicts import Verdict

MIXED = (0.65, 0.9)  # finals of neither kind, as in the claim bimodality


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes, shown = style.new_grid(len(data), 4, 1.75, 0.5, sharey=True)
    for ax, (variant, runs) in zip(shown, data.items(), strict=True):
        panels.finals(ax, runs, "icl_accuracy", style.ICL)
        verdict = verdicts[f"{variant}_sharp"]
        threshold = verdict.estimate("threshold")
        panels.fitted(ax, verdict.details.get("fit"), (threshold.low, threshold.high))
        last = final(runs, "icl_accuracy")
        mixed = np.mean((last >= MIXED[0]) & (last <= MIXED[1]))
        width = text.digits_text(verdict.estimate("width").value)
        style.measured(ax, f"width {width} decades\nmixed {mixed:.0%}")
        ax.set_title(variant.replace("_", " "), loc="left", fontsize=7, fontweight="bold")
        panels.chance(ax)
    for ax in axes[:, 0]:
        ax.set_ylabel("final ICL accuracy")
    base = next(iter(data.values()))
    style.footer(figure, "first panel: " + annotations.setting(base, 2))
    return figure
