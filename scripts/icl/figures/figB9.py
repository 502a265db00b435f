"""Which runs acquire ICL on data of many kinds, and what foretells it."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, style
from icl.verdicts import Verdict

# A kind of data: how its cells are told, and what they look like.
KINDS = {
    "plain": (lambda cell: True, "o", style.ICL),
    "copies": (lambda cell: cell["copies"] > 1, "^", style.PREDICTION),
    "label noise": (lambda cell: cell["label_noise"] > 0, "s", style.IWL),
    "skewed": (lambda cell: cell["zipf_exponent"] > 0, "D", style.FIT),
    "D'": (lambda cell: cell["context_labels"] == "balanced", "v", style.NEUTRAL),
}
SCORES = {
    "constant_score": "a constant",
    "diversity_score": "K alone",
    "race_score": "the race",
    "scaled_score": "the race, scaled",
}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_mosaic(["aab"], 2, 2.5)
    verdict = verdicts["any_data"]
    _cells(axes["a"], verdict)
    _scores(axes["b"], verdict)
    style.panel(axes["a"], "a", "each dot is one kind of data, $N$ and $K$")
    style.panel(axes["b"], "b", "who foretells best")
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _kind(cell: dict) -> str:
    """Return the last kind that a cell is of: every cell is plain besides."""
    return [name for name, (is_of, *_) in KINDS.items() if is_of(cell)][-1]


def _cells(ax: Axes, verdict: Verdict) -> None:
    """Draw the fraction of runs that acquire ICL in each cell against I_K over t_ICL."""
    ax.set_xscale("log")
    ax.set_xlabel(r"$I_K(\infty)\,/\,t_{\mathrm{ICL}}(K=\infty)$, geometric means")
    ax.set_ylabel("runs that acquire ICL")
    ax.set_ylim(-0.05, 1.05)
    if not (cells := verdict.details.get("cells", [])):
        style.unmeasured(ax)
        return
    for name, (_, marker, color) in KINDS.items():
        own = [cell for cell in cells if _kind(cell) == name]
        ratio, fraction = ([cell[key] for cell in own] for key in ("ratio", "acquired"))
        ax.plot(ratio, fraction, marker, ms=4, alpha=0.8, color=color, label=name)
    ax.axvline(1, ls="--", lw=1, color=style.FIT)
    style.label(ax, "the race", (1, 0.02), style.FIT, (3, 0))
    ax.legend(loc="lower right")
    style.plain_log(ax.xaxis)


def _scores(ax: Axes, verdict: Verdict) -> None:
    """Draw Brier's scores with their intervals."""
    ax.set_xlabel("Brier's score")
    found = [verdict.estimate(name) for name in SCORES]
    if not all(np.isfinite(e.value) for e in found):
        style.unmeasured(ax)
        return
    y = np.arange(len(found))[::-1]
    values = np.array([e.value for e in found])
    reach = np.abs([(e.low, e.high) for e in found] - values[:, None]).T
    ax.errorbar(values, y, xerr=reach, fmt="o", ms=4, lw=1, capsize=2, color=style.ICL)
    ax.set_yticks(y, SCORES.values())
    ax.set_ylim(-0.6, len(found) - 0.4)
    ax.set_xlim(left=0)
