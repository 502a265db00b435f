"""Figures of memorisation and of what follows acquisition, from synthetic data of known answer."""

import hashlib
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic
import synthetic_kinetics as made
from committed import CONFIG, evaluate
from drawing import points, texts
from icl import figures
from icl import text as wording
from icl.figures import fig6d, style
from icl.verdicts import Verdict

FIGURES = ["fig5", "fig7", "figA2", "figA3"]


def plain(verdicts):
    text = json.dumps(verdicts, allow_nan=False)
    return {name: Verdict.from_json(entry) for name, entry in json.loads(text).items()}


def verdicts_of(data, by_length=True):
    found = {
        "memorisation_exponent": evaluate("memorisation_exponent", data),
        "seed_invariance": evaluate("seed_invariance", data),
        "not_capacity": evaluate("not_capacity", {**made.capacity(), **data}),
    }
    row = {"context_length": 64, "median": 150.0, "interval": [140.0, 170.0]}
    linear = SimpleNamespace(details={"by_length": [row] if by_length else []})
    return {**plain(found), "linear_ticl": linear}


def data_of(name, **kwargs):
    if name == "fig7":
        return made.skewed(t_icl=150.0)
    data = {"memorisation": made.memorisation(**kwargs)}
    if name == "fig5":
        data["capacity"] = made.memorisation(experiment="capacity", items=(9000,), seeds=4)
    return data


def drawn(name, data, **kwargs):
    memorised = {k: v for k, v in data.items() if k in ("memorisation", "capacity")}
    if name == "fig7":
        memorised = {"memorisation": made.memorisation()}
        data = {**data, "acquisition": synthetic.acquisition(seeds=8)}
    verdicts = verdicts_of(memorised, **kwargs)
    figure = figures.load(name).draw(data, verdicts)
    figure.draw_without_rendering()
    return figure, verdicts


@pytest.mark.parametrize("name", FIGURES)
def test_the_setting_is_named(name):
    text = texts(drawn(name, data_of(name))[0])
    seeds = "4 seeds each" if name == "fig7" else "8 seeds each"
    for part in ("size laptop", seeds, "D = 63", "rate 0.1"):
        assert part in text
    assert ("MLP alone, normalised items" in text) == (name != "fig7")
    assert "Gap" not in text


@pytest.mark.parametrize("name", FIGURES)
def test_a_missing_block_is_marked(name):
    data = data_of(name)
    block = json.dumps(["N1_K500_seeds0-7_ab12"])
    data["memorisation"] = data["memorisation"].assign_attrs(missing_blocks=block)
    assert "Gap: 1 block missing (N1_K500_seeds0-7)" in texts(drawn(name, data)[0])


@pytest.mark.parametrize("name", ["fig5", "figA2", "figA3"])
def test_nothing_computable_is_drawn_all_the_same(name):
    data = data_of(name, items=(500, 1000), seeds=2)
    figure, _ = drawn(name, data)
    if name == "fig5":
        assert "not computable" in texts(figure)


def test_skewed_data_are_drawn_without_t_icl():
    figure, _ = drawn("fig7", made.skewed(), by_length=False)
    assert "cells on eq. 12's side: none" in texts(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_equal_figures_have_equal_bytes(name, tmp_path):
    digests = []
    for folder in "ab":
        paths = [tmp_path / folder / f"{name}.{kind}" for kind in ("pdf", "png")]
        style.save(drawn(name, data_of(name))[0], *paths, {"Title": name})
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]


def test_fig5_shows_every_seed_and_the_measured_exponent():
    data = data_of("fig5")
    figure, verdicts = drawn("fig5", data)
    assert points(figure, "o") == sum(d.sizes["run"] for d in data.values())
    text = texts(figure)
    quoted = wording.estimate_text(verdicts["memorisation_exponent"].estimate("exponent"), 3)
    assert f"$\\nu$ = {quoted}" in text
    threshold = verdicts["not_capacity"].details["threshold"]
    assert f"$K^*$ at $N$ = 64: {wording.digits_text(threshold, 3)}" in text
    low, high = CONFIG["claims"]["memorisation_exponent"]["criteria"][0]["band"]
    assert f"band of $\\nu$: {low:g} to {high:g}" in text


def test_figA2_and_figA3_show_every_run():
    data = data_of("figA2")
    runs = data["memorisation"].sizes["run"]
    for name, panels in (("figA2", 3), ("figA3", 2)):
        figure, verdicts = drawn(name, data)
        for ax in figure.axes[:panels]:
            assert sum(len(line.get_xdata()) == 160 for line in ax.get_lines()) == runs
    figure, verdicts = drawn("figA2", data)
    assert wording.estimate_text(verdicts["seed_invariance"].estimate("variation")) in texts(figure)


def test_figA3_measures_what_is_left_once_c1_is_small():
    # With c1 = (1 + t/tau)^-3 / 2 what is left of I_K at x = t/tau is (1 + x)^-2 of it.
    text = texts(drawn("figA3", data_of("figA3", spread=0, shared=0))[0])
    below, end = (1 - (0.5 / c1) ** (-2 / 3) for c1 in (1e-3, 5e-5))
    told = float(re.search(r"grows by ([\d.]+)%", text)[1])
    assert told == pytest.approx(100 * (end / below - 1), abs=0.15)  # to the next evaluation


def test_fig7_counts_the_cells_that_obey_equation_12():
    data = made.skewed(t_icl=150.0)
    figure, _ = drawn("fig7", data)
    text = texts(figure)
    assert "cells on eq. 12's side: 9 of 9" in text
    for alpha in (0, 0.5, 1):
        assert rf"$\alpha$ = {alpha:g}" in text


def test_fig6d_shows_both_branches_and_equation_16():
    data = {"loss": made.losses(seeds=4)}
    verdicts = plain({"loss_relation": evaluate("loss_relation", data)})
    figure, ax = style.new_figure()
    fig6d.draw_panel(ax, data, verdicts)
    figure.draw_without_rendering()
    text = texts(figure)
    for name in ("acquired", "faded"):
        quoted = wording.estimate_text(verdicts["loss_relation"].estimate(f"ratio_{name}"))
        assert f"ICL {name}: {quoted}" in text
    assert "eq. 16" in text
    assert points(figure, "o") > 100


def test_fig6d_draws_what_never_acquired():
    data = {"loss": made.losses(t_acquired=1e9)}
    verdicts = plain({"loss_relation": evaluate("loss_relation", data)})
    figure, ax = style.new_figure()
    fig6d.draw_panel(ax, data, verdicts)
    figure.draw_without_rendering()
    assert "not computable" in texts(figure)
    assert np.isfinite(ax.get_xlim()).all()
