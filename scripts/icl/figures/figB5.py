"""The start or the data: t_ICL, and the fate near K*, of seeds that start from the same weights."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binom

from icl import text
from icl.figures import annotations, style
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_mosaic(["abc"], 2, 2.3)
    verdict = verdicts["start_decides"]
    _times(axes["a"], verdict.details)
    _beta0(axes["b"], verdict)
    _fates(axes["c"], verdict.details)
    style.panel(axes["a"], "a", "each column is one start")
    style.panel(axes["b"], "b", "mean over its seeds")
    style.panel(axes["c"], "c", "near $K^*$")
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _lacks(ax: Axes, details: dict, *names: str) -> bool:
    """Tell whether something was not measured, and say so in the panel."""
    if lacking := any(name not in details for name in names):
        style.unmeasured(ax)
    return lacking


def _times(ax: Axes, details: dict) -> None:
    """Draw t_ICL of each seed, the starts in the order of their means."""
    ax.set_yscale("log")
    ax.set_xlabel("starts, in order of their mean")
    ax.set_ylabel(r"$t_{\mathrm{ICL}}$ at $K=\infty$")
    if _lacks(ax, details, "log_t_icl"):
        return
    log_t = np.asarray(details["log_t_icl"])
    log_t = log_t[np.argsort(log_t.mean(axis=1))]
    rank = np.arange(1, len(log_t) + 1)
    ax.plot(rank, np.exp(log_t), "o", ms=2, alpha=0.6, color=style.ICL)
    ax.plot(rank, np.exp(log_t.mean(axis=1)), "-", lw=1, color=style.FIT)
    style.plain_log(ax.yaxis)


def _beta0(ax: Axes, verdict: Verdict) -> None:
    """Draw the mean of each start against its beta0, and the fitted slope."""
    ax.set_yscale("log")
    ax.set_xlabel(r"$\beta_0$ of the start")
    ax.set_ylabel(r"mean $t_{\mathrm{ICL}}$")
    if _lacks(ax, verdict.details, "log_t_icl", "beta0"):
        return
    beta0 = np.asarray(verdict.details["beta0"])
    mean = np.asarray(verdict.details["log_t_icl"]).mean(axis=1)
    ax.plot(beta0, np.exp(mean), "o", ms=2.5, alpha=0.7, color=style.ICL)
    slope = verdict.estimate("beta0_slope").value
    line = np.array([beta0.min(), beta0.max()])
    label = f"slope {text.digits_text(slope, 3)}"
    fitted = np.exp(mean.mean() + slope * (line - beta0.mean()))
    ax.plot(line, fitted, "-", lw=1, color=style.FIT, label=label)
    ax.legend(loc="upper right")
    style.plain_log(ax.yaxis)


def _fates(ax: Axes, details: dict) -> None:
    """Draw how many seeds of a start acquire ICL, beside what data alone would make of them."""
    ax.set_xlabel("seeds with ICL, of 3")
    ax.set_ylabel("starts")
    if _lacks(ax, details, "acquired"):
        return
    acquired = np.asarray(details["acquired"])
    starts, seeds = acquired.shape
    counts = np.arange(seeds + 1)
    seen = np.bincount(acquired.sum(axis=1).astype(int), minlength=seeds + 1)
    ax.bar(counts, seen, 0.6, color=style.ICL, label="seen")
    alone = starts * binom.pmf(counts, seeds, acquired.mean())
    ax.plot(counts, alone, "s", ms=4, color=style.PREDICTION, label="by chance")
    ax.set_xticks(counts)
    ax.set_ylim(0, 1.35 * max(seen.max(), alone.max()))
    ax.legend(loc="upper center")
