"""The explorer keeps every curve, thinned and quantised, of whatever experiment.

What it draws of many runs is looked at in a browser, on made-up data.
"""

import base64
import itertools
import json
from collections import Counter
from pathlib import Path

import browser
import numpy as np
import pytest
import synthetic
import xarray as xr
from example_jobs import job_and_record
from icl.figures import style
from icl.pages import explorer
from icl.store import artifacts
from matplotlib.colors import to_rgb

TEMPLATE = Path(__file__).parents[2] / "workflow/report/explorer.html"
FACTS = {"git_revision": "abc", "git_dirty": 1, "device": "cpu", "wall_seconds": 3.0}


def unpacked(curve, shape):
    levels = np.frombuffer(base64.b64decode(curve["data"]), "<u2").reshape(shape).astype(float)
    levels[levels == explorer.NOT_RECORDED] = np.nan
    return curve["low"] + (curve["high"] - curve["low"]) * levels / explorer.LEVELS


@pytest.fixture
def collected(tmp_path):
    """Two jobs that differ in N, K and schedule, one of whose replicates stopped early."""
    parts = []
    for n_items, length, every in ((16, 4, 10), ("infinity", 8, 25)):
        job, record = job_and_record(n_items, length, every)
        parts.append(artifacts.job_dataset(record, job, FACTS))
    attributes = {"title": "x: both", "experiment": "e", "missing_blocks": "[]", "preset": "smoke"}
    artifacts.write(artifacts.collect(parts, attributes), tmp_path / "e.nc")
    return artifacts.read(tmp_path / "e.nc")


def test_numbers_survive_but_for_a_rounding():
    values = np.array([[0.1, np.nan, -3.0], [7.5, 0.0, np.inf]])
    found = unpacked(explorer.quantise(values), values.shape)
    expected = np.where(np.isfinite(values), values, np.nan)
    np.testing.assert_allclose(found, expected, atol=10.5 / explorer.LEVELS)
    np.testing.assert_array_equal(unpacked(explorer.quantise(np.full(3, np.nan)), 3), [np.nan] * 3)
    np.testing.assert_array_equal(unpacked(explorer.quantise(np.full(3, 2.0)), 3), [2.0] * 3)


def test_curves_stand_at_their_steps(collected):
    found = explorer.describe(collected, points=240)
    runs, width = collected.sizes["run"], found["points"]
    for name in ("icl_accuracy", "icl_loss"):
        values = unpacked(found["curves"][name], (runs, width))
        for run in range(runs):
            steps = found["steps"][found["runs"]["schedule"][run]]
            own = collected.isel(run=run)
            known = {
                int(step): value
                for step, value in zip(own["step"].values, own[name].values, strict=True)
                if np.isfinite(step)
            }
            shown = dict(zip(steps, values[run], strict=True))
            shown.pop(None, None)
            assert set(shown) == set(known)
            for step, value in known.items():
                np.testing.assert_allclose(shown[step], value, atol=1e-3)


def test_a_curve_is_named_as_its_data_name_it(collected):
    named = collected.assign(beta=collected.icl_loss.assign_attrs(long_name="beta itself"))
    curves = explorer.describe(named, points=240)["curves"]
    assert curves["beta"]["title"] == "beta itself"
    assert curves["icl_loss"]["unit"] == "nat"


def test_runs_can_be_chosen_by_what_differs(collected):
    found = explorer.describe(collected, points=240)
    choices = found["choices"]
    assert set(choices) == {"context_length", "n_items"}
    assert choices["n_items"]["values"] == ["16", "∞"]
    k = [choices["n_items"]["values"][i] for i in choices["n_items"]["of_run"]]
    assert k == ["16" if np.isfinite(x) else "∞" for x in collected["n_items"].values]
    assert found["runs"]["seed"] == collected["seed"].values.tolist()
    decayed = collected.assign_coords(w_decay=("run", [0.0, 0.0, 0.001, 0.001]))
    assert explorer.describe(decayed, 240)["choices"]["w_decay"]["values"] == ["0", "0.001"]


