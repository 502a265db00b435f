"""Colours: enough contrast on paper, and apart for readers with any kind of colour blindness."""

from itertools import combinations

import gallery
import numpy as np
import pytest
from colorspacious import cspace_convert, deltaE
from icl.figures import style
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D
from matplotlib.text import Text

VISION = (None, "deuteranomaly", "protanomaly", "tritanomaly")
CONTRAST = 3.0  # at least, against white: what WCAG 2.1 asks of graphics
APART = 8.0  # at least, in CAM02-UCS, where 1 is just noticeable side by side
ROLES = ("ICL", "IWL", "PREDICTION", "ALTERNATIVE_FIT", "GAP", "FIT", "NEUTRAL")
PAPER = "#ffffff"


def contrast(colour):
    """The WCAG contrast of a colour against white."""
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ (0.2126, 0.7152, 0.0722) + 0.05)


def seen(colour, vision):
    """A colour as a reader without one kind of cone sees it, sRGB."""
    rgb = np.array(to_rgb(colour))
    if vision is None:
        return rgb
    space = {"name": "sRGB1+CVD", "cvd_type": vision, "severity": 100}
    return np.clip(cspace_convert(rgb, space, "sRGB1"), 0, 1)


def distance(one, other):
    """How far two colours are apart for the reader who tells them apart least."""
    pairs = ((seen(one, vision), seen(other, vision)) for vision in VISION)
    return min(deltaE(*pair, input_space="sRGB1") for pair in pairs)


def used(ax):
    """The colours of lines, marks and words in a panel; grounds and grey scales aside."""
    colours = {line.get_color() for line in ax.get_lines() if line.get_visible()}
    colours |= {text.get_color() for text in ax.findobj(Text) if text.get_text()}
    for lines in ax.findobj(LineCollection):
        colours |= {tuple(colour[:3]) for colour in lines.get_edgecolor()}
    return {to_hex(colour) for colour in colours} - {PAPER}


@pytest.mark.parametrize(("one", "other"), [*combinations(ROLES, 2)])
def test_roles_are_told_apart(one, other):
    assert distance(getattr(style, one), getattr(style, other)) > APART


@pytest.mark.parametrize("role", ROLES)
def test_roles_stand_out_from_paper(role):
    assert contrast(getattr(style, role)) >= CONTRAST


@pytest.mark.parametrize("n", range(2, 7))
def test_a_sequence_is_told_apart_and_stands_out(n):
    colours = style.sequence_colours(n)
    assert all(distance(*pair) > APART for pair in combinations(colours, 2))
    assert min(map(contrast, colours)) > CONTRAST - 0.05


@pytest.mark.parametrize(("size", "name"), gallery.EVERY)
def test_the_colours_of_a_panel(size, name):
    for ax in gallery.draw(size, name).axes:
        colours = used(ax)
        faint = [colour for colour in colours if contrast(colour) < CONTRAST - 0.05]
        alike = [pair for pair in combinations(sorted(colours), 2) if distance(*pair) <= APART]
        assert (faint, alike) == ([], [])


def test_confusable_colours_are_found():
    _, ax = style.new_figure()
    ax.plot([0, 1], color="#d55e00")
    ax.add_line(Line2D([0, 1], [0, 1], color="#978500"))
    one, other = sorted(used(ax) & {"#d55e00", "#978500"})
    assert distance(one, other) < deltaE(to_rgb(one), to_rgb(other), input_space="sRGB1") / 2
    assert contrast("#bddf26") < 1.6  # viridis' end
