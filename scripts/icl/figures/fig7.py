"""Figure 7, beyond the paper: items of Zipf's ranks, from I_K(inf) to the transition."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements import skewed
from icl.verdicts import Verdict

ALPHA = r"skew of the items, $\alpha$"
T_ICL = r"$t_{\mathrm{ICL}}$ at $K=\infty$"
DODGE = 0.03  # between neighbouring K, so that equal fractions stay apart
FRACTION = "fraction of seeds with ICL"


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure; a K has one marker and one colour in all panels."""
    found = skewed.cells(data["memorisation"], data["transition"])
    length = int(data["transition"]["context_length"].values[0])
    linear = verdicts["linear_ticl"]
    t_icl, ends = _t_icl(linear, length)
    figure, axes = style.new_figure(2, 2.7, 1, 3)
    values = sorted({cell.n_items for cell in found})
    for place, (n_items, colour) in enumerate(
        zip(values, style.sequence_colours(len(values)), strict=True)
    ):
        marker = style.MARKERS[place % len(style.MARKERS)]
        look = {"fmt": f"{marker}-", "color": colour}
        own = [cell for cell in found if cell.n_items == n_items]
        _memorisation(axes[0], [cell for cell in own if len(cell.i_infinity)], look)
        run = [cell for cell in own if len(cell.acquired)]
        _fractions(axes[1], [(cell.exponent + DODGE * place, cell) for cell in run], look, linear)
        both = [(cell.mean_integral / t_icl, cell) for cell in run if len(cell.i_infinity)]
        _fractions(axes[2], sorted(both, key=lambda pair: pair[0]), {**look, "fmt": marker}, linear)
    if np.isfinite(t_icl):
        axes[0].axhspan(*ends, color="0.88", lw=0, zorder=0)
        axes[0].axhline(t_icl, color=style.ICL, lw=1, ls="--", zorder=1)
        style.label(axes[0], T_ICL, (1, ends[1]), style.ICL, (0, 6), **panels.AT_RIGHT)
    axes[0].set_yscale("log")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(low / 1.3, high * 1.25)  # room for words
    style.plain_log(axes[0].yaxis)
    axes[0].set_ylabel("time to memorise")
    for ax in axes[:2]:
        ax.set_xlabel(ALPHA)
        ax.set_xticks(sorted({cell.exponent for cell in found}))
        ax.margins(x=0.12)
    axes[1].set_ylabel(FRACTION)
    axes[2].axvline(1, color=style.NEUTRAL, lw=0.8, ls=":", zorder=0)
    axes[2].set_xscale("log")
    style.plain_log(axes[2].xaxis)
    axes[2].set_xlabel(r"$I_K(\infty)\,/\,t_{\mathrm{ICL}}$")
    axes[2].tick_params(labelleft=False)
    style.label(axes[2], "eq. 12", (1, 0), style.NEUTRAL, (-3, 0), ha="right")
    for ax in axes[1:]:
        ax.set_ylim(-0.05, 1.05)
    subjects = (r"$I_K(\infty)$ against $t_{\mathrm{ICL}}$", "the outcome", "outcome and ratio")
    style.head(axes, subjects)
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _t_icl(verdict: Verdict, length: int) -> tuple[float, list[float]]:
    """Return the median t_ICL at K = infinity and this N, with its interval; NaN if unmeasured."""
    for row in verdict.details.get("by_length", []):
        if row["context_length"] == length:
            return row["median"], row["interval"]
    return np.nan, [np.nan, np.nan]


def _memorisation(ax: Axes, own: list[skewed.Cell], look: dict) -> None:
    """Draw I_K(inf) at one K against alpha; bars upwards bound what the records leave out."""
    if not own:
        return
    alpha = np.array([cell.exponent for cell in own])
    middle = np.array([cell.mean_integral for cell in own])
    bound = np.array([np.median(cell.tail) for cell in own])
    known = np.isfinite(bound)
    bars = np.stack([np.zeros(known.sum()), bound[known]])
    ax.errorbar(alpha[known], middle[known], bars, fmt="none", elinewidth=0.8, ecolor=look["color"])
    ax.plot(alpha, middle, look["fmt"], ms=4, lw=1, color=look["color"])
    for x, y in zip(alpha[~known], middle[~known], strict=True):
        arrow = {"arrowstyle": "->", "color": look["color"], "lw": 0.8}
        ax.annotate("", (x, y * 1.25), (x, y), arrowprops=arrow)
    words = f"$K$ = {text.count_text(own[0].n_items)}"
    here, below = (alpha[-1], middle[-1]), {"ha": "right", "va": "top"}
    style.label(ax, words, here, look["color"], (4, -5), **below)


def _fractions(
    ax: Axes, cells: list[tuple[float, skewed.Cell]], look: dict, verdict: Verdict
) -> None:
    """Draw the fraction that acquires ICL at each x, with its binomial interval."""
    level = verdict.options["confidence"]
    rows = [{"value": cell.fraction, "interval": cell.interval(level)} for _, cell in cells]
    if rows:
        panels.fractions(ax, np.array([x for x, _ in cells]), rows, "value", "interval", **look)
