"""One look for every figure, and bytes that depend on nothing but what is drawn.

Figures are built without pyplot's global list, so that any number can be drawn in one process.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import seaborn
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex
from matplotlib.figure import Figure, FigureBase
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from icl.store.files import replacing

# Inches of a figure one column wide and of one that spans a page's text, for each kind of page:
# one column of text (ICLR's 5.5 inches) or two.
PAGES = {"text": {1: 3.4, 2: 5.5}, "column": {1: 3.25, 2: 6.75}}
PAGE = "text"
POINTS = 8  # of all type, at the size of the print
# One meaning, one colour, in every figure. Each pair differs under every kind of colour blindness,
# and each has a contrast of 3 or more on white; tests/unit/test_colours.py holds them to it.
ICL, IWL, PREDICTION, ALTERNATIVE_FIT = "#1251a8", "#d97412", "#3da66f", "#4e1f58"
GAP, FIT, NEUTRAL = "#bf0236", "#262626", "#6e6e6e"
MARKERS = "osD^vP*X"
_PAPER = {"facecolor": "w", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}  # behind words
_LIGHTEST = 0.6  # of viridis: what is lighter vanishes on white
_TYPE = (
    *("font.size", "figure.titlesize", "axes.labelsize", "axes.titlesize"),
    *("xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"),
)
_PDF_KEYS = ("Title", "Author", "Subject", "Keywords")


def apply() -> None:
    """Set the theme; call it before a figure is made.

    The font is the one Matplotlib carries, for another machine's fonts would change the bytes.
    """
    seaborn.set_theme(
        context="paper",
        style="ticks",
        palette=[ICL, IWL, PREDICTION, ALTERNATIVE_FIT],
        rc={
            "font.family": "DejaVu Sans",
            **dict.fromkeys(_TYPE, POINTS),
            "axes.titlelocation": "left",
            "axes.titlepad": 4,
            "legend.frameon": False,
            "legend.handlelength": 1.4,
            "legend.handletextpad": 0.5,
            "legend.columnspacing": 1.0,
            "legend.labelspacing": 0.25,
            "legend.borderaxespad": 0.2,
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
        **subplots: what `Figure.subplots` takes (sharey, squeeze, width_ratios, ...).
    """
    apply()
    figure = Figure(figsize=(PAGES[PAGE][width_columns], height_inches), layout="constrained")
    return figure, figure.subplots(rows, columns, **subplots)


def new_grid(
    panels: int, columns: int, panel_inches: float, room_inches: float, **subplots: Any
) -> tuple[Figure, Any, list[Axes]]:
    """Make a figure two columns wide with so many panels, and switch the axes beyond them off.

    Returns the figure, all axes (rows, columns), and those of the panels in reading order. Beside
    the panels, `room_inches` are left.
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
    """Make a themed figure whose panels have names and may span rows or columns."""
    apply()
    figure = Figure(figsize=(PAGES[PAGE][width_columns], height_inches), layout="constrained")
    return figure, figure.subplot_mosaic([list(row) for row in layout], **mosaic)


def new_rows(width_columns: int, heights_inches: Sequence[float]) -> tuple[Figure, Any]:
    """Make a themed figure of rows (subfigures) that are laid out each by itself."""
    apply()
    size = (PAGES[PAGE][width_columns], sum(heights_inches))
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subfigures(len(heights_inches), 1, height_ratios=heights_inches)


def arrange(figure: Figure, **layout: Any) -> None:
    """Change the constrained layout of a figure: `rect`, `wspace`, ..."""
    engine = figure.get_layout_engine()
    assert isinstance(engine, ConstrainedLayoutEngine)
    engine.set(**layout)


def panel(ax: Axes, letter: str, subject: str = "") -> None:
    """Head a panel with the paper's letter and its subject, in words; numbers are the caption's."""
    ax.set_title(f"$\\mathbf{{{letter}}}$  {subject}".rstrip())


def head(axes: Iterable[Axes], subjects: Iterable[str]) -> None:
    """Head panels with the letters from a on, and their subjects."""
    for ax, letter, subject in zip(axes, "abcdef", subjects, strict=False):
        panel(ax, letter, subject)


def label(
    ax: Axes,
    text: str,
    xy: tuple[float, float],
    colour: str = FIT,
    offset: tuple[float, float] = (0, 0),
    **look: Any,
) -> None:
    """Write beside what is drawn what it is, on a little paper of its own.

    `xy` is in data, or in what `xycoords` says, the offset from there in points.
    """
    look = {"ha": "left", "va": "center", "linespacing": 1.15, "bbox": _PAPER, **look}
    ax.annotate(text, xy, offset, textcoords="offset points", color=colour, **look)


def corner(ax: Axes, text: str, x: float, y: float, colour: str = FIT) -> None:
    """Write in the panel's corner that is nearest to (x, y), shares of its width and height."""
    across, along = "left" if x < 0.5 else "right", "bottom" if y < 0.5 else "top"
    label(ax, text, (x, y), colour, xycoords="axes fraction", ha=across, va=along)


def unmeasured(ax: Axes) -> None:
    """Say in a panel that there is nothing to draw."""
    corner(ax, "not measured", 0.03, 0.95)


def mark_gap(figure: FigureBase, gap: str) -> None:
    """Write below the panels what is missing from the data, in a colour no reader overlooks."""
    if gap:
        figure.supxlabel(gap, color=GAP, fontweight="bold", fontsize=POINTS)


def legend_above(figure: Figure, handles: Sequence[Artist], title: str = "") -> None:
    """Put a legend of all panels in one row above them, its title first."""
    first = [Line2D([], [], ls="", label=title)] if title else []
    figure.legend(handles=[*first, *handles], loc="outside upper center", ncols=10)


def name_colours(figure: Figure, names: Iterable[str], colours: Iterable[str], title: str) -> None:
    """Say above all panels what each colour means."""
    named = zip(names, colours, strict=True)
    legend_above(
        figure, [Line2D([], [], color=colour, label=name) for name, colour in named], title
    )


def sequence_colours(n: int) -> list[str]:
    """Colours for n ordered values (of K, of N), dark to light, told apart in grey too.

    Where there are more than six, or lines cross, small multiples serve better.
    """
    return [to_hex(colormaps["viridis"](x)) for x in np.linspace(0, _LIGHTEST, n)]


def plain_log(axis: Axis) -> None:
    """Label a logarithmic axis in plain numbers: 1, 2, 5 of each decade, or decades if many.

    Its limits must be set already.
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

    Of the metadata Title, Author, Subject and Keywords go into both files, other keys into the PNG
    alone (PDF knows no others).
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
