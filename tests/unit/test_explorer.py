"""The explorer keeps every curve, thinned and quantised, of whatever experiment.

What it draws, and how it is used, is looked at in a browser, on made-up data.
"""

import base64
import json
import re
from pathlib import Path

import browser
import numpy as np
import pytest
import synthetic
import xarray as xr
from example_jobs import job_and_record
from icl.pages import curves, explorer
from icl.store import artifacts
from icl.theory import accuracy, transience
from made_up import HOSTILE, criterion, verdict

PARTS = {
    path.suffix[1:]: path.read_text(encoding="utf-8")
    for path in (Path(__file__).parents[2] / "workflow/report").glob("explorer.*")
}
FACTS = {"git_revision": "abc", "git_dirty": 1, "device": "cpu", "wall_seconds": 3.0}


def unpacked(curve, shape):
    levels = np.frombuffer(base64.b64decode(curve["data"]), "<u2").reshape(shape).astype(float)
    levels[levels == curves.NOT_RECORDED] = np.nan
    return curve["low"] + (curve["high"] - curve["low"]) * levels / curves.LEVELS


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
    found = unpacked(curves.quantise(values), values.shape)
    expected = np.where(np.isfinite(values), values, np.nan)
    np.testing.assert_allclose(found, expected, atol=10.5 / curves.LEVELS)
    np.testing.assert_array_equal(unpacked(curves.quantise(np.full(3, np.nan)), 3), [np.nan] * 3)
    np.testing.assert_array_equal(unpacked(curves.quantise(np.full(3, 2.0)), 3), [2.0] * 3)


def test_curves_stand_at_their_steps(collected):
    found = curves.describe(collected, points=240)
    runs, width = collected.sizes["run"], found["points"]
    for name in ("icl_accuracy", "icl_loss"):
        values = unpacked(found["curves"][name], (runs, width))
        for run in range(runs):
            steps = found["steps"][found["runs"]["schedule"][run]]
            own = collected.isel(run=run)
            known = {
                int(step): value
                for step, value in zip(own["step"].values, own[name].values, strict=True)
                if step <= own["stop_step"].item()
            }
            shown = dict(zip(steps, values[run], strict=True))
            shown.pop(None, None)
            assert set(shown) == set(known)
            for step, value in known.items():
                np.testing.assert_allclose(shown[step], value, atol=1e-3)


def test_a_curve_is_named_as_its_data_name_it(collected):
    named = collected.assign(beta=collected.icl_loss.assign_attrs(long_name="beta itself"))
    found = curves.describe(named, points=240)["curves"]
    assert found["beta"]["title"] == "beta itself (nat)"
    assert (found["icl_accuracy"]["chance"], found["icl_loss"]["chance"]) == (0.5, None)


def test_runs_can_be_chosen_by_what_differs(collected):
    found = curves.describe(collected, points=240)
    choices = found["choices"]
    assert set(choices) == {"N", "K"}
    assert choices["K"]["values"] == ["16", "∞"]
    assert choices["K"]["address"] == ["16", "inf"]
    k = [choices["K"]["values"][i] for i in choices["K"]["of_run"]]
    assert k == ["16" if np.isfinite(x) else "∞" for x in collected["n_items"].values]
    assert found["runs"]["seed"] == collected["seed"].values.tolist()
    decayed = collected.assign_coords(w_decay=("run", [0.0, 0.0, 0.001, 0.001]))
    assert "w_decay" not in curves.describe(decayed, 240)["choices"]  # tells the same runs apart
    decayed = collected.assign_coords(w_decay=("run", [0.0, 0.001, 0.0, 0.001]))
    assert curves.describe(decayed, 240)["choices"]["w_decay"]["values"] == ["0", "0.001"]


def test_a_run_tells_its_provenance(collected):
    found = curves.describe(collected, points=240)
    lines = found["jobs"][found["runs"]["job"][-1]]
    assert any("abc with changes" in line for line in lines)
    assert any("cpu" in line and "3 s for 2 seeds" in line for line in lines)


