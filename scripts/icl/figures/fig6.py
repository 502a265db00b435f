"""Figure 6: K* and t_ICL against N, bimodality, the losses' relation, and failure on D'.

Panel f is beyond the paper: the fraction of minimal models that acquires, with nothing fitted.
"""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from icl import text
from icl.figures import annotations, fig6c, fig6d, panels, style, times
from icl.measurements.base import joined
from icl.verdicts import Verdict

LAYOUT = (("a", "b", "i"), ("a", "b", "c"), ("d", "e", "f"))
PREDICTION = style.PALETTE[2]


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_mosaic(LAYOUT, 2, 6.2, height_ratios=(1, 1, 2.1))
    _thresholds(axes["a"], verdicts["threshold_exponent"])
    linear = verdicts["linear_ticl"]
    times.against_length(axes["b"], data["acquisition"], linear.details, linear.options)
    style.measured(
        axes["b"],
        f"exponent {text.estimate_text(linear.estimate('exponent'), 3)}\n"
        f"$R^2$ of the line {text.estimate_text(linear.estimate('r_squared'), 3)}",
    )
    fig6c.draw_panel(axes["i"], axes["c"], data, verdicts["bimodality"])
    fig6d.draw_panel(axes["d"], data, verdicts)
    _fractions(axes["e"], verdicts["balanced_failure"])
    _prediction(axes["f"], verdicts["minimal_model"])
    for name, letter in zip("abidef", "abcdef", strict=True):
        style.panel_label(axes[name], letter)
    names = {
        "b": "acquisition",
        "c": "bimodality",
        "d": "loss",
        "e": "balanced",
    }
    shown = {"a": joined(data, "thresholds", "transition")}
    shown |= {letter: data[name] for letter, name in names.items()}
    apart = {
        "a, squares, with b": joined(data, "memorisation", "capacity"),
        "f, minimal model": data["minimal_transition"],
    }
    setting = annotations.settings(shown, 2, apart)
    style.footer(figure, setting, annotations.gap(data.values(), 2))
    return figure


def _thresholds(ax: Axes, verdict: Verdict) -> None:
    """Draw K* against N, the fitted and the predicted slope, and K* with no fitted constant."""
    details = verdict.details
    rows = [row for row in details.get("by_length", ()) if np.isfinite(row["threshold"])]
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("context length $N$")
    ax.set_ylabel("threshold $K^*$ (items)")
    if not rows:
        style.measured(ax, "no threshold fitted")
        return
    predicted = [row for row in details["predicted_thresholds"] if np.isfinite(row["threshold"])]
    _points(ax, rows, "o", style.ICL, "measured $K^*$")
    lengths = [row["context_length"] for row in rows + predicted]
    x = np.geomspace(min(lengths) / 1.2, max(lengths) * 1.2, 50)
    ax.set_xlim(x[0], x[-1])
    panels.slopes(ax, x, details, "fitted slope:", r"predicted slope $1/\nu$:")
    if predicted:
        label = r"$t_{\mathrm{ICL}}=I_{K^*}(\infty)$, nothing fitted"
        _points(ax, predicted, "s", PREDICTION, label)
    ax.xaxis.set_major_locator(FixedLocator(sorted(set(lengths))))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    ax.xaxis.set_minor_formatter(lambda *_: "")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.5)  # room for the legend
    ax.legend(loc="upper left", borderaxespad=0.1)
    style.measured(
        ax,
        f"exponent {text.estimate_text(verdict.estimate('exponent'), 3)}\n"
        f"less $1/\\nu$: {text.estimate_text(verdict.estimate('difference'), 2)}",
    )


def _points(ax: Axes, rows: list[dict[str, Any]], marker: str, colour: str, label: str) -> None:
    """Draw K* at each N with its interval."""
    x, y = (np.array([row[key] for row in rows]) for key in ("context_length", "threshold"))
    ends, fill = [row["interval"] for row in rows], colour if marker == "o" else "w"
    look = {"ms": 4, "capsize": 2.5, "lw": 1, "color": colour, "mfc": fill, "zorder": 4}
    panels.with_intervals(ax, x, y, ends, fmt=marker, label=label, **look)


def _fractions(ax: Axes, verdict: Verdict) -> None:
    """Draw the fraction that acquires against K, on D and on D'."""
    details = verdict.details
    kinds = (("unbalanced", "$D$", "o", style.ICL), ("balanced", "$D'$", "s", style.IWL))
    values = []
    for name, label, marker, colour in kinds:
        rows = details.get(name, ())
        values += [row["n_items"] for row in rows]
        shift = 1.02 if name == "balanced" else 1 / 1.02
        _fraction_line(ax, rows, "fraction", "interval", marker, colour, label, shift)
    _fraction_axis(ax, values)
    judged = details.get("n_items")
    at = "" if judged is None else f" at $K$ = {text.count_text(judged)}"
    style.measured(ax, f"$D'$ less $D${at}\n{text.estimate_text(verdict.estimate('difference'))}")


def _prediction(ax: Axes, verdict: Verdict) -> None:
    """Draw the fraction of minimal models that acquires, measured and predicted seed by seed."""
    found = verdict.details.get("prediction")
    if found is None:
        _fraction_axis(ax, [])
        style.measured(ax, "minimal model: nothing predicted")
        return
    rows = found["by_items"]
    _fraction_line(ax, rows, "measured", "measured_interval", "o", style.ICL, "measured")
    x, y = ([row[key] for row in rows] for key in ("n_items", "predicted"))
    label = r"$P(t_{\mathrm{ICL}}<I_K(\infty))$"
    ax.plot(x, y, "s--", ms=4, mfc="w", lw=1, color=PREDICTION, label=label)
    _fraction_axis(ax, x)
    style.measured(
        ax,
        f"minimal model, $N$ = {found['context_length']}, nothing fitted\n"
        f"{found['agreement']:.0%} of {found['runs']} runs as predicted",
    )


def _fraction_line(
    ax: Axes,
    rows: list[dict[str, Any]],
    value: str,
    interval: str,
    marker: str,
    colour: str,
    label: str,
    shift: float = 1.0,
) -> None:
    if not rows:
        return
    x, y = (np.array([row[key] for row in rows]) for key in ("n_items", value))
    look = {"ms": 4, "lw": 1, "elinewidth": 0.7, "capsize": 2, "color": colour, "label": label}
    ends = [row[interval] for row in rows]
    panels.with_intervals(ax, x * shift, y, ends, fmt=marker + "-", **look)


def _fraction_axis(ax: Axes, values: list[float]) -> None:
    if len(values):
        panels.items_axis(ax, np.asarray(values, dtype=float))
        ax.legend(loc="best")
    ax.set_ylim(-0.04, 1.04)
    ax.set_ylabel("fraction of seeds acquiring ICL")
