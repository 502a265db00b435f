"""One look for every figure, and bytes that depend on nothing but what is drawn.

Figures are built without pyplot's global list, so that any number can be drawn in one process.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import seaborn
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, NullFormatter

from icl.store.files import replacing

COLUMN_INCHES = {1: 3.4, 2: 7.0}
PALETTE = seaborn.color_palette("colorblind").as_hex()
# One meaning, one colour, in every figure.
ICL, IWL, FIT, ALTERNATIVE_FIT, GAP = PALETTE[0], PALETTE[1], "#222222", PALETTE[4], PALETTE[3]
NEUTRAL = "#6e6e6e"
# For a legend that stands where a line of reference runs.
OVER_LINES = {"frameon": True, "facecolor": "w", "edgecolor": "none", "framealpha": 0.9}
_FOOTER_POINTS = 6.5
_PDF_KEYS = ("Title", "Author", "Subject", "Keywords")


def apply() -> None:
    """Set the theme; call it before a figure is made.

    The font is the one Matplotlib carries, for another machine's fonts would change the bytes.
    """
    seaborn.set_theme(
        context="paper",
        style="ticks",
        palette="colorblind",
        rc={
            "font.family": "DejaVu Sans",
            "font.size": 8,
            "axes.labelsize": 8,
            "axes.titlesize": 8,
            "xtick.labelsize": 7,
            "ytick.labelsize": 7,
            "legend.fontsize": 6.5,
            "legend.title_fontsize": 7,
            "legend.frameon": False,
            "axes.linewidth": 0.7,
            "xtick.major.width": 0.7,
            "ytick.major.width": 0.7,
            "xtick.minor.width": 0.5,
            "ytick.minor.width": 0.5,
            "xtick.major.size": 3.5,
            "ytick.major.size": 3.5,
            "xtick.minor.size": 2,
            "ytick.minor.size": 2,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "lines.linewidth": 1.2,
            "pdf.fonttype": 42,  # TrueType: text stays text, and journals accept it
            "ps.fonttype": 42,
            "svg.fonttype": "none",
            "svg.hashsalt": "icl-race",
            "savefig.dpi": 250,
        },
    )


def new_figure(
    width_columns: int = 1,
    height_inches: float = 2.6,
    rows: int = 1,
    columns: int = 1,
    **subplots: Any,
) -> tuple[Figure, Any]:
    """Make a themed figure as wide as one or two columns of a page, and its axes.

    Args:
        height_inches: the footer included.
        **subplots: what `Figure.subplots` takes (sharey, squeeze, width_ratios, ...).
    """
    apply()
    figure = Figure(figsize=(COLUMN_INCHES[width_columns], height_inches), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def new_grid(
    panels: int, columns: int, panel_inches: float, room_inches: float, **subplots: Any
) -> tuple[Figure, Any, list[Axes]]:
    """Make a figure two columns wide with so many panels, and switch the axes beyond them off.

    Returns the figure, all axes (rows, columns), and those of the panels in reading order.

    Args:
        panel_inches: height of a panel.
        room_inches: height of the footer and the rest.
    """
    rows = -(-panels // columns)
    height = panel_inches * rows + room_inches
    figure, axes = new_figure(2, height, rows, columns, squeeze=False, **subplots)
    for ax in axes.flat[panels:]:
        ax.axis("off")
    return figure, axes, list(axes.flat[:panels])


def new_mosaic(
    layout: Sequence[Sequence[str]], width_columns: int, height_inches: float, **mosaic: Any
) -> tuple[Figure, dict[str, Axes]]:
    """Make a themed figure whose panels have names and may span rows or columns.

    Args:
        layout: names of panels, as `Figure.subplot_mosaic` takes them, with `mosaic`.
        height_inches: the footer included.
    """
    apply()
    figure = Figure(figsize=(COLUMN_INCHES[width_columns], height_inches), layout="constrained")
    return figure, figure.subplot_mosaic([list(row) for row in layout], **mosaic)


def arrange(figure: Figure, **layout: Any) -> None:
    """Change the constrained layout of a figure: `rect`, `wspace`, ..."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(**layout)


