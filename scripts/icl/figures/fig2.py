"""Figure 2: the task, ICL and IWL accuracy against K, ICL curves in training, transience."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, schematic, style
from icl.verdicts import Verdict

LAYOUT = (("a", "a", "b"), ("c", "d", "e"))


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, sharp = data["transition"], verdicts["sharp_transition"]
    figure, axes = style.new_mosaic(LAYOUT, 2, 5.0, width_ratios=(1, 1.1, 1.1))
    schematic.draw(axes["a"], runs)
    transition(axes["b"], runs, sharp, sharp.details.get("fit"))
    memorisation(axes["c"], runs, sharp)
    abrupt = verdicts["abrupt_acquisition"]
    panels.trajectories(axes["d"], runs)
    axes["d"].set_ylabel("ICL accuracy")
    panels.rise(axes["d"], abrupt.details, text.estimate_text(abrupt.estimate("rise")))
    _transience(axes["e"], data["transience"], verdicts["transience"])
    for letter, ax in axes.items():
        style.panel_label(ax, letter)
        if letter in "bcd":
            panels.chance(ax)
    setting = annotations.settings({"b to d": runs, "e": data["transience"]}, 2)
    style.footer(figure, setting, annotations.gap(data.values(), 2))
    return figure


def transition(ax: Axes, runs: xr.Dataset, sharp: Verdict, fit: dict[str, float] | None) -> None:
    """Draw the last ICL accuracies with the fitted logistic, K* and its interval."""
    panels.finals(ax, runs, "icl_accuracy", style.ICL)
    ax.set_ylabel("final ICL accuracy")
    threshold = sharp.estimate("threshold")
    if not panels.fitted(ax, fit, (threshold.low, threshold.high)):
        style.measured(ax, "no transition fitted")
        return
    style.measured(
        ax,
        f"$K^*$ = {text.estimate_text(sharp.estimate('threshold'), 3)}\n"
        f"width {text.estimate_text(sharp.estimate('width'))} decades",
    )


def memorisation(ax: Axes, runs: xr.Dataset, sharp: Verdict) -> None:
    """Draw the last IWL accuracies and their medians."""
    panels.finals(ax, runs, "iwl_accuracy", style.IWL)
    ax.set_ylabel("final IWL accuracy")
    ax.plot(*panels.over_seeds(runs, "iwl_accuracy"), color=style.IWL, lw=0.8, alpha=0.6, zorder=1)
    style.measured(ax, f"Spearman with ICL\n{text.estimate_text(sharp.estimate('spearman'))}")


def _transience(ax: Axes, runs: xr.Dataset, verdict: Verdict) -> None:
    decay = runs["w_decay"].values
    negligible = verdict.options["negligible_decay"]
    decay = np.where(decay <= negligible, 0.0, decay)
    groups = [
        (decay == value, f"$\\lambda$ = {text.power_text(value)}", "-")
        for value in np.unique(decay)
    ]
    panels.fading(ax, runs, groups)
    style.measured(
        ax,
        f"log-rank {text.p_digits_text(verdict.estimate('log_rank_p').value)}\n"
        f"fading ~ $\\lambda^s$, s = {text.estimate_text(verdict.estimate('fade_slope'))}",
    )
