"""What is written on figures: legible, whole, and nothing over anything else."""

import drawing
import figure_b1
import gallery
import layout
import pytest
from icl.figures import figB1, style
from matplotlib.text import Text

MISSING = ("N64_K1600_seeds0-3_ab12", "N32_Kinf_seeds0-3_ab12", "N16_K1000_seeds0-7_ab12")


@pytest.mark.parametrize(("size", "name"), gallery.EVERY)
def test_words_are_legible_whole_and_apart(size, name):
    figure = gallery.draw(size, name)
    assert layout.faults(figure, style.POINTS) == []
    assert figure.get_figwidth() <= 5.5


@pytest.mark.parametrize("name", gallery.DRAWN["laptop"])
def test_so_they_are_on_the_other_page_and_beside_a_gap(name):
    figure = gallery.draw("laptop", name, "column", MISSING)
    assert layout.faults(figure, style.POINTS) == []
    trained = any("missing" in text.get_text() for text in figure.findobj(Text))
    assert trained == (name not in ("fig1", "fig4", "figA1"))


@pytest.mark.parametrize("name", gallery.DRAWN["laptop"])
def test_so_they_are_where_nothing_could_be_computed(name):
    assert layout.faults(gallery.draw("laptop", name, bare=True), style.POINTS) == []


@pytest.mark.parametrize("page", style.PAGES)
def test_the_regime_studys_figure(page, monkeypatch):
    """Drawn from what the gallery's verdicts hold, as the gallery's picture is."""
    monkeypatch.setattr(style, "PAGE", page)
    data, verdicts, _ = figure_b1.sources()
    figure = figB1.draw(data, verdicts)
    assert layout.faults(figure, style.POINTS) == []
    heads = [ax.get_title("left").replace("\n", " ") for ax in figure.axes if ax.axison]
    assert heads[:2] == [
        "the laptop's architecture and rate at N = 32",
        "the target attends to itself too",
    ]
    assert len(heads) == len(data) == 10
    assert drawing.points(figure, "o") == sum(runs.sizes["run"] for runs in data.values()) == 400


FAULTY = {
    "overlaps": lambda ax: [ax.text(0.5, 0.5, word) for word in ("one", "other")],
    "clipped": lambda ax: ax.figure.text(0.99, 0.5, "beyond the page"),
    "points": lambda ax: ax.text(0.5, 0.5, "small", fontsize=6),
    "more than two lines": lambda ax: ax.set_title("one\ntwo\nthree"),
}


@pytest.mark.parametrize("fault", FAULTY)
def test_a_fault_is_found(fault):
    figure, ax = style.new_figure()
    assert layout.faults(figure, style.POINTS) == []
    FAULTY[fault](ax)
    assert any(fault in found for found in layout.faults(figure, style.POINTS))