@pytest.mark.parametrize("points", [2, 5, 11])
def test_thinning_keeps_the_ends(collected, points):
    found = curves.describe(collected, points)
    assert found["points"] == points
    for schedule, last in zip(found["runs"]["schedule"], found["runs"]["last"], strict=True):
        row = [step for step in found["steps"][schedule] if step is not None]
        assert (row[0], row[-1]) == (0, last)


def test_the_paper_size_fits():
    """A thousand runs of 3,000 evaluations, ten curves each: under the 10 MB of the page."""
    runs, evaluations = 1000, 3000
    shape = ("run", "evaluation")
    values = {
        f"v{i}": (shape, np.random.default_rng(i).random((runs, evaluations))) for i in range(10)
    }
    few = {f"v{i}": (shape, np.ones((runs, 2))) for i in range(10)}
    dataset, short = xr.Dataset(values), xr.Dataset(few)
    points = curves.points_per_curve([dataset, short])
    kept = dataset.isel(evaluation=curves.thinned(evaluations, points))
    size = sum(len(curves.quantise(kept[name].values)["data"]) for name in values)
    assert points > 150  # short records leave their room to long ones
    assert size < 6e6


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


def shown(dataset):
    """The theory's curves of an experiment: title -> name -> values (run, evaluation)."""
    found = curves.describe(dataset, points=240)
    shape = (dataset.sizes["run"], found["points"])
    return {
        part["title"]: {name: unpacked(values, shape) for name, values in part["curves"].items()}
        for part in found["theory"]
    }


def test_the_theorys_flow_starts_where_the_run_does():
    dataset = of_the_minimal_model([0.3, 0.3, 0.2], beta_decay=[0.0, 1.0, 0.0])
    (found,) = shown(dataset).values()
    np.testing.assert_allclose(found["beta"][:, 0], [0.3, np.nan, 0.2], atol=1e-4)  # none decayed
    np.testing.assert_allclose(found["w"][[0, 2], 0], 0.1, atol=1e-4)
    assert np.nanmax(found["beta"][0]) > 0.5
    beta, w, shown_accuracy = (found[name][0, :9] for name in ("beta", "w", "icl_accuracy"))
    by_hand = accuracy.icl_accuracy_with_mlp(beta, w, 16, 0.0)
    np.testing.assert_allclose(shown_accuracy, by_hand, atol=1e-3)


def test_the_theorys_flow_is_of_contexts_with_one_copy():
    dataset = of_the_minimal_model([0.3, 0.3], copies=[1, 4])
    (found,) = shown(dataset).values()
    np.testing.assert_allclose(found["beta"][:, 0], [0.3, np.nan], atol=1e-4)
    (older,) = shown(dataset.drop_vars("copies")).values()
    np.testing.assert_allclose(older["beta"][:, 0], [0.3, 0.3], atol=1e-4)


def test_the_theorys_curve_ends_where_the_run_does():
    dataset = of_the_minimal_model([0.3, 0.3])
    stops = dataset["step"].values[0, [5, 8]].astype(int)
    (found,) = shown(dataset.assign(stop_step=("run", stops))).values()
    assert np.isfinite(found["beta"]).sum(axis=1).tolist() == [6, 9]
    np.testing.assert_allclose(found["beta"][0, 5], found["beta"][1, 5], atol=1e-3)


def test_w_is_balanced_against_its_decay():
    dataset = of_the_minimal_model([0.3, 0.3], w_decay=[0.01, 0.0])
    c3 = xr.zeros_like(dataset["icl_accuracy"]) + 0.2
    found = shown(dataset.assign(c3=c3))[curves.BALANCE]["w"]
    assert found[0, 3] == pytest.approx(transience.w_tracking(0.2, 0.01), rel=1e-3)
    assert np.isnan(found[1]).all()


@pytest.mark.parametrize(
    ("without", "model", "why"),
    [
        ([], "one_layer", "these runs train one_layer"),
        (["beta"], "minimal", "not recorded here"),
        ([], "minimal", "no term for a decay of beta"),
    ],
)
def test_where_there_is_no_theory_the_page_says_why(without, model, why):
    dataset = of_the_minimal_model([0.3], beta_decay=1.0).drop_vars(without)
    found = curves.describe(described(dataset, "e", model), points=20)
    assert found["theory"] == []
    assert why in found["why_not"]


