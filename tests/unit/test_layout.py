"""What is written on figures: legible, whole, and nothing over anything else."""

import gallery
import layout
import pytest
import synthetic
from committed import CONFIG
from icl import claims
from icl.figures import figB1, style
from icl.verdicts import Verdict
from matplotlib.text import Text

MISSING = ("N64_K1600_seeds0-3_ab12", "N32_Kinf_seeds0-3_ab12", "N16_K1000_seeds0-7_ab12")


def of_regime():
    """Data and verdicts of Figure B.1: the first variant, and two others."""
    runs = [synthetic.transition(threshold=threshold) for threshold in (2200, 1200, 1e9)]
    jobs = runs[1].attrs["jobs"].replace('"item_dim": 63', '"item_dim": 31')
    data = {"base": runs[0], "low_dimension": runs[1].assign_attrs(jobs=jobs), "long_run": runs[2]}
    claim = CONFIG["claims"]["sharp_transition"]
    found = {
        f"{name}_sharp": claims.evaluate(claim, "sharp_transition", {"transition": one}, "regime")
        for name, one in data.items()
    }
    return data, {name: Verdict.from_json(one.to_json()) for name, one in found.items()}


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
    monkeypatch.setattr(style, "PAGE", page)
    figure = figB1.draw(*of_regime())
    assert layout.faults(figure, style.POINTS) == []
    heads = [ax.get_title("left") for ax in figure.axes[:3]]
    assert heads == ["base", "low dimension\nD = 31", "long run\nlonger runs"]


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