def test_a_run_tells_its_provenance(collected):
    found = explorer.describe(collected, points=240)
    lines = found["jobs"][found["runs"]["job"][-1]]
    assert any("abc with changes" in line for line in lines)
    assert any("cpu" in line and "3 s for 2 seeds" in line for line in lines)


@pytest.mark.parametrize("points", [2, 5, 11])
def test_thinning_keeps_the_ends(collected, points):
    found = explorer.describe(collected, points)
    assert found["points"] == points
    for row in found["steps"]:
        assert row[0] == 0
        assert [step for step in row if step is not None][-1] == 100


def test_the_paper_size_fits():
    """A thousand runs of 3,000 evaluations, ten curves each: under the 15 MB of the page."""
    runs, evaluations = 1000, 3000
    shape = ("run", "evaluation")
    curves = {
        f"v{i}": (shape, np.random.default_rng(i).random((runs, evaluations))) for i in range(10)
    }
    dataset = xr.Dataset(curves)
    points = explorer.points_per_curve([dataset])
    kept = dataset.isel(evaluation=explorer.thinned(evaluations, points))
    size = sum(len(explorer.quantise(kept[name].values)["data"]) for name in curves)
    assert points > 100
    assert size < 9e6


def described(dataset, experiment, model="one_layer"):
    """Give a made-up dataset what `collect` adds: a title, and each run's job."""
    runs = dataset.sizes["run"]
    identity = {"model": {"name": model, "item_dim": 63, "hidden_dim": 128}, "seeds": [0]}
    dataset.attrs |= {
        "experiment": experiment,
        "title": f"x: {experiment}",
        "jobs": json.dumps([identity] * runs),
        "provenance": json.dumps([FACTS] * runs),
    }
    return dataset


def of_the_minimal_model(beta0, **settings):
    """Runs of the minimal model, with as many values of beta where they start."""
    dataset = synthetic.acquisition(lengths=(16,), seeds=len(beta0), settings=settings)
    nothing = xr.zeros_like(dataset["icl_accuracy"])
    beta = nothing + xr.DataArray(beta0, dims="run")
    return described(dataset.assign(beta=beta, w=nothing + 0.1), "minimal", "minimal")


def test_the_theorys_flow_starts_where_the_run_does():
    dataset = of_the_minimal_model([0.3, 0.3], beta_decay=[0.0, 1.0])
    (only,) = explorer._flows(dataset)  # none for the run whose beta decays
    assert only["runs"] == [0]
    assert (only["beta"][0], only["w"][0]) == (0.3, 0.1)
    assert only["beta"][-1] > 0.5


def test_runs_that_start_alike_share_a_flow_as_long_as_the_longest_of_them():
    dataset = of_the_minimal_model([0.3, 0.2, 0.3])
    alike, other = explorer._flows(dataset)
    assert (alike["runs"], other["runs"]) == ([0, 2], [1])
    longest = float(np.nanmax(dataset["theory_time"].isel(run=[0, 2])))
    assert alike["time"][-1] == pytest.approx(longest)


def test_the_page_is_whole(collected):
    given = {"e": collected, "a": collected.assign_attrs(experiment="a")}
    page = explorer.page("<script>@PLOTLY@</script><script>D = @DATA@;</script>", given, "s")
    assert len(page) > 3e6
    data = page[page.rindex("<script>D = ") + 12 : page.rindex(";</script>")]
    assert [each["name"] for each in json.loads(data)["experiments"]] == ["e", "a"]


LENGTHS, ITEMS, SEEDS = (16, 32), synthetic.ITEMS, 12


def crowd():
    """More runs than are drawn: 12 seeds at 2 N and 10 K, the N one after the other."""
    parts = [
        synthetic.transition(seeds=SEEDS, steps=400).assign_coords(
            context_length=("run", np.full(len(ITEMS) * SEEDS, length))
        )
        for length in LENGTHS
    ]
    dataset = xr.concat(parts, "run", combine_attrs="override")
    name = "accuracy on training items without a copy of the target in the context, long as it is"
    dataset["iwl_loss"].attrs["long_name"] = name
    dataset["train_loss"][len(ITEMS) * SEEDS :] = np.nan  # not recorded at the second N
    return described(dataset, "crowd")


