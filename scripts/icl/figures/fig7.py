"""Figure 7, beyond the paper: items of Zipf's ranks, from I_K(inf) to the transition."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, style
from icl.measurements import skewed
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    found = skewed.cells(data["memorisation"], data["transition"])
    length = int(data["transition"]["context_length"].values[0])
    t_icl, ends = _t_icl(verdicts["linear_ticl"], length)
    figure, axes = style.new_figure(2, 3.3, 1, 3)
    alphas = sorted({cell.exponent for cell in found})
    colours = dict(zip(alphas, style.sequence_colours(len(alphas)), strict=True))
    _memorisation(axes[0], found)
    _transitions(axes[1], found, colours, t_icl)
    _criterion(axes[2], found, colours, t_icl)
    if np.isfinite(t_icl):
        label = f"$t_{{\\mathrm{{ICL}}}}$, $K=\\infty$: {text.digits_text(t_icl, 3)}"
        axes[0].axhspan(*ends, color="0.88", lw=0, zorder=0)
        axes[0].axhline(t_icl, color=style.ICL, lw=1, ls="--", label=label)
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low, high * (high / low) ** 0.6)  # room for the legend
    axes[0].legend(loc="upper left", ncols=2, columnspacing=1, handlelength=1.4)
    style.plain_log(axes[0].yaxis)
    for ax, letter in zip(axes, "abc", strict=True):
        style.panel_label(ax, letter)
    shown = {"b, c": data["transition"], "t_ICL at K = ∞": data["acquisition"]}
    style.footer(figure, annotations.settings(shown, 2), annotations.gap(data.values(), 2))
    return figure


def _t_icl(verdict: Verdict, length: int) -> tuple[float, list[float]]:
    """Return the median t_ICL at K = infinity and this N, with its interval; NaN if unmeasured."""
    for row in verdict.details.get("by_length", []):
        if row["context_length"] == length:
            return row["median"], row["interval"]
    return np.nan, [np.nan, np.nan]


def _memorisation(ax: Axes, found: list[skewed.Cell]) -> None:
    """Draw I_K(inf) against alpha, a line for each K; bars upwards bound what records leave out."""
    measured = [cell for cell in found if len(cell.i_infinity)]
    values = sorted({cell.n_items for cell in measured})
    for marker, value in zip("osD^vP*X" * len(values), values, strict=False):
        own = [cell for cell in measured if cell.n_items == value]
        alpha = np.array([cell.exponent for cell in own])
        middle = np.array([cell.mean_integral for cell in own])
        bound = np.array([np.median(cell.tail) for cell in own])
        known = np.isfinite(bound)
        bar = np.stack([np.zeros(known.sum()), bound[known]])
        ax.errorbar(
            alpha[known], middle[known], bar, fmt="none", elinewidth=0.7, ecolor=style.NEUTRAL
        )
        label = f"$K$ = {text.count_text(value)}"
        ax.plot(alpha, middle, f"{marker}-", ms=3.5, color=style.IWL, label=label)
        for x, y in zip(alpha[~known], middle[~known], strict=True):
            arrow = {"arrowstyle": "->", "color": style.IWL, "lw": 0.8}
            ax.annotate("", (x, y * 1.25), (x, y), arrowprops=arrow)
    ax.set_yscale("log")
    ax.set_xlabel(r"Zipf exponent $\alpha$")
    ax.set_ylabel(r"$I_K(\infty)$ (learning rate × step)")


def _transitions(
    ax: Axes, found: list[skewed.Cell], colours: dict[float, str], t_icl: float
) -> None:
    """Draw the fraction acquired against K for each alpha; K*, measured and predicted, above."""
    lines = []
    for i, (alpha, colour) in enumerate(colours.items()):
        own = [cell for cell in found if cell.exponent == alpha]
        shown = [cell for cell in own if len(cell.acquired)]
        if not shown:
            continue
        items = [cell.n_items * 1.03**i for cell in shown]  # equal fractions stay visible
        fractions, label = [cell.fraction for cell in shown], rf"$\alpha$ = {alpha:g}"
        ax.plot(items, fractions, "o-", ms=3.5, color=colour, label=label)
        measured, _ = skewed.threshold(own)
        predicted = skewed.predicted_threshold(own, t_icl)
        lines.append(rf"$\alpha$ = {alpha:g}: {_within(measured)}; {_within(predicted)}")
    ax.set_xscale("log")
    ax.set_ylim(-0.04, 1.04)
    style.plain_log(ax.xaxis)
    ax.set_xlabel("number of items $K$")
    ax.set_ylabel("fraction that acquires ICL")
    ax.legend(loc="lower right")
    style.measured(ax, "\n".join(["$K^*$: measured; $I_K(\\infty)=t_{\\mathrm{ICL}}$", *lines]))


def _within(threshold: float) -> str:
    """Write a threshold, or where it lies if not within the grid of K."""
    if threshold == 0:
        return "below the grid"
    if np.isinf(threshold):
        return "above the grid"
    return "none" if np.isnan(threshold) else text.digits_text(threshold)


def _criterion(ax: Axes, found: list[skewed.Cell], colours: dict[float, str], t_icl: float) -> None:
    """Draw the fraction acquired against I_K(inf)/t_ICL: by equation 12 it rises at 1."""
    both = [cell for cell in found if len(cell.i_infinity) and len(cell.acquired)]
    for cell in both:
        ratio, colour = cell.mean_integral / t_icl, colours[cell.exponent]
        ax.plot(ratio, cell.fraction, "o", ms=4, mew=0, alpha=0.85, color=colour)
    ax.axvline(1, color=style.FIT, lw=0.8, ls=":", label="eq. 12")
    ax.set_xscale("log")
    ax.set_ylim(-0.04, 1.04)
    style.plain_log(ax.xaxis)
    ax.set_xlabel(r"$I_K(\infty)\,/\,t_{\mathrm{ICL}}$")
    ax.set_ylabel("fraction that acquires ICL")
    ax.margins(x=0.12)
    ax.legend(loc="upper left")
    right = skewed.on_predicted_side(both, t_icl)
    told = f"{right} of {len(both)}" if np.isfinite(t_icl) and both else "none"
    style.measured(ax, f"cells on eq. 12's side:\n{told}")
