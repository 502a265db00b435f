"""What the weights at the start foretell of t_ICL, by the chain."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_mosaic(["ab", "cd"], 2, 4.4)
    foretold = verdicts["start_foretells"]
    _seeds(axes["a"], foretold)
    _lengths(axes["b"], foretold)
    _slopes(axes["c"], verdicts["chain_follows_beta"])
    _outcomes(axes["d"], verdicts["chain_foretells_outcome"])
    style.panel(axes["a"], "a", "each start, other data")
    style.panel(axes["b"], "b", "mean over starts")
    style.panel(axes["c"], "c", r"where $\beta$ is moved")
    style.panel(axes["d"], "d", "near $K^*$")
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _rows(ax: Axes, verdict: Verdict) -> list[dict]:
    """Return what was measured at each N; say so in the panel if nothing was."""
    if not (rows := verdict.details.get("by_length", [])):
        style.unmeasured(ax)
    return rows


def _seeds(ax: Axes, verdict: Verdict) -> None:
    """Draw t_ICL of each transformer against that of the chain with its start and other data."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(r"$t_{\mathrm{ICL}}$ of the chain")
    ax.set_ylabel(r"$t_{\mathrm{ICL}}$ of the transformer")
    if not (rows := _rows(ax, verdict)):
        return
    for row, shade in zip(rows, style.sequence_colours(len(rows)), strict=True):
        x = np.exp(np.asarray(row["foretold"])[:, ::-1])
        y = np.exp(np.asarray(row["log_t_icl"]))
        words = f"{row['N']}: {text.digits_text(row['explained'])}"
        ax.plot(x.ravel(), y.ravel(), "o", ms=1.8, mew=0, color=shade, label=words)
    ends = np.array(ax.get_xlim())
    ax.plot(ends, ends, "--", lw=1, color=style.FIT, scalex=False, scaley=False)
    ax.set_ylim(top=3 * ax.get_ylim()[1])
    ax.legend(loc="upper left", title="$N$, $R^2$", markerscale=2, alignment="left")


def _along_n(ax: Axes) -> None:
    """Put N along the axis, in its doublings."""
    ax.set_xscale("log", base=2)
    ax.set_xlabel("context length $N$")
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _lengths(ax: Axes, verdict: Verdict) -> None:
    """Draw geometric mean t_ICL against N: transformers, chains, and a law linear in N."""
    _along_n(ax)
    ax.set_yscale("log")
    ax.set_ylabel(r"$t_{\mathrm{ICL}}$ at $K=\infty$")
    rows = _rows(ax, verdict)
    if not rows:
        return
    n = np.array([row["N"] for row in rows])
    own, foretold = (
        np.exp([np.mean(row[name]) for row in rows]) for name in ("log_t_icl", "foretold")
    )
    ax.plot(n, own, "o", ms=4, color=style.ICL, label="transformer")
    ax.plot(n, foretold, "-", lw=1, color=style.PREDICTION, label="chain")
    ax.plot(n, own[0] * n / n[0], ":", lw=1, color=style.NEUTRAL, label="linear in $N$")
    ax.legend(loc="upper left")
    style.plain_log(ax.yaxis)


def _slopes(ax: Axes, verdict: Verdict) -> None:
    """Draw the slope of log t_ICL on beta0 against N, of transformers and of chains."""
    _along_n(ax)
    ax.set_ylabel(r"slope of $\ln\,t_{\mathrm{ICL}}$ on $\beta_0$")
    rows = _rows(ax, verdict)
    if not rows:
        return
    n = np.array([row["N"] for row in rows])
    for name, interval, shift, color in (
        ("slope", "interval", 0.97, style.ICL),
        ("foretold", "foretold_interval", 1.03, style.PREDICTION),
    ):
        values = np.array([row[name] for row in rows])
        ends = [row[interval] for row in rows]
        panels.with_intervals(
            ax, shift * n, values, ends, fmt="o", ms=3.5, lw=1, capsize=2, color=color
        )
    ax.axhline(-1, ls=":", lw=1, color=style.NEUTRAL)
    style.label(ax, "theory", (n[-1], -1), style.NEUTRAL, (0, 3), ha="right", va="bottom")


def _outcomes(ax: Axes, verdict: Verdict) -> None:
    """Draw the share of runs near K* that acquires ICL, by quarters of t_ICL of the chain."""
    ax.set_xlabel(r"$t_{\mathrm{ICL}}$ of the chain, by quarters")
    ax.set_ylabel("share with ICL")
    if not (rows := verdict.details.get("quarters", [])):
        style.unmeasured(ax)
        return
    x, share, ends = panels.columns(rows, "t_icl", "share", "interval")
    panels.with_intervals(ax, x, share, ends, fmt="o", ms=4, lw=1, capsize=2, color=style.ICL)
    ax.set_ylim(0, 1)