def many_seeds():
    return described(synthetic.acquisition(lengths=(16,), seeds=60), "many_seeds")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """The explorer on the smallest screen that it is made for."""
    datasets = [crowd(), many_seeds(), of_the_minimal_model([0.3, 0.3, 0.2])]
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    named = {dataset.attrs["experiment"]: dataset for dataset in datasets}
    template = TEMPLATE.read_text(encoding="utf-8")
    path.write_text(explorer.page(template, named, "made up"), encoding="utf-8")
    with browser.opened(path, width=1366, height=768) as opened:
        opened.wait_for_selector("#plot .main-svg")
        yield opened


@pytest.fixture
def at(page):
    """Show an experiment as it is shown at first."""

    def show(experiment):
        page.select_option("#experiment", experiment)
        return page

    return show


def drawn(page):
    """The runs below, in the order in which they are drawn."""
    plotted = "document.getElementById('plot').data"
    return page.evaluate(
        f"{plotted}.filter(t => t.yaxis === 'y2' && t.meta !== undefined).map(t => t.meta)"
    )


def groups(page, runs):
    """Count runs by the places of their N and of their K."""
    n, k = (page.evaluate(f"E.choices.{name}.of_run") for name in ("context_length", "n_items"))
    return Counter((n[run], k[run]) for run in runs)


def test_too_many_runs_are_thinned_evenly_over_n_and_k(at):
    page = at("crowd")
    found = groups(page, drawn(page))
    assert found.total() == 150
    assert len(found) == len(LENGTHS) * len(ITEMS)
    assert set(found.values()) == {7, 8}


def test_of_more_groups_than_are_drawn_every_n_and_k_has_some(at):
    page = at("crowd")
    found = groups(page, page.evaluate("thinned(visible(), 10)"))
    assert Counter(n for n, _ in found.elements()) == {0: 5, 1: 5}
    assert Counter(k for _, k in found.elements()) == dict.fromkeys(range(10), 1)


def notice(page):
    """What is said of the runs, which must stand above the plot, in sight."""
    element = page.locator("#notice")
    box, plot = element.bounding_box(), page.locator("#plot").bounding_box()
    assert plot["x"] <= box["x"]
    assert 0 <= box["y"] <= box["y"] + box["height"] <= plot["y"] < 150
    return element.inner_text(), "warns" in (element.get_attribute("class") or "")


def test_a_notice_above_the_plot_says_how_many_runs_are_drawn(at):
    page = at("crowd")
    text, warns = notice(page)
    assert warns
    assert "150 of the 240 chosen runs are drawn, evenly over N and K" in text
    page.locator("#choose-context_length input").first.uncheck()
    assert notice(page) == ("The 120 chosen of 240 runs are drawn.", False)
    page.locator("#choose-context_length input").last.uncheck()
    text, warns = notice(page)
    assert warns
    assert "Nothing is drawn: none of the 240 runs is of the chosen N, K and seeds" in text
    assert page.locator("#plot text").all_inner_texts() == []


def test_a_quantity_that_the_chosen_runs_have_not_recorded_is_named(at):
    page = at("crowd")
    page.select_option("#lower", "train_loss")
    assert "No value" not in notice(page)[0]
    page.locator("#choose-context_length input").first.uncheck()
    assert "No value of train_loss is recorded" in notice(page)[0]


def shades(page):
    """The legend: what each colour means, in its order; nothing stands in for a label left out."""
    return page.evaluate(
        "[...document.querySelectorAll('#scale .shade')].map(shade => [shade.title,"
        " shade.innerText, getComputedStyle(shade.querySelector('i')).backgroundColor])"
    )


def rgb(css):
    return tuple(int(x) / 255 for x in css[4:-1].split(","))


