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
DASHES = ("-", "--", "-.", ":")  # of paths 1 to 4, which their numbers name


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the landscapes on D and D' with paths of the flow, and the loss along those on D."""
    landscape = data["landscape"]
    figure, (top, balanced, along) = style.new_figure(2, 2.5, 1, 3)
    balanced.sharey(top)
    balanced.tick_params(labelleft=False)
    style.arrange(figure, wspace=0.04)
    filled = _contours(top, landscape, landscape.loss)
    _contours(balanced, landscape, landscape.balanced_loss)
    bar = figure.colorbar(filled, ax=balanced, ticks=[0, 0.35, 0.7, 1.05, 1.4], pad=0.03)
    bar.set_label("loss (nat)", labelpad=2)
    balanced.plot(landscape.beta, landscape.separatrix, ":", color="white", linewidth=1.2)
    for path in landscape.path.values:
        dashes, number = DASHES[path % len(DASHES)], str(path + 1)
        walk = landscape.sel(path=path)
        _path(top, walk.path_beta.values, walk.path_w.values, number)
        _path(balanced, walk.balanced_path_beta.values, walk.balanced_path_w.values, number)
        along.plot(walk.time[1:], walk.path_loss[1:], dashes, color=style.FIT, lw=1.2, label=number)
    top.set_ylabel("value strength $w$ (logit)")
    along.axhline(np.log(2), color=style.NEUTRAL, linewidth=0.8, linestyle="--", zorder=0)
    along.set_xscale("log")
    fastest = np.nanmin(landscape.acquisition_time)
    along.set_xlim(fastest / 20, float(landscape.time[-1]))
    along.set_ylim(0, 0.8)
    along.set_xlabel("time (rate × step)")
    along.set_ylabel("loss on $D$ (nat)")
    along.legend(loc="lower left", handlelength=2)
    style.head((top, balanced, along), ("flow on $D$", "flow on $D'$", "loss along a"))
    return figure


def _contours(ax: Axes, landscape: xr.Dataset, loss: xr.DataArray) -> ContourSet:
    """Fill the levels of a loss and draw the one of a coin's toss."""
    # Cut at the loss of a coin's toss twice over: the corner beyond would take the scale.
    levels = np.linspace(0, 2 * np.log(2), N_LEVELS)
    beta, w = landscape.beta, landscape.w
    filled = ax.contourf(beta, w, loss, levels, cmap="cividis", extend="max")
    filled.set_edgecolor("face")
    ax.contour(beta, w, loss, [np.log(2)], colors="white", linewidths=0.8, linestyles="--")
    ax.set(xlim=beta.values[[0, -1]], ylim=w.values[[0, -1]], xlabel="query-key strength $\\beta$")
    return filled


def _path(ax: Axes, beta: np.ndarray, w: np.ndarray, number: str) -> None:
    """Draw a path from its start, numbered, with an arrowhead on the part in view."""
    outline = [Stroke(linewidth=2.8, foreground="white"), Normal()]
    ax.plot(beta, w, color=style.FIT, linewidth=1.2, path_effects=outline)
    ax.plot(beta[0], w[0], "o", color="white", markersize=9, mec=style.FIT, mew=0.8, zorder=4)
    ax.text(beta[0], w[0], number, ha="center", va="center_baseline", zorder=5)
    if np.ptp(beta) == 0:  # it stays at the saddle
        return
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    inside = (left <= beta) & (beta <= right) & (bottom <= w) & (w <= top)
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(beta), np.diff(w)))])
    half = int(np.searchsorted(length, length[inside][-1] * 0.6))
    ax.annotate(
        "",
        (beta[half], w[half]),
        xytext=(beta[half - 1], w[half - 1]),
        arrowprops={"arrowstyle": "-|>", "color": style.FIT, "mutation_scale": 11},
    )