def panel_label(ax: Axes, letter: str) -> None:
    """Put the paper's letter above the panel's vertical axis, left of its title."""
    ax.annotate(
        letter,
        (0, 1),
        (-26, 5),
        xycoords="axes fraction",
        textcoords="offset points",
        fontweight="bold",
        fontsize=10,
        va="bottom",
    )


def note(ax: Axes, text: str, x: float, y: float, size: float = 6) -> None:
    """Write in the panel's corner that is nearest to (x, y), shares of its width and height."""
    across, along = "left" if x < 0.5 else "right", "bottom" if y < 0.5 else "top"
    ax.text(x, y, text, transform=ax.transAxes, ha=across, va=along, fontsize=size)


def measured(ax: Axes, text: str) -> None:
    """Write measured numbers above the panel, right-aligned, one quantity a line."""
    ax.set_title(text, loc="right", fontsize=6.5, linespacing=1.35)


def footer(figure: Figure, text: str, gap: str = "", room_inches: float = 0.0) -> float:
    """Write the setting (preset, N, K, seeds, attend_to) in small grey below the panels.

    Room is reserved for as many lines as the text has, so call it once, with all of them.

    Returns the height that the text takes, as a share of the figure's.

    Args:
        text: one line or more.
        gap: what is missing from the data, written above in a colour that no reader overlooks.
        room_inches: to keep free between the text and the panels, for a legend.
    """
    height = 1.35 * _FOOTER_POINTS / 72 / figure.get_figheight()  # of a line
    lines = text.count("\n") + 1
    top = (lines + (gap.count("\n") + 1 if gap else 0) + 0.6) * height
    bottom = top + room_inches / figure.get_figheight()
    arrange(figure, rect=(0, bottom, 1, 1 - bottom))
    common: dict[str, Any] = {
        "ha": "center",
        "va": "bottom",
        "fontsize": _FOOTER_POINTS,
        "linespacing": 1.3,
    }
    figure.text(0.5, 0.3 * height, text, color=NEUTRAL, **common)
    if gap:
        figure.text(0.5, (lines + 0.3) * height, gap, color=GAP, fontweight="bold", **common)
    return top


def legend_above_footer(figure: Figure, handles: Sequence[Artist], height: float) -> None:
    """Put a legend of all panels in a row above the footer, whose share of the height is given."""
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, height),
        ncols=min(len(handles), 10),
        borderaxespad=0.1,
    )


def sequence_colours(n: int) -> list[str]:
    """Colours for n ordered values (of K, of N), dark to light, told apart in grey too."""
    return [to_hex(colormaps["viridis"](x)) for x in np.linspace(0, 0.9, n)]


def plain_log(axis: Axis) -> None:
    """Label a logarithmic axis in plain numbers: 1, 2, 5 of each decade, or decades if many.

    Args:
        axis: its limits must be set already.
    """
    low, high = axis.get_view_interval()
    few = high < 500 * low
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    if few:
        axis.set_major_formatter(lambda x, _: f"{x:,g}")
    axis.set_minor_formatter(NullFormatter())


def jitter(n: int, width: float) -> np.ndarray:
    """Offsets that keep n equal values apart: evenly spread over +-width, the same every time."""
    return np.linspace(-width, width, n) if n > 1 else np.zeros(n)


def save(
    figure: Figure,
    pdf_path: str | os.PathLike,
    png_path: str | os.PathLike,
    metadata: Mapping[str, str | Sequence[str]] | None = None,
) -> None:
    """Write a figure as PDF and PNG; equal figures give equal bytes (no date is written).

    Args:
        metadata: text to embed; Title, Author, Subject and Keywords go into both files, other keys
            into the PNG alone (PDF knows no others).
    """
    text = {
        key: value if isinstance(value, str) else ", ".join(value)
        for key, value in (metadata or {}).items()
    }
    dates = {"CreationDate": None, "ModDate": None}
    pdf = {key: value for key, value in text.items() if key in _PDF_KEYS}
    with replacing(pdf_path) as path:
        figure.savefig(path, format="pdf", metadata={**pdf, **dates})
    figure.set_layout_engine("none")  # it is laid out: the PNG is the same picture
    with replacing(png_path) as path:
        figure.savefig(path, format="png", metadata=text)