def test_the_page_is_whole(collected):
    given = {"e": collected, "a": collected.assign_attrs(experiment="a")}
    page = explorer.page(PARTS, given, [verdict(data_digests={"a": "1"})], "s")
    assert 1e6 < len(page) < 3e6  # the plotting library is packed
    data = json.loads(page.split('id="data">')[1].split("</script>")[0])
    assert list(data["experiments"]) == ["e", "a"]
    assert list(data["claims"]) == ["linear_ticl"]


def test_it_opens_on_the_race_that_most_claims_use():
    alone = synthetic.transition(seeds=2).drop_vars("icl_accuracy")
    race = synthetic.transition(seeds=2)
    used = [verdict(data_digests=dict.fromkeys(names, "")) for names in (["b", "alone"], ["alone"])]
    assert explorer.opening({"alone": alone, "a": race, "b": race}, used) == "b"
    assert explorer.opening({"alone": alone, "a": race, "b": race}, []) == "a"
    assert explorer.opening({"alone": alone}, used) == "alone"


def test_a_verdict_says_why():
    outside = criterion(verdict="not reproduced")
    assert "every quantity lies in its band" in explorer.reason(verdict(verdict="reproduced"))
    found = explorer.reason(verdict(criteria=[outside], reason="the rest is open"))
    assert found == "exponent: the whole interval lies outside the band; the rest is open"


ITEMS, SEEDS = synthetic.ITEMS[::3], 6


def crowd():
    """6 seeds at 2 N and 4 K; the runs at the second N have no training loss."""
    parts = [
        synthetic.transition(n_items=ITEMS, seeds=SEEDS, steps=400).assign_coords(
            context_length=("run", np.full(len(ITEMS) * SEEDS, length))
        )
        for length in (16, 32)
    ]
    dataset = xr.concat(parts, "run", combine_attrs="override")
    name = "accuracy on training items without a copy of the target in the context, long as it is"
    dataset["iwl_loss"].attrs["long_name"] = name
    dataset["train_loss"][len(ITEMS) * SEEDS :] = np.nan
    dataset["icl_loss"] *= np.geomspace(1e-4, 1e-3, dataset.sizes["evaluation"])
    return described(dataset, "crowd")


def judged():
    half = {"verdict": "undecided", "criteria": [criterion(value=1.1, interval=[0.9, 1.4])]}
    other = {"value": 2.5, "interval": [2.0, 3.0], "unit": "steps"}
    return verdict(
        data_digests={"crowd": "0123456789abcdef", "landscape": "f"},
        halves=[half, half],
        reason="exponent: its interval reaches over an end of the band",
        details={"estimates": {"other": other}, "notes": ["a note"]},
    )


WORDS = [f"{x} <img src=x onerror='pwned = 1'> <a href='https://x'>x</a>" for x in HOSTILE]


def hostile():
    """Whatever a collected file holds in words."""
    text = " ".join(WORDS)
    data = described(synthetic.transition(n_items=ITEMS[:2], seeds=2, steps=100), "hostile")
    data.attrs |= {"title": f"x: {text}", "provenance": json.dumps([{"versions": text}] * 4)}
    data["icl_accuracy"].attrs["long_name"] = data["iwl_accuracy"].attrs["long_name"] = text
    return data.assign_coords(context_labels=("run", [text, "b", text, "b"]))


def hostile_verdict():
    """Whatever claims.json holds in words."""
    text = " ".join(WORDS)
    judged = criterion(quantity=text, description=text, unit=text, verdict=text)
    return verdict(
        id=text,
        **dict.fromkeys(("statement", "source", "paper_value", "verdict", "reason"), text),
        criteria=[judged],
        data_digests={text: text, "hostile": text},
        details={"estimates": {f"{text}2": judged}, "notes": WORDS},
    )


