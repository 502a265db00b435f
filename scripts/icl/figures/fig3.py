"""Figure 3: the minimal model shows the transition, the abrupt rise and the transience of ICL."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, fig2, panels, style
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, verdict = data["minimal_transition"], verdicts["minimal_model"]
    details = verdict.details
    figure, axes = style.new_figure(2, 3.1, 1, 3, width_ratios=(1, 1.15, 1.15))
    fig2.transition(axes[0], runs, verdict, details.get("sharp", {}).get("fit"))
    panels.trajectories(axes[1], runs)
    axes[1].set_ylabel("ICL accuracy")
    panels.rise(axes[1], details.get("abrupt", {}), text.estimate_text(verdict.estimate("rise")))
    _transience(axes[2], data["minimal_transience"], verdict)
    for ax, letter in zip(axes, "abc", strict=True):
        style.panel_label(ax, letter)
    for ax in axes[:2]:
        panels.chance(ax)
    setting = annotations.settings({"a, b": runs, "c": data["minimal_transience"]}, 2)
    style.footer(figure, f"minimal model; {setting}", annotations.gap(data.values(), 2))
    return figure


def _transience(ax: Axes, runs: xr.Dataset, verdict: Verdict) -> None:
    negligible = verdict.options["negligible_decay"]
    on_w, on_beta = (
        np.where(runs[name].values <= negligible, 0.0, runs[name].values)
        for name in ("w_decay", "beta_decay")
    )
    groups = [(on_w + on_beta == 0, r"no decay", "-")]
    for value in np.unique(on_w[on_w > 0]):
        label = text.power_text(value)
        for own, decayed, dashes in (
            ((on_w == value) & (on_beta == 0), r"$w$: " + label, "-"),
            ((on_w == value) & (on_beta == value), r"$w$ and $\beta$: " + label, "--"),
        ):
            if own.any():
                groups.append((own, decayed, dashes))
    panels.fading(ax, runs, groups, "decay on")
    style.measured(
        ax,
        f"decay on $w$ alone: log-rank {text.p_digits_text(verdict.estimate('log_rank_p').value)}\n"
        f"fading ~ $\\lambda_w^s$, s = {text.estimate_text(verdict.estimate('fade_slope'))}",
    )
