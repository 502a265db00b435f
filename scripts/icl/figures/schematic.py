"""The task, and the two ways to answer it, as a drawing (Figure 2 a)."""

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from icl.figures import style

CELLS = 5  # squares that stand for an item's D components
SQUARE = 0.9  # tenths of an inch on the narrowest page, as all lengths here


def draw(ax: Axes, runs: xr.Dataset) -> None:
    """Draw a dataset of K items, a sequence of N tokens with its target, and the two answers."""
    model = json.loads(runs.attrs["jobs"])[0]["model"]
    ax.set_axis_off()
    ax.set(xlim=(0, 54), ylim=(-1, 15), aspect="equal")
    items = np.random.default_rng(4).random((6, CELLS))  # patterns to tell items apart
    labels = [1, -1, -1, 1, 1, -1]
    text: dict[str, Any] = {"fontsize": style.POINTS, "va": "center"}
    middle = {**text, "ha": "center"}
    ax.text(0, 14.2, "a", fontweight="bold", **text)
    ax.text(5.3, 11.6, "$K$ items, fixed labels", **middle)
    for i in range(4):
        _token(ax, 0.6 + 2.1 * i, items[i], labels[i])
    ax.text(9.6, 7.5, "…", **middle)
    ax.text(0.6, 2.6, f"item: $\\mathbb{{R}}^{{{model['item_dim']}}}$, label: ±1", **text)
    _arrow(ax, (11, 7.5), (14.4, 7.5))
    ax.text(20.6, 11.6, "$N$ in context", **middle)
    for place, i in enumerate((2, 0, 3)):
        _token(ax, 15.6 + 2.1 * place, items[i], labels[i])
    ax.text(22.4, 7.5, "…", **middle)
    _token(ax, 24, items[1], labels[1])
    ax.text(30.4, 11.6, "target", **middle)
    _token(ax, 29.6, items[0], None)
    _arrow(ax, (30, 3.9), (18.1, 3.9), style.ICL, "arc3,rad=-0.28")
    _arrow(ax, (31.2, 8), (34.2, 10.4), style.IWL, "arc3,rad=-0.15")
    ax.text(
        34.6, 10.6, "in-weights learning (IWL):\nthe MLP recalls its label", color=style.IWL, **text
    )
    ax.text(34.6, 6.3, "The two race: what is\nlearnt first wins.", **text)
    ax.text(
        29.4, 1, "in-context learning (ICL):\nattention finds its copy", color=style.ICL, **text
    )


def _token(ax: Axes, x: float, item: np.ndarray, label: int | None) -> None:
    """Draw an item as a column of grey squares, its label below: + on white, − on black, or ?."""
    for cell, value in enumerate(item):
        place = (x, 5.7 + SQUARE * cell)
        shade = str(0.35 + 0.6 * value)
        ax.add_patch(Rectangle(place, SQUARE, SQUARE, fc=shade, ec="0.3", lw=0.4))
    side = 1.3
    left = x + (SQUARE - side) / 2
    ink, paper = ("w", "0.15") if label == -1 else ("0.15", "w")
    ax.add_patch(Rectangle((left, 4.1), side, side, fc=paper, ec="0.15", lw=0.6))
    sign = "?" if label is None else "+" if label == 1 else "−"
    centre = (x + SQUARE / 2, 4.1 + side / 2)
    ax.text(*centre, sign, ha="center", va="center_baseline", color=ink, fontweight="bold")


def _arrow(
    ax: Axes,
    start: tuple[float, float],
    end: tuple[float, float],
    colour: str = style.FIT,
    bend: str = "arc3",
) -> None:
    look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 8, "lw": 1.1, "color": colour}
    ax.add_patch(FancyArrowPatch(start, end, connectionstyle=bend, shrinkA=0, shrinkB=0, **look))
