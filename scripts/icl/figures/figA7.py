"""Figure A.7: the last ICL accuracy against K at each N, with the logistic fits."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements.base import joined
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs = joined(data, "thresholds", "transition")
    verdict = verdicts["threshold_exponent"]
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    columns = 2 if len(values) in (2, 4) else 3
    figure, axes, shown = style.new_grid(len(values), columns, 1.95, 0.6, sharey=True)
    fits = {row["context_length"]: row for row in verdict.details.get("by_length", ())}
    of_fractions = verdict.details.get("response") == "fraction_acquired"

    def share(final: np.ndarray) -> float:
        return np.mean(final > verdict.options["acquired_above"])

    for ax, length in zip(shown, values, strict=True):
        own = runs.isel(run=np.flatnonzero(lengths == length))
        panels.finals(ax, own, "icl_accuracy", style.ICL)
        if of_fractions:
            n_items, shares = panels.over_seeds(own, "icl_accuracy", share)
            ax.plot(n_items, shares, "s", ms=5, mfc="none", mec="k", mew=0.9, zorder=3)
        row = fits.get(int(length))
        words = "no transition fitted"
        if row is not None and panels.fitted(ax, row["fit"], row["interval"]):
            low, high = (text.digits_text(end, 3) for end in row["interval"])
            words = f"$K^*$ = {text.digits_text(row['threshold'], 3)} [{low}, {high}]"
        style.measured(ax, words)
        ax.set_title(f"$N$ = {length}", loc="left", fontsize=7.5, fontweight="bold")
        panels.chance(ax)
    label = "final ICL accuracy"
    if of_fractions:
        label = f"{label} (dots)\nfraction that acquires"
        axes[0, 0].set_ylim(-0.06, 1.06)  # and so that of all others
    for ax in axes[:, 0]:
        ax.set_ylabel(label)
    style.footer(figure, annotations.setting(runs, 2), annotations.gap(runs, 2))
    return figure
