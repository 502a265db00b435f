"""Figure A.7: the last ICL accuracy against K at each N, with the logistic fits."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements import base, outcomes
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs = base.joined(data, "thresholds", "transition")
    verdict = verdicts["threshold_exponent"]
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    of_fractions = verdict.details.get("response") == "fraction_acquired"
    columns = 2 if len(values) in (2, 4) else 3
    figure, axes, shown = style.new_grid(len(values), columns, 1.55, 0.4, sharey=True)
    fits = {row["context_length"]: row for row in verdict.details.get("by_length", ())}
    for ax, length in zip(shown, values, strict=True):
        own = base.where(runs, lengths == length)
        if of_fractions:
            rows = outcomes.share_rows(own, verdict.options)
            (x,) = panels.columns(rows, "n_items")
            panels.items_axis(ax, x)
            look = {"fmt": "o", "color": style.ICL}
            panels.fractions(ax, x, rows, "fraction", "interval", **look)
        else:
            panels.finals(ax, own, "icl_accuracy", style.ICL)
            mean = panels.over_seeds(own, "icl_accuracy", np.mean)
            ax.plot(*mean, "_", ms=9, mew=1.4, color=style.FIT, zorder=2)
            panels.chance(ax)
        row = fits.get(int(length))
        head = f"$N$ = {length}"
        if row is not None and panels.fitted(ax, row["fit"], row["interval"], ""):
            # Two digits: the ends of an interval from resamples are not surer.
            low, high = (text.digits_text(end) for end in row["interval"])
            head += f", $K^*$ = {text.digits_text(row['threshold'])}\n[{low}, {high}]"
        ax.set_title(head)
    for ax in axes[:, 0]:
        ax.set_ylabel("fraction with ICL" if of_fractions else "ICL accuracy")
    style.mark_gap(figure, annotations.gap(runs, 2))
    return figure
