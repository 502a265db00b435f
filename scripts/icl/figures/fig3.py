"""Figure 3: the minimal model shows the transition, the abrupt rise and the transience of ICL."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import NullFormatter

from icl.figures import annotations, fig2, panels, style
from icl.verdicts import Verdict

COLUMNS = 3


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, verdict = data["minimal_transition"], verdicts["minimal_model"]
    details = verdict.details
    decays = _decays(data["minimal_transience"], verdict)
    rows = -(-len(decays) // COLUMNS)
    figure, (top, below) = style.new_rows(2, (2.3, 0.95 * rows + 0.45))
    axes = top.subplot_mosaic([["a", f"b{row}"] for row in range(3)])
    fig2.transition(axes["a"], runs, verdict, details.get("sharp", {}).get("fit"))
    style.panel(axes["a"], "a", "novel items")
    rising = [axes[f"b{row}"] for row in range(3)]
    levels = details.get("abrupt", {}).get("levels", ())[:2]
    panels.strips(rising, runs, runs["n_items"].values, panels.of_items, levels)
    panels.head_strips(rising, "b", "an abrupt rise")
    rising[1].set_ylabel("ICL accuracy")
    _transience(below, rows, data["minimal_transience"], decays)
    style.mark_gap(below, annotations.gap(data.values(), 2))
    return figure


def _decays(runs: xr.Dataset, verdict: Verdict) -> list[tuple[str, np.ndarray]]:
    """List what decays and by how much, each with the mask of its runs (R,)."""
    negligible = verdict.options["negligible_decay"]
    on_w, on_beta = (
        np.where(runs[name].values <= negligible, 0.0, runs[name].values)
        for name in ("w_decay", "beta_decay")
    )
    rows = {row["decay"]: row for row in verdict.details.get("transient", {}).get("by_decay", ())}
    found = [(panels.of_decay(0, rows.get(0)), on_w + on_beta == 0)]
    for value in np.unique(on_w[on_w > 0]):
        found.append((panels.of_decay(value, rows.get(value)), (on_w == value) & (on_beta == 0)))
        both = (on_w == value) & (on_beta == value)
        found.append((rf"$\lambda$ = {value:g}, also on $\beta$", both))
    return [(name, own) for name, own in found if own.any()]


def _transience(
    figure: SubFigure, rows: int, runs: xr.Dataset, decays: Sequence[tuple[str, np.ndarray]]
) -> None:
    """Draw a panel for each decay: every seed faintly, the median over seeds boldly."""
    axes = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False)
    clock, accuracy = runs["theory_time"].values, runs["icl_accuracy"].values
    for ax, (name, own) in zip(axes.flat, decays, strict=False):
        for row in np.flatnonzero(own):
            ax.plot(clock[row, 1:], accuracy[row, 1:], color=style.ICL, lw=0.4, alpha=0.5)
        middle = np.median(accuracy[own], axis=0)
        ax.plot(clock[own][0, 1:], middle[1:], color=style.FIT, lw=1.3)
        ax.set_title(name)
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
        panels.accuracy_strip(ax)
    for ax in axes.flat[len(decays) :]:
        ax.axis("off")
    for ax in axes.flat[max(len(decays) - COLUMNS, 0) : len(decays)]:
        ax.set_xlabel(panels.TIME)
        ax.tick_params(labelbottom=True)
    panels.head_strips(list(axes.flat), "c", "decay of $w$")
    for ax in axes[:, 0]:
        ax.set_ylabel("ICL accuracy" if rows < 3 else "ICL")