def written(folder, *datasets, verdicts):
    path = folder / "explorer.html"
    named = {dataset.attrs["experiment"]: dataset for dataset in datasets}
    path.write_text(explorer.page(PARTS, named, verdicts, "made up"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    minimal = of_the_minimal_model([0.3, 0.3, 0.2])
    datasets, verdicts = (crowd(), minimal, hostile()), (judged(), hostile_verdict())
    path = written(tmp_path_factory.mktemp("explorer"), *datasets, verdicts=verdicts)
    with browser.opened(path, width=1366, height=768) as page:
        page.wait_for_selector("#legend li", timeout=120_000)
        yield page


@pytest.fixture
def page(opened):
    """The explorer as it opens."""
    opened.set_viewport_size({"width": 1366, "height": 768})
    go(opened, "")
    return opened


def go(page, address):
    page.evaluate("address => { location.hash = address; }", address)
    page.wait_for_function("performance.now()")
    page.wait_for_timeout(50)  # the event comes after


def traces(page, axis="y"):
    """The traces of a panel: name, whether it is a band, dash, x and y."""
    return page.evaluate(
        """axis => document.getElementById("plot").data.filter(t => t.yaxis === axis).map(t => ({
          name: t.name, band: t.fill === "toself", dash: t.line.dash, x: t.x, y: t.y}))""",
        axis,
    )


def about(page):
    return page.locator("#about").inner_text()


def test_it_opens_on_medians_and_quartiles_with_chance(page):
    assert page.locator("#name").inner_text() == "crowd"
    found = traces(page)
    assert sum(trace["band"] for trace in found) == len(ITEMS)
    medians = [t for t in found if t["dash"] == "solid"]
    assert len(medians) == len(ITEMS)
    dataset = crowd()
    first = (dataset["context_length"] == 16) & (dataset["n_items"] == ITEMS[-1])
    by_hand = np.median(dataset["icl_accuracy"].values[first.values], axis=0)
    np.testing.assert_allclose(medians[-1]["y"], by_hand, atol=1e-4)
    (chance,) = (trace for trace in found if trace["name"] == "chance")
    assert set(chance["y"]) == {0.5}
    assert "Medians and quartiles of the 24 chosen of 48 runs" in page.inner_text("#notice")


def test_a_run_that_ended_early_counts_with_its_last_value(page):
    page.evaluate(
        "window.q = quartilesOf([{x: [0, 1], y: [0, 4]}, {x: [0, 2], y: [1, 1]},"
        " {x: [0, 4], y: [0, 0]}])"
    )
    assert page.evaluate("q.x") == [0, 4]
    assert page.evaluate("[q.low, q.y, q.high]") == [[0, 0.5], [0, 1], [0.5, 2.5]]


def test_the_choice_is_in_the_address_and_comes_back(page):
    page.check("input[name=N][value='32']")
    page.uncheck("input[name=K][value='500']")
    page.check("input[value=runs]")
    page.fill("#seeds", "0-2, 4")
    page.press("#seeds", "Tab")
    page.select_option("#below", "icl_loss")
    page.check("input[value=below]")
    page.select_option("#run", "7")
    chosen = page.evaluate("[location.hash, said(), visible()]")
    assert "experiment=crowd" in chosen[0]
    assert "N=16,32" in chosen[0]
    assert len(chosen[2]) == 2 * 3 * 4
    page.reload()
    page.wait_for_selector("#legend li")
    assert page.evaluate("[location.hash, said(), visible()]") == chosen
    page.go_back()
    page.wait_for_function("said().run === ''")
    assert page.locator("#over path").count() == 0
    page.go_forward()
    page.wait_for_function("said().run === '7'")
    assert page.evaluate("said()") == chosen[1]
    page.select_option("#experiment", "minimal")
    page.wait_for_function("name === 'minimal'")
    assert page.evaluate("location.hash") == "#experiment=minimal"


def test_an_address_that_asks_for_what_there_is_not_is_told(page):
    go(page, "experiment=crowd&K=500,7&above=nothing&below=icl_loss&claim=<b>none")
    said = page.inner_text("#notice")
    for part in ("K = 500,7", "above = nothing", "claim = <b>none"):
        assert part in said
    assert "icl_loss" not in said
    assert page.evaluate("now.below") == "icl_loss"
    go(page, "experiment=gone")
    assert "experiment = gone" in page.inner_text("#notice")
    assert page.evaluate("name") == "crowd"


def test_choosing_a_run_highlights_it_and_choosing_none_clears_its_provenance(page):
    page.focus("#run")
    page.keyboard.press("ArrowDown")
    page.wait_for_selector("#over path", state="attached")
    assert page.locator("#over path").count() == 2
    for word in ("crowd", "seed 0", "commit abc with changes", "device cpu", "model one_layer"):
        assert word in about(page)
    page.keyboard.press("ArrowUp")
    page.wait_for_function("!document.querySelector('#over path')")
    assert about(page).startswith("Point at a curve")
    assert page.evaluate("document.activeElement.id") == "run"


def hover(page, pick):
    """Point at a trace beyond its middle."""
    x, y = page.evaluate(
        """pick => {
          const plot = document.getElementById("plot"), {xaxis, yaxis} = plot._fullLayout;
          const trace = plot.data.find(eval(pick)), i = Math.floor(0.6 * trace.x.length);
          const box = plot.getBoundingClientRect();
          return [box.x + xaxis._offset + xaxis.d2p(trace.x[i]),
            box.y + yaxis._offset + yaxis.d2p(trace.y[i])];
        }""",
        pick,
    )
    page.mouse.move(x, y - 40)
    page.mouse.move(x, y, steps=4)
    page.wait_for_selector("#over path", state="attached")


def test_pointing_highlights_and_clicking_chooses(page):
    hover(page, "t => t.quartiles")
    assert page.locator("#plot.dimmed").count() == 1
    assert about(page).startswith("Point at a curve")
    go(page, "experiment=crowd&show=runs")
    hover(page, "t => t.of")
    assert "crowd, run " in about(page)
    page.mouse.down()
    page.mouse.up()
    page.wait_for_function("said().run !== ''")
    assert "&run=" in page.evaluate("location.hash")
    page.mouse.move(5, 5)
    page.wait_for_timeout(100)
    assert page.locator("#over path").count() == 2  # the chosen run stays


def test_each_run_is_drawn_on_demand(page):
    go(page, "experiment=crowd&show=runs&N=16,32")
    lines = [t for t in traces(page) if t["dash"] == "solid"]
    assert len(lines) == 2 * len(ITEMS)
    assert sum(t["y"].count(None) for t in lines) == 48
    assert not any(t["band"] for t in lines)
    assert page.inner_text("#notice") == "Curves of all 48 runs."


def test_nothing_chosen_and_nothing_recorded_are_told(page):
    go(page, "experiment=crowd&K=")
    assert "Nothing is drawn: none of the 48 runs" in page.inner_text("#notice")
    assert page.locator("#plot text").all_text_contents() == []
    go(page, "experiment=crowd&N=32&below=train_loss")
    assert "No value of train_loss is recorded" in page.inner_text("#notice")


def test_theory_is_drawn_where_there_is_some_and_else_said_to_be_none(page):
    assert "No theory here" in page.inner_text("#theory-note")
    go(page, "experiment=minimal&above=beta&below=icl_loss")
    (theory,) = (t for t in traces(page) if t["dash"] == "dash")
    (measured,) = (t for t in traces(page) if t["dash"] == "solid")
    assert (theory["x"][0], theory["y"][0]) == pytest.approx((0, 0.3), abs=1e-3)
    assert theory["x"][-1] == pytest.approx(measured["x"][-1])
    assert "no curve of icl_loss" in page.inner_text("#theory-note")
    assert "nothing memorised" in page.inner_text("#legend")
    page.uncheck("input[name=theory]")
    page.wait_for_function(
        "!document.getElementById('plot').data.some(t => t.line.dash === 'dash')"
    )


def test_ticks_are_numbers(page):
    go(page, "experiment=crowd&clock=steps&above=icl_loss&log=x")
    texts = page.locator("#plot :is(.xtick, .ytick, .y2tick) text").all_text_contents()
    assert len(texts) > 8
    assert not [text for text in texts if re.search("[\u00b5\u03bcmkM]", text)]


def test_a_claim_shows_its_interval_band_halves_reason_and_runs(page):
    go(page, "claim=linear_ticl")
    text = page.inner_text("#claim")
    for words in ("undecided", "linear <in> N", "1.17 [1, 1.37]", "band: 0.8 to 1.3", "a note"):
        assert words in text
    for words in ("even seeds: 1.1 [0.9, 1.4]", "reaches over an end", "other: 2.5 [2, 3] steps"):
        assert words in text
    drawn = page.evaluate(
        """(() => { const {data, layout} = document.querySelector(".estimate");
        return [data.map(t => [t.x[0], t.x[0] - t.error_x.arrayminus[0],
          t.x[0] + t.error_x.array[0]]), layout.shapes[0].x0, layout.shapes[0].x1]; })()"""
    )
    np.testing.assert_allclose(drawn[0], [[1.168, 1.0, 1.371], [1.1, 0.9, 1.4], [1.1, 0.9, 1.4]])
    assert drawn[1:] == [0.8, 1.3]
    page.locator("#claim a", has_text="crowd").press("Enter")
    page.wait_for_selector("#curves:not([hidden])")
    assert page.evaluate("location.hash") == "#experiment=crowd"
    page.locator("#judged a").press("Enter")
    page.wait_for_selector("#claim:not([hidden])")
    assert page.evaluate("location.hash") == "#claim=linear_ticl"


@pytest.mark.parametrize("width", [390, 1366, 1920])
@pytest.mark.parametrize("address", ["", "experiment=minimal&above=beta", "claim=linear_ticl"])
def test_nothing_is_wider_than_the_screen(page, width, address):
    page.set_viewport_size({"width": width, "height": 844})
    go(page, address)
    page.locator("summary").evaluate("summary => { summary.parentElement.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if width == 390 and not address.startswith("claim"):
        plot, form = (page.locator(x).bounding_box() for x in ("#plot", "#choose"))
        assert plot["y"] + plot["height"] < min(form["y"], 844)


@pytest.mark.parametrize("width", [390, 1366])
def test_no_text_of_the_plot_is_cut_off(page, width):
    page.set_viewport_size({"width": width, "height": 844})
    go(page, "experiment=crowd&above=iwl_loss&below=iwl_loss")
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
    assert sum("longasitis" in text.replace(" ", "") for text, _ in inside) == 2
    assert [text for text, whole in inside if not whole] == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("address", ["experiment=crowd&run=3", "claim=linear_ticl"])
def test_it_is_accessible(page, theme, address):
    page.emulate_media(color_scheme=theme)
    go(page, address)
    assert browser.barriers(page) == []
    page.emulate_media(color_scheme="light")


def test_dark_is_dark(page):
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.getElementById('plot').layout.font.color.includes('e9e7e2')")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, colour[4:-1].split(","))) < 60
    page.emulate_media(color_scheme="light")


def test_every_control_is_reached_by_the_tab_key(page):
    page.focus("#experiment")
    names = []
    for _ in range(12):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.name"))
    assert names[:4] == ["above", "below", "show", "theory"]
    assert {"N", "K", "seeds", "run"} <= set(names)
    page.focus("input[name=K]")
    page.keyboard.press("Space")
    page.wait_for_function("location.hash.includes('K=')")
    assert page.evaluate("document.activeElement.name") == "K"  # the focus stays


def test_words_from_files_are_only_words(page):
    go(page, "experiment=hostile&show=runs&run=1")
    seen = [page.inner_text("#curves"), page.inner_text("#choose"), about(page)]
    seen.append(page.locator("#plot").text_content())
    page.locator("#judged a").click()
    page.wait_for_selector("#claim:not([hidden])")
    seen += [page.inner_text("#claim"), page.inner_text("#list")]
    for text in seen:
        assert "alert(1)" in text
        assert "onerror" in text
        assert not re.search("[\u202e\u2066\x07]", text)
    assert page.evaluate("typeof pwned") == "undefined"
    assert page.locator("img, script[src], #plot a, .estimate a").count() == 0
