"""What one number decides: t_ICL against a seed's own beta0, and ICL with beta alone."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, style
from icl.verdicts import Verdict

PARTS = {
    "icl": "as trained",
    "icl_of_beta": r"$K^TQ$: $\beta$ alone",
    "icl_of_label": "$V$: answer to the label",
    "icl_of_both": "both",
    "icl_without_beta": r"$K^TQ$ without $\beta$",
    "icl_of_w": "$V$: $w$ on labels (eq. 2)",
}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, (top, below) = style.new_rows(2, (2.5, 1.6))
    axes = {**top.subplot_mosaic("ab"), "c": below.subplots()}
    _transformer(axes["a"], verdicts["long_tail"])
    _minimal(axes["b"], verdicts["exponential_beta0"])
    _parts(axes["c"], verdicts["order_parameters"])
    style.panel(axes["a"], "a", "transformer")
    style.panel(axes["b"], "b", "minimal model")
    style.panel(axes["c"], "c", "transformer, a part in the place of the whole")
    style.mark_gap(below, annotations.gap(data.values(), 2))
    return figure


def _times(ax: Axes, details: dict) -> np.ndarray | None:
    """Draw t_ICL against beta0; return beta0, or nothing if there is none."""
    ax.set_yscale("log")
    ax.set_xlabel(r"initial $\beta_0$ of the seed")
    ax.set_ylabel(r"$t_{\mathrm{ICL}}$ at $K=\infty$")
    if "log_t_icl" not in details:
        style.unmeasured(ax)
        return None
    beta0 = np.asarray(details["beta0"])
    ax.plot(beta0, np.exp(details["log_t_icl"]), "o", ms=2, alpha=0.5, color=style.ICL)
    style.plain_log(ax.yaxis)
    return beta0


def _transformer(ax: Axes, verdict: Verdict) -> None:
    """Draw the transformer's t_ICL at its largest N, the fitted slope and the theory's."""
    beta0 = _times(ax, verdict.details)
    if beta0 is None:
        return
    log_t, found = np.asarray(verdict.details["log_t_icl"]), verdict.estimate("beta0_slope")
    line = np.linspace(beta0.min(), beta0.max(), 2)
    for slope, style_, colour, name in (
        (found.value, "-", style.FIT, f"fit: {text.digits_text(found.value, 3)}"),
        (-1.0, "--", style.ALTERNATIVE_FIT, "eq. 35: −1"),
    ):
        ax.plot(
            line,
            np.exp(log_t.mean() + slope * (line - beta0.mean())),
            style_,
            color=colour,
            lw=1,
            label=name,
        )
    ax.legend(loc="upper right")


def _minimal(ax: Axes, verdict: Verdict) -> None:
    """Draw the minimal model's t_ICL beside that of the integrated flow."""
    details = verdict.details
    beta0 = _times(ax, details)
    if beta0 is None:
        return
    order = np.argsort(beta0)
    flow = np.exp(np.asarray(details["log_flow"]))[order]
    ax.plot(beta0[order], flow, "-", color=style.FIT, lw=1, label="flow, eq. 5")
    ax.legend(loc="upper right")


def _parts(ax: Axes, verdict: Verdict) -> None:
    """Draw ICL accuracy with parts of the attention in the place of the whole."""
    names = list(PARTS)
    places = np.arange(len(names))[::-1]
    for place, name in zip(places, names, strict=True):
        found = verdict.estimate(name)
        ax.plot([found.low, found.high], [place, place], "-", lw=1.2, color=style.ICL)
        ax.plot(found.value, place, "o", ms=4, color=style.ICL)
    ax.axvline(0.5, color=style.NEUTRAL, lw=0.7, ls=":")
    ax.set_yticks(places, PARTS.values())
    ax.set_xlim(0.45, 1.03)
    ax.set_xlabel("ICL accuracy")
