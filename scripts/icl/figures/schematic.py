"""The task and the model as a drawing (Figure 2 a)."""

import json
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle

from icl.figures import style

CELLS = 5  # squares that stand for an item's D components
SQUARE = 0.3  # of a unit
POSITIVE, NEGATIVE = style.ICL, style.IWL


def draw(ax: Axes, runs: xr.Dataset) -> None:
    """Draw a dataset of K items, a sequence of N tokens with its target, and the model."""
    model = json.loads(runs.attrs["jobs"])[0]["model"]
    ax.set_axis_off()
    ax.set_xlim(0, 19.4)
    ax.set_ylim(-0.9, 6.1)
    ax.set_aspect("equal")
    items = np.random.default_rng(4).random((6, CELLS))  # patterns to tell items apart
    labels = [1, -1, -1, 1, 1, -1]
    text: dict[str, Any] = {"fontsize": 7, "ha": "center", "va": "center"}
    small = {**text, "fontsize": 6.5}
    ax.text(2.7, 5.75, r"$K$ items with labels", **text)
    for i in range(4):
        _token(ax, 0.5 + 1.05 * i, 3.1, items[i], labels[i])
    ax.text(4.85, 4.2, "...", **text)
    ax.text(2.7, 2.45, f"$x_i\\in\\mathbb{{R}}^{{{model['item_dim']}}}$, $\\ell_i=\\pm1$", **text)
    ax.text(2.7, 1.75, r"redrawn: $K=\infty$", color=style.NEUTRAL, **small)
    _arrow(ax, (5.35, 4.2), (6.35, 4.2))
    ax.text(9.2, 5.75, r"$N$ tokens, then the target", **text)
    for place, i in enumerate((2, 0, 3)):
        _token(ax, 6.7 + 1.05 * place, 3.1, items[i], labels[i])
    ax.text(9.95, 4.2, "...", **text)
    _token(ax, 10.4, 3.1, items[1], labels[1])
    _token(ax, 12.0, 3.1, items[0], 0)
    copy = FancyArrowPatch(
        (7.9, 3.0),
        (12.15, 3.0),
        connectionstyle="arc3,rad=0.25",
        arrowstyle="<|-",
        mutation_scale=7,
        lw=0.8,
        color=style.NEUTRAL,
    )
    ax.add_patch(copy)
    ax.text(9.9, 1.55, "a copy: ICL reads its label", **small)
    _arrow(ax, (12.75, 4.2), (13.6, 4.2))
    boxes = (
        (5.1, "LayerNorm"),
        (3.55, "attention\n" + r"$K^TQ,\ V$, eq. 1"),
        (1.85, f"MLP, 3 layers\n$d={model['hidden_dim']}$"),
    )
    for height, words in boxes:
        half = 0.6 if "\n" in words else 0.45
        box = FancyBboxPatch(
            (14.2, height - half),
            4.6,
            2 * half,
            boxstyle="round,pad=0.02,rounding_size=0.15",
            fc="0.95",
            ec="0.3",
            lw=0.7,
        )
        ax.add_patch(box)
        ax.text(16.5, height, words, linespacing=1.1, **small)
    _arrow(ax, (16.5, 4.63), (16.5, 4.17))
    _arrow(ax, (16.5, 2.93), (16.5, 2.47))
    _arrow(ax, (16.5, 1.23), (16.5, 0.7))
    ax.text(16.5, 0.35, "logit: +1 or −1?", **small)
    for x, label, words in ((0.5, 1, "label +1"), (4.0, -1, "label −1"), (7.5, 0, "no label")):
        _label(ax, x, 0.3, label)
        ax.text(x + 0.5, 0.45, words, fontsize=6.5, va="center")
    ax.text(0.5, -0.5, "The MLP may memorise the target's label instead: IWL.", fontsize=6.5)


def _token(ax: Axes, x: float, y: float, item: np.ndarray, label: int) -> None:
    """Draw an item as a column of grey squares, its label below."""
    for cell, value in enumerate(item):
        shade = str(0.35 + 0.6 * value)
        place = (x, y + SQUARE * (cell + 1.15))
        ax.add_patch(Rectangle(place, SQUARE, SQUARE, fc=shade, ec="0.3", lw=0.4))
    _label(ax, x, y, label)


def _label(ax: Axes, x: float, y: float, label: int) -> None:
    colour = {1: POSITIVE, -1: NEGATIVE, 0: "white"}[label]
    ax.add_patch(Rectangle((x, y), SQUARE, SQUARE, fc=colour, ec="0.3", lw=0.6))
    sign = {1: "+", -1: "−", 0: ""}[label]
    centre = (x + SQUARE / 2, y + SQUARE / 2)
    ax.text(*centre, sign, fontsize=5.5, ha="center", va="center_baseline", color="white")


def _arrow(ax: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    look: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 7, "lw": 0.9, "color": "0.3"}
    ax.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))
