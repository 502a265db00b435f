"""Figure 4: the loss over beta and w without an MLP, on D and D', and the gradient flow."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure
from matplotlib.patheffects import Normal, Stroke

from icl.figures import style
from icl.verdicts import Verdict

N_LEVELS = 25
PATH_COLOURS = [style.PALETTE[i] for i in (3, 9, 2, 6)]


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the landscapes on D and D' with paths of the flow, and the loss along those on D."""
    landscape = data["landscape"]
    figure, (top, balanced, along) = style.new_figure(2, 2.9, 1, 3)
    balanced.sharey(top)
    balanced.tick_params(labelleft=False)
    style.arrange(figure, wspace=0.04)
    filled = _contours(top, landscape, landscape.loss)
    _contours(balanced, landscape, landscape.balanced_loss)
    bar = figure.colorbar(filled, ax=balanced, ticks=[0, 0.35, 0.7, 1.05, 1.4], pad=0.03)
    bar.set_label("loss (nat)")
    balanced.plot(landscape.beta, landscape.separatrix, ":", color="white", linewidth=1.2)
    for path in landscape.path.values:
        colour = PATH_COLOURS[path % len(PATH_COLOURS)]
        walk = landscape.sel(path=path)
        beta, w = walk.path_beta.values, walk.path_w.values
        _path(top, beta, w, colour)
        _path(balanced, walk.balanced_path_beta.values, walk.balanced_path_w.values, colour)
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
    top.set_ylabel("value strength $w$ (logit)")
    along.axhline(np.log(2), color=style.NEUTRAL, linewidth=0.8, linestyle="--", zorder=0)
    along.set_xscale("log")
    along.set_xlim(0.01, float(landscape.time[-1]))
    along.set_ylim(bottom=0)
    along.set_xlabel("theory time (rate × step)")
    along.set_ylabel("loss along the flow on $D$ (nat)")
    along.legend(title="start $(\\beta_0, w_0)$", loc="lower left")
    for axes, title, letter in ((top, "$D$", "a"), (balanced, "$D'$", "b")):
        axes.set_title(title)
        style.panel_label(axes, letter)
    style.panel_label(along, "c")
    style.footer(
        figure,
        f"Eq. 5 with $z_{{\\rm MLP}}$ = 0, N = {landscape.attrs['context_length']}; "
        "on $D'$ with η = 0. Dashed: loss log 2. Dotted: divides the flow on $D'$. "
        "Diamonds: accuracy 0.95.",
    )
    return figure


def _contours(ax: Axes, landscape: xr.Dataset, loss: xr.DataArray) -> ContourSet:
    """Fill the levels of a loss and draw the one of a coin's toss."""
    # Cut at the loss of a coin's toss twice over: the corner beyond would take the scale.
    levels = np.linspace(0, 2 * np.log(2), N_LEVELS)
    beta, w = landscape.beta, landscape.w
    filled = ax.contourf(beta, w, loss, levels, cmap="cividis", extend="max")
    filled.set_edgecolor("face")
    ax.contour(beta, w, loss, [np.log(2)], colors="white", linewidths=0.8, linestyles="--")
    ax.set_xlim(*beta.values[[0, -1]])
    ax.set_ylim(*w.values[[0, -1]])
    ax.set_xlabel("query-key strength $\\beta$")
    return filled


def _path(ax: Axes, beta: np.ndarray, w: np.ndarray, colour: str) -> None:
    """Draw a path from its start, with an arrowhead on the part in view."""
    outline = [Stroke(linewidth=2.6, foreground="white"), Normal()]
    ax.plot(beta, w, color=colour, linewidth=1.3, path_effects=outline)
    ax.plot(beta[0], w[0], "o", color=colour, markersize=5, markeredgecolor="white")
    if np.ptp(beta) == 0:  # it stays at the saddle
        return
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    inside = (left <= beta) & (beta <= right) & (bottom <= w) & (w <= top)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(beta), np.diff(w)))])
    half = int(np.searchsorted(length, length[inside][-1] * 0.4))
    ax.annotate(
        "",
        (beta[half], w[half]),
        xytext=(beta[half - 1], w[half - 1]),
        arrowprops={"arrowstyle": "-|>", "color": colour, "mutation_scale": 12},
    )
