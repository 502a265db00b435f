"""The theory's figures draw what their datasets hold."""

from types import SimpleNamespace

import numpy as np
import pytest
from committed import predicted
from icl.figures import fig1, fig4, figA1


def texts(figure):
    legends = [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    found = [t.get_text() for ax in figure.axes for t in ax.texts] + [
        t.get_text() for legend in legends for t in legend.get_texts()
    ]
    return [*found, *(t.get_text() for t in figure.texts)]


@pytest.fixture(scope="module")
def initial_conditions():
    return predicted("initial_conditions", n_beta0=41, n_samples=500)


def test_figure_1_has_a_column_for_each_mechanism():
    data = predicted("kinetics", n_items=[1_000, 1_000_000], time_max=2e3, n_times=40)
    figure = fig1.draw({"kinetics": data}, {})
    figure.canvas.draw()
    assert len(figure.axes) == 6
    assert "$t_{\\rm ICL}$ = 251" in texts(figure)
    for words in ("memorised first: no ICL", "ICL first,\nand it stays"):
        assert words in texts(figure)
    curve = figure.axes[4].lines[1]
    np.testing.assert_array_equal(
        curve.get_ydata(), data.icl_accuracy.isel(mechanism=0, n_items=1)[1:]
    )


def test_figure_4_shows_every_path():
    data = predicted("landscape", n_grid=21, n_times=60, starts=[[0.0, 0.0], [-1.0, 0.5]])
    figure = fig4.draw({"landscape": data}, {})
    figure.canvas.draw()
    assert {"1", "2"} <= set(texts(figure))
    on_d, on_balanced = figure.axes[:2]
    for axes, prefix in ((on_d, ""), (on_balanced, "balanced_")):
        drawn = {tuple(line.get_ydata()) for line in axes.lines}
        assert tuple(data[f"{prefix}path_w"].isel(path=1).values) in drawn
    assert tuple(data.separatrix.values) in {tuple(line.get_ydata()) for line in on_balanced.lines}


def test_figure_a1_prints_the_fitted_slopes(initial_conditions):
    verdicts = {"exponential_beta0": SimpleNamespace(verdict="reproduced")}
    figure = figA1.draw({"initial_conditions": initial_conditions}, verdicts)
    figure.canvas.draw()
    for slope in initial_conditions.slope.values:
        assert any(f"{slope:.3f}".replace("-", "−") in t for t in texts(figure))
