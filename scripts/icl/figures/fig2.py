"""Figure 2: the task, ICL and IWL accuracy against K, ICL curves in training, transience."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, panels, schematic, style
from icl.verdicts import Verdict

LAYOUT = [[side, f"d{row // 2}", f"e{row // 2}"] for row, side in enumerate("bbbccc")]


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, transience = data["transition"], data["transience"]
    # In the second edition of the claims sharp_transition is of the width, transition has K*.
    sharp = verdicts.get("transition", verdicts["sharp_transition"])
    figure, (top, below) = style.new_rows(2, (1.55, 3.35))
    schematic.draw(top.add_axes((0, 0, 1, 1)), runs)
    axes = below.subplot_mosaic(LAYOUT)
    transition(axes["b"], runs, sharp, sharp.details.get("fit"), "$K^*$: Figure A.7")
    style.panel(axes["b"], "b", "novel items")
    axes["b"].set_xlabel("")
    axes["b"].tick_params(labelbottom=False)
    panels.finals(axes["c"], runs, "iwl_accuracy", style.IWL)
    panels.chance(axes["c"])
    axes["c"].set_ylabel("IWL accuracy")
    style.panel(axes["c"], "c", "memorised items")
    levels = verdicts["abrupt_acquisition"].details.get("levels", ())[:2]
    rising, fading = ([axes[f"{side}{i}"] for i in range(3)] for side in "de")
    panels.strips(rising, runs, runs["n_items"].values, panels.of_items, levels)
    panels.head_strips(rising, "d", "an abrupt rise")
    _fading(fading, transience, verdicts["transience"])
    other = annotations.other_model(transience, runs)
    panels.head_strips(fading, "e", f"weight decay{other}")
    rising[1].set_ylabel("ICL accuracy in training")
    style.mark_gap(below, annotations.gap(data.values(), 2))
    return figure


def transition(
    ax: Axes,
    runs: xr.Dataset,
    sharp: Verdict,
    fit: dict[str, float] | None,
    otherwise: str = "no fit",
) -> None:
    """Draw the last ICL accuracies with the fitted logistic, K* and its interval.

    Args:
        otherwise: words for the case that there is no fit.
    """
    panels.finals(ax, runs, "icl_accuracy", style.ICL)
    panels.chance(ax)
    ax.set_ylabel("ICL accuracy")
    threshold = sharp.estimate("threshold")
    if not panels.fitted(ax, fit, (threshold.low, threshold.high), "$K^*$"):
        style.corner(ax, otherwise, 0.03, 0.7)


def _fading(strips: list[Axes], runs: xr.Dataset, verdict: Verdict) -> None:
    decay = runs["w_decay"].values
    decay = np.where(decay <= verdict.options["negligible_decay"], 0.0, decay)
    rows = {row["decay"]: row for row in verdict.details.get("by_decay", ())}
    panels.strips(strips, runs, decay, lambda value: panels.of_decay(value, rows.get(value)))
    for ax in strips:
        ax.tick_params(labelleft=False)