def test_the_legend_says_which_colour_means_which_k(at):
    page = at("crowd")
    labels = page.evaluate("E.choices.n_items.values")
    assert [(title, text) for title, text, _ in shades(page)] == [(f"K = {x}", x) for x in labels]
    colours = [rgb(colour) for *_, colour in shades(page)]
    expected = [to_rgb(colour) for colour in style.sequence_colours(len(labels))]
    np.testing.assert_allclose(colours, expected, atol=0.02)  # as in the figures
    of_run = page.evaluate("E.choices.n_items.of_run")
    for run, colour in page.evaluate(
        "document.getElementById('plot').data.map(t => [t.meta, t.line.color])"
    ):
        assert to_rgb(colour) == colours[of_run[run]]


def test_the_legend_follows_the_choice(at):
    page = at("crowd")
    page.locator("#choose-n_items input").nth(1).uncheck()
    found = shades(page)
    assert len(found) == len(ITEMS) - 1
    assert rgb(found[-1][2]) == pytest.approx(to_rgb(style.sequence_colours(2)[-1]), abs=0.02)
    page.select_option("#colour", "context_length")
    assert [text for _, text, _ in shades(page)] == ["16", "32"]


def test_of_many_values_some_are_labelled_and_no_label_covers_another(at):
    page = at("many_seeds")
    page.select_option("#colour", "seed")
    found = shades(page)
    assert len({colour for *_, colour in found}) == len(found) == 60
    labels = [text for _, text, _ in found if text]
    assert (labels[0], labels[-1], len(labels)) == ("0", "59", 8)
    boxes = [box.bounding_box() for box in page.locator("#scale span").all() if box.inner_text()]
    for left, right in itertools.pairwise(boxes):
        assert left["x"] + left["width"] < right["x"]


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1280, 800), (1920, 1080)])
def test_no_text_of_the_plot_is_cut_off(at, width, height):
    page = at("crowd")
    page.set_viewport_size({"width": width, "height": height})
    page.select_option("#upper", "iwl_loss")
    page.select_option("#lower", "iwl_loss")
    page.wait_for_function(
        "plot => plot.layout.width === plot.clientWidth", arg=page.query_selector("#plot")
    )
    inside = page.evaluate(
        """() => {
          const plot = document.getElementById("plot").getBoundingClientRect();
          return [...document.querySelectorAll("#plot .main-svg text")].map(text => {
            const box = text.getBoundingClientRect();
            return [text.textContent, box.left >= plot.left && box.right <= plot.right + 1
              && box.top >= plot.top && box.bottom <= plot.bottom + 1];
          });
        }"""
    )
    assert sum("long as it is" in text for text, _ in inside) == 2
    assert [text for text, whole in inside if not whole] == []
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    page.set_viewport_size({"width": 1366, "height": 768})


def test_theory_is_offered_where_there_is_some(at):
    page = at("minimal")
    theory, label = page.locator("#theory"), page.locator("#theory-label")
    assert theory.is_enabled()
    assert label.get_attribute("title") == ""
    assert "nothing memorised" in page.locator("#flow-line").inner_text()
    page.select_option("#lower", "icl_loss")
    assert theory.is_disabled()
    assert "theory is of beta and w" in label.get_attribute("title")
    assert page.locator("#flow-line").inner_text() == ""
    page.select_option("#upper", "w")
    assert theory.is_enabled()
    page.locator("#no-seeds").click()
    assert theory.is_disabled()
    at("crowd")
    assert theory.is_disabled()
    assert "this experiment has none" in label.get_attribute("title")


def test_the_flow_stays_while_any_run_that_starts_there_is_chosen(at):
    page = at("minimal")
    flows = "document.getElementById('plot').data.filter(t => t.name === 'theory').length"
    assert page.evaluate(flows) == 2
    page.locator("#seeds input").first.uncheck()
    assert page.evaluate(flows) == 2
    page.locator("#seeds input").nth(1).uncheck()
    assert page.evaluate(flows) == 1
