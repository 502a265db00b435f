"""Figures of memorisation and of what follows acquisition, from synthetic data of known answer."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic
import synthetic_kinetics as made
from committed import CONFIG, evaluate
from drawing import points, texts
from icl import figures
from icl import text as wording
from icl.figures import annotations, fig6d, style
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
    details = {"by_length": [row] if by_length else []}
    linear = SimpleNamespace(details=details, options={"confidence": 0.95})
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
def test_no_gap_no_words(name):
    assert "Gap" not in texts(drawn(name, data_of(name))[0])


def test_the_setting_of_an_mlp_alone_is_named_for_the_caption():
    text = annotations.setting(made.memorisation())
    for part in ("size laptop", "8 seeds each", "D = 63", "MLP alone, normalised items"):
        assert part in text


@pytest.mark.parametrize("name", FIGURES)
def test_a_missing_block_is_marked(name):
    data = data_of(name)
    block = json.dumps(["N1_K500_seeds0-7_ab12"])
    data["memorisation"] = data["memorisation"].assign_attrs(missing_blocks=block)
    assert "Gap: 1 block missing (N1_K500_seeds0-7)" in texts(drawn(name, data)[0])


@pytest.mark.parametrize("name", ["fig5", "figA2", "figA3"])
def test_nothing_computable_is_drawn_all_the_same(name):
    data = data_of(name, items=(500, 1000), seeds=2)
    assert "line: " not in texts(drawn(name, data)[0])


def test_skewed_data_are_drawn_without_t_icl():
    figure, _ = drawn("fig7", made.skewed(), by_length=False)
    assert "at $K=\\infty$" not in texts(figure)


@pytest.mark.parametrize("name", FIGURES)
def test_equal_figures_have_equal_bytes(name, tmp_path):
    digests = []
    for folder in "ab":
        paths = [tmp_path / folder / f"{name}.{kind}" for kind in ("pdf", "png")]
        style.save(drawn(name, data_of(name))[0], *paths, {"Title": name})
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]


def test_fig5_shows_every_seed_and_the_exponent():
    data = data_of("fig5")
    figure, verdicts = drawn("fig5", data)
    assert points(figure, "o") == sum(d.sizes["run"] for d in data.values())
    text = texts(figure)
    exponent = verdicts["memorisation_exponent"].estimate("exponent").value
    assert f"$\\nu$ = {exponent:.2f}" in text
    assert "$K^*$ at $N$ = 64" in text
    low, high = CONFIG["claims"]["memorisation_exponent"]["criteria"][0]["band"]
    assert f"band: {low:g} to {high:g}" in text


def test_figA2_and_figA3_show_every_run():
    data = data_of("figA2")
    runs = data["memorisation"].sizes["run"]
    for name, panels in (("figA2", 3), ("figA3", 2)):
        figure, _ = drawn(name, data)
        for ax in figure.axes[:panels]:
            assert sum(len(line.get_xdata()) == 160 for line in ax.get_lines()) == runs


def test_fig7_has_a_marker_for_each_k_and_binomial_bars():
    data = made.skewed(t_icl=150.0)
    figure, _ = drawn("fig7", data)
    assert "at $K=\\infty$" in texts(figure)
    values = np.unique(data["transition"]["n_items"])
    for marker in style.MARKERS[: len(values)]:
        # At each of three alphas: I_K(inf), the fraction, and that against their ratio.
        assert points(figure, marker) == 9
    for n_items in values:
        assert f"$K$ = {wording.count_text(n_items)}" in texts(figure)
    bars = figure.axes[1].collections[0].get_segments()
    low, high = bars[0][:, 1]
    assert 0 <= low < high <= 1
    assert high - low > 0.5  # of four seeds


def test_fig6d_shows_both_branches_and_equation_16():
    data = {"loss": made.losses(seeds=4)}
    verdicts = plain({"loss_relation": evaluate("loss_relation", data)})
    figure, ax = style.new_figure()
    fig6d.draw_panel(ax, data, verdicts)
    figure.draw_without_rendering()
    for words in ("ICL acquired", "ICL faded", "equation 16"):
        assert words in texts(figure)
    assert points(figure, "o") > 100
    assert "no run" not in texts(figure)


def test_fig6d_draws_what_never_acquired():
    data = {"loss": made.losses(t_acquired=1e9)}
    verdicts = plain({"loss_relation": evaluate("loss_relation", data)})
    figure, ax = style.new_figure()
    fig6d.draw_panel(ax, data, verdicts)
    figure.draw_without_rendering()
    assert np.isfinite(ax.get_xlim()).all()
    assert "ICL faded: no run" in texts(figure)
