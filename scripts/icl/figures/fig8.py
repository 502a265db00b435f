"""Figure 8, beyond the paper: t_ICL at finite K over that at K = infinity, in two models.

In the theory finite K can only delay ICL, for c1 is at most 1/2: a ratio below 1 is where the
independence of memorisation and ICL ends.
"""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements.base import joined
from icl.verdicts import Verdict

MODELS = (
    ("threshold_exponent", "one-layer transformer"),
    ("minimal_model", "minimal model"),
)


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    figure, axes = style.new_figure(2, 3.0, 1, 2, sharey=True)
    for ax, (claim, title), letter in zip(axes, MODELS, "ab", strict=True):
        verdict = verdicts[claim]
        _ratios(ax, verdict.details.get("finite_over_infinite", ()))
        where = verdict.estimate("finite_over_infinite").unit
        quoted = text.estimate_text(verdict.estimate("finite_over_infinite"))
        style.measured(ax, f"{title}\n{quoted} {where}")
        style.panel_label(ax, letter)
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(min(0, low), max(1.2, high))
    axes[0].set_ylabel(
        r"median $t_{\mathrm{ICL}}(K)$" "\n" r"over median $t_{\mathrm{ICL}}(\infty)$"
    )
    shown = {"a": joined(data, "thresholds", "transition"), "b": data["minimal_transition"]}
    shown |= {"a, K = ∞": data["acquisition"], "b, K = ∞": data["minimal_acquisition"]}
    style.footer(figure, annotations.settings(shown, 2), annotations.gap(data.values(), 2))
    return figure


def _ratios(ax: Axes, rows: list[dict[str, Any]]) -> None:
    known = [row for row in rows if np.isfinite(row["ratio"])]
    lengths = sorted({row["context_length"] for row in known})
    for colour, length in zip(style.sequence_colours(len(lengths)), lengths, strict=True):
        own = [row for row in known if row["context_length"] == length]
        x, y = (np.array([row[key] for row in own]) for key in ("n_items", "ratio"))
        look = {"fmt": "o-", "ms": 3.5, "lw": 1, "capsize": 2, "color": colour}
        ends = [row["interval"] for row in own]
        panels.with_intervals(ax, x, y, ends, label=f"$N$ = {length}", **look)
    ax.axhline(1, color=style.NEUTRAL, lw=0.7, ls=":")
    if known:
        panels.items_axis(ax, np.array([row["n_items"] for row in known], dtype=float))
        ax.legend(loc="best")
    else:
        ax.set_xlabel("number of items $K$")
