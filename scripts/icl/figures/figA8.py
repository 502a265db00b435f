"""Figure A.8: training on D' at the K that is judged, a curve for every seed."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements import base
from icl.verdicts import Verdict

HIGHEST_LOSS = 2 * np.log(2)  # shown: a short peak of one seed would flatten all others
METRICS = {"icl_accuracy": "ICL accuracy", "train_loss": "loss on $D'$ (nat)"}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    everything = data["balanced"]
    judged = verdicts["balanced_failure"].details.get("n_items")
    n_items = float(everything["n_items"].max() if judged is None else judged)
    runs = base.undiverged(base.where(everything, everything["n_items"] == n_items))
    options = verdicts["balanced_failure"].options
    acquired = base.final(runs, "icl_accuracy") > options["acquired_above"]
    figure, axes = style.new_figure(2, 2.4, 1, 2)
    for ax, name in zip(axes, METRICS, strict=True):
        for row in range(runs.sizes["run"]):
            colour = style.ICL if acquired[row] else style.IWL
            ax.plot(runs["theory_time"][row], runs[name][row], color=colour, lw=0.8, alpha=0.75)
        ax.set_xlabel(panels.TIME)
        ax.set_xlim(left=0)
    style.head(axes, METRICS.values())
    panels.chance(axes[0])
    highest = float(np.nanmax(runs["train_loss"].values, initial=0))
    axes[1].set_ylim(0, min(HIGHEST_LOSS, 1.05 * max(highest, np.log(2))))
    axes[1].axhline(np.log(2), color=style.NEUTRAL, lw=0.6, ls=":", zorder=0)
    kinds = ((acquired, "acquire ICL", style.ICL), (~acquired, "do not acquire ICL", style.IWL))
    named = {f"{own.sum()} seeds {words}": colour for own, words, colour in kinds if own.any()}
    head = f"$D'$, $K$ = {text.count_text(n_items)}:"
    style.name_colours(figure, named, named.values(), head)
    style.mark_gap(figure, annotations.gap(everything, 2))
    return figure
