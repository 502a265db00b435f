"""Figure 3: the minimal model shows the transition, the abrupt rise and the transience of ICL."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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
    panels.rise(axes[1], details.get("abrupt", {}), annotations.quote(verdict, "rise"))
    _transience(axes[2], data["minimal_transience"], verdict)
    for ax, letter in zip(axes, "abc", strict=True):
        style.panel_label(ax, letter)
    for ax in axes[:2]:
        panels.chance(ax)
    text = annotations.settings({"a, b": runs, "c": data["minimal_transience"]}, 2)
    style.footer(figure, f"minimal model; {text}", annotations.gap(data.values(), 2))
    return figure


def _transience(ax: Axes, runs: xr.Dataset, verdict: Verdict) -> None:
    negligible = verdict.options["negligible_decay"]
    on_w, on_beta = (
        np.where(runs[name].values <= negligible, 0.0, runs[name].values)
        for name in ("w_decay", "beta_decay")
    )
    groups = [(on_w + on_beta == 0, r"no decay", "-")]
    for value in np.unique(on_w[on_w > 0]):
        label = panels.decay_label(value)
        for own, text, dashes in (
            ((on_w == value) & (on_beta == 0), r"$w$: " + label, "-"),
            ((on_w == value) & (on_beta == value), r"$w$ and $\beta$: " + label, "--"),
        ):
            if own.any():
                groups.append((own, text, dashes))
    panels.fading(ax, runs, groups, "decay on")
    style.measured(
        ax,
        f"decay on $w$ alone: log-rank {annotations.p_value(verdict, 'log_rank_p')}\n"
        f"fading ~ $\\lambda_w^s$, s = {annotations.quote(verdict, 'fade_slope')}",
    )
