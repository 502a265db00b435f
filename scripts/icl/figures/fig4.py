"""Figure 4: the loss over beta and w without an MLP, and the gradient flow on it."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from icl.figures import style
from icl.verdicts import Verdict

N_LEVELS = 25
PATH_COLOURS = [style.PALETTE[i] for i in (3, 9, 2, 6)]


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the landscape with paths of the flow, and the loss along them."""
    landscape = data["landscape"]
    figure, (top, along) = style.new_figure(2, 3.0, 1, 2, width_ratios=[1.15, 1])
    style.arrange(figure, wspace=0.06)
    # Both are cut at the loss of a coin's toss twice over: the corner beyond would take the scale.
    levels = np.linspace(0, 2 * np.log(2), N_LEVELS)
    filled = top.contourf(
        landscape.beta, landscape.w, landscape.loss, levels, cmap="cividis", extend="max"
    )
    filled.set_edgecolor("face")
    chance = top.contour(
        landscape.beta,
        landscape.w,
        landscape.loss,
        [np.log(2)],
        colors="white",
        linewidths=0.8,
        linestyles="--",
    )
    top.clabel(chance, fmt={np.log(2): "log 2"}, fontsize=6.5)
    bar = figure.colorbar(filled, ax=top, ticks=[0, 0.35, 0.7, 1.05, 1.4], pad=0.02)
    bar.set_label("loss (nat)")
    outline = [Stroke(linewidth=2.6, foreground="white"), Normal()]
    for path in landscape.path.values:
        colour = PATH_COLOURS[path % len(PATH_COLOURS)]
        walk = landscape.sel(path=path)
        beta, w = walk.path_beta.values, walk.path_w.values
        top.plot(beta, w, color=colour, linewidth=1.3, path_effects=outline)
        top.plot(beta[0], w[0], "o", color=colour, markersize=5, markeredgecolor="white")
        _arrow(top, beta, w, colour)
        along.plot(
            walk.time[1:],
            walk.path_loss[1:],
            color=colour,
            label=f"({beta[0]:g}, {w[0]:g})".replace("-", "−"),
        )
        time = float(walk.acquisition_time)
        if np.isfinite(time):
            loss = np.interp(time, walk.time, walk.path_loss)
            along.plot(time, loss, "D", color=colour, markersize=4, markeredgecolor="white")
    top.set_xlim(*landscape.beta.values[[0, -1]])
    top.set_ylim(*landscape.w.values[[0, -1]])
    top.set_xlabel("query-key strength $\\beta$")
    top.set_ylabel("value strength $w$ (logit)")
    along.axhline(np.log(2), color=style.NEUTRAL, linewidth=0.8, linestyle="--", zorder=0)
    along.set_xscale("log")
    along.set_xlim(0.5, float(landscape.time[-1]))
    along.set_ylim(bottom=0)
    along.set_xlabel("theory time (learning rate × step)")
    along.set_ylabel("loss along the flow (nat)")
    handles, labels = along.get_legend_handles_labels()
    handles.append(along.plot([], [], "D", color=style.NEUTRAL, markersize=4)[0])
    along.legend(
        handles, [*labels, "ICL accuracy 0.95"], title="start $(\\beta_0, w_0)$", loc="lower left"
    )
    style.panel_label(top, "a")
    style.panel_label(along, "b")
    style.footer(
        figure,
        f"Eq. 5 with $z_{{\\rm MLP}}$ = 0, N = {landscape.attrs['context_length']}.",
    )
    return figure


def _arrow(ax, beta: np.ndarray, w: np.ndarray, colour: str) -> None:
    """Put an arrowhead on the part of the path that is in view."""
    inside = (beta <= ax.dataLim.x1) & (w <= 8)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(beta), np.diff(w)))])
    half = int(np.searchsorted(length, length[inside][-1] * 0.4))
    ax.annotate(
        "",
        (beta[half], w[half]),
        xytext=(beta[half - 1], w[half - 1]),
        arrowprops={"arrowstyle": "-|>", "color": colour, "mutation_scale": 12},
    )
