"""Every figure of config/claims.yaml, drawn from the study's data and second-edition verdicts."""

import json
from dataclasses import replace
from functools import cache

import gallery
import layout
import numpy as np
import pytest
from checkout import ROOT
from drawing import points, texts
from icl import figures
from icl.figures import style
from icl.measurements.fading import fading
from icl.pages import captions

# Experiments of that edition in the place of the first one's.
PLAYED_BY = {"bimodality": "transition", "memorisation": "memorisation_wide"}
FIRST = ("fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "fig8")
FIGURES = (*FIRST, *(f"figA{number}" for number in range(1, 9)), "figB2", "figB3", "figB4")


def entry(name):
    """The entry of a figure, as a size that is judged by config/study_claims.yaml has it."""
    figure = gallery.config()[name]
    experiments = {role: PLAYED_BY.get(of, of) for role, of in figure["experiments"].items()}
    if name in ("fig6", "figA4"):
        experiments["longest"] = "acquisition_longest"
    more = ["transition"] if name == "fig2" else []
    return {**figure, "experiments": experiments, "claims": more + figure["claims"]}


def data_of(name):
    of_role = entry(name)["experiments"].items()
    return {role: gallery.dataset("study", experiment) for role, experiment in of_role}


@cache
def drawn(name):
    figure = figures.load(name).draw(data_of(name), gallery.verdicts("study"))
    figure.draw_without_rendering()
    return figure


def verdict(claim):
    return gallery.verdicts("study")[claim]


@pytest.mark.parametrize("name", FIGURES)
def test_it_is_drawn_whole(name):
    assert layout.faults(drawn(name), style.POINTS) == []
    shown = texts(drawn(name))
    for words in ("Gap", "Figure A.7", "no fit", "nothing predicted", "no threshold", "not meas"):
        assert words not in shown


@pytest.mark.parametrize("name", FIGURES)
def test_its_caption_has_every_number(name):
    template = (ROOT / f"workflow/report/{name}.rst").read_text(encoding="utf-8")
    found = gallery.verdicts("study")
    caption = captions.render(template, entry(name), data_of(name), found, "study")
    assert "not computable" not in caption.split("**Measured**")[0]


def test_fig2_marks_the_k_star_of_the_claim_that_has_one():
    lines = drawn("fig2").axes[1].get_lines()
    diamond = next(line for line in lines if line.get_marker() == "D")
    star = verdict("transition").estimate("threshold").value
    assert diamond.get_xdata()[0] == pytest.approx(star)


def test_fig6_has_the_longest_contexts_and_who_was_to_acquire():
    figure, data = drawn("fig6"), data_of("fig6")
    runs = sum(data[role].sizes["run"] for role in ("acquisition", "longest"))
    assert points(figure, "o", 1) == runs
    rows = verdict("minimal_model").details["prediction"]["by_items"]
    (last,) = (ax for ax in figure.axes if "minimal model" in ax.get_title("left"))
    predicted = [line.get_ydata() for line in last.get_lines() if line.get_marker() == "s"]
    np.testing.assert_array_equal(predicted, [[row["predicted"] for row in rows]])


def test_fig6_has_a_histogram_of_the_seeds_nearest_k_star():
    (ax,) = (ax for ax in drawn("fig6").axes if ax.get_xlabel() == "last ICL")
    assert sum(bar.get_height() for bar in ax.patches) == len(
        verdict("bimodality").details["final"]
    )


def test_fig6_names_five_values_of_k_with_their_seeds():
    found = verdict("balanced_failure")
    rows = [{**row, "replicates": 20} for row in found.details["unbalanced"][:5]]
    rows = [
        {**row, "n_items": k} for row, k in zip(rows, (8e3, 13e3, 19e3, 27e3, 38e3), strict=True)
    ]
    details = {**found.details, "unbalanced": rows, "balanced": rows}
    verdicts = gallery.verdicts("study")
    verdicts = {**verdicts, "balanced_failure": replace(found, details=details)}
    figure = figures.load("fig6").draw(data_of("fig6"), verdicts)
    assert layout.faults(figure, style.POINTS) == []
    assert "13k (20)" in texts(figure)


def test_fig8_compares_both_models():
    for panel, claim in enumerate(("threshold_exponent", "minimal_model")):
        rows = verdict(claim).details["finite_over_infinite"]
        known = sum(np.isfinite(row["ratio"]) for row in rows)
        hollow = sum(np.isfinite(r["ratio"]) and not np.isfinite(r["interval"]).all() for r in rows)
        assert points(drawn("fig8"), "o", panel) == known + hollow > 0


def test_figA4_fits_both_laws_where_the_claim_looks():
    figure, judged = drawn("figA4"), verdict("long_tail").details["by_length"]
    fitted = [
        {line.get_label() for line in ax.get_lines()} >= {"log-normal", "normal"}
        for ax in figure.axes
    ]
    assert fitted == [True] * len(judged) + [False]  # and the longest, which it does not judge


def test_figA7_marks_a_missing_block_at_its_own_n():
    data = data_of("figA7")
    listed = json.dumps(["N128_K12000_seeds0-3_ab12"])
    data["thresholds"] = data["thresholds"].assign_attrs(missing_blocks=listed)
    figure = figures.load("figA7").draw(data, gallery.verdicts("study"))
    bands = [sum(line.get_color() == style.GAP for line in ax.get_lines()) for ax in figure.axes]
    assert bands == [0, 0, 0, 1]


def test_figA6_counts_a_fading_only_if_it_lasts():
    found = verdict("transience")
    assert found.statistic == "lasting_transience"
    lasting = fading(data_of("figA6")["transience"], found.options, for_good=True)
    assert points(drawn("figA6"), "o") == lasting.faded.sum()
    assert lasting.faded.sum() < fading(data_of("figA6")["transience"], found.options).faded.sum()
