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
    figure, axes, shown = style.new_grid(3, 3, 2.6, 0.5)
    _transformer(shown[0], verdicts["long_tail"])
    _minimal(shown[1], verdicts["exponential_beta0"])
    _parts(shown[2], verdicts["order_parameters"])
    for ax, letter in zip(axes.ravel(), "abc", strict=True):
        style.panel_label(ax, letter)
    style.footer(
        figure, annotations.setting(data["initial_beta"], 2), annotations.gap(data.values(), 2)
    )
    return figure


def _times(ax: Axes, details: dict) -> np.ndarray | None:
    """Draw t_ICL against beta0; return beta0, or nothing if there is none."""
    ax.set_yscale("log")
    ax.set_xlabel(r"initial $\beta_0$ of the seed")
    ax.set_ylabel(r"$t_{\mathrm{ICL}}$ at $K=\infty$ (theory time)")
    if "log_t_icl" not in details:
        style.measured(ax, "not measured")
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
        (found.value, "-", style.FIT, "fit"),
        (-1.0, "--", style.ALTERNATIVE_FIT, r"$e^{-\beta_0}$, eq. 35"),
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
    explained = verdict.estimate("beta0_r2")
    style.measured(
        ax,
        f"slope {text.estimate_text(found, 3)}\n"
        f"explains {text.digits_text(explained.value, 2)} of the variance",
    )


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
    style.measured(
        ax,
        f"slope {text.estimate_text(verdict.estimate('trained_slope'), 3)}\n"
        f"less the flow's: {text.estimate_text(verdict.estimate('trained_less_flow'), 2)}",
    )


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
