"""The report opens from disk in a browser: verdicts first, figures whole, captions with numbers."""

import json
import re

import browser
import pytest
from icl.text import number_text

pytestmark = pytest.mark.workflow
RESULTS = "results/smoke"


@pytest.fixture(scope="module")
def report(finished):
    return finished.path / RESULTS / "report.html"


@pytest.fixture(scope="module")
def verdicts(finished):
    return json.loads((finished.path / RESULTS / "claims.json").read_text())


def test_verdicts_come_first(report, verdicts):
    with browser.opened(report) as page:
        page.wait_for_selector("#front")
        top = page.locator("#front h1").bounding_box()["y"]
        table = page.locator("#verdicts table")
        assert 0 <= top < table.bounding_box()["y"] < 500  # in view as it opens
        text = table.inner_text().replace("\N{NO-BREAK SPACE}", " ")
        for verdict in verdicts:
            assert verdict["id"] in text
            assert verdict["statement"] in text
        criteria = [criterion for verdict in verdicts for criterion in verdict["criteria"]]
        for criterion in criteria:
            if criterion["value"] is None:
                assert "not computable" in text
            else:
                assert number_text(criterion["value"]) in text
        drawn = [c for c in criteria if isinstance(c["value"], int | float)]
        assert page.locator("svg.interval").count() == len(drawn)


def test_the_table_of_verdicts_is_seen_whole(report):
    with browser.opened(report, 1400) as page:
        page.wait_for_selector("#front")
        hidden = page.locator("#verdicts .wide").evaluate("e => e.scrollWidth - e.clientWidth")
        assert hidden <= 0


@pytest.mark.parametrize("width", [800, 1500])
def test_figures_are_visible_and_whole(report, finished, width):
    with browser.opened(report, width) as page:
        page.wait_for_selector("#front")
        shown = page.locator("#front figure img")
        files = list((finished.path / RESULTS / "figures").glob("*.png"))
        assert shown.count() == len(files) > 5
        for i in range(shown.count()):
            image = shown.nth(i)
            image.scroll_into_view_if_needed()
            seen = image.evaluate(
                "i => ({complete: i.complete && i.naturalWidth > 100, ratio: (i.naturalWidth / "
                "i.naturalHeight) / (i.clientWidth / i.clientHeight), width: i.clientWidth})"
            )
            assert seen["complete"]
            assert seen["ratio"] == pytest.approx(1, abs=0.02)
            box = image.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert seen["width"] > 300
        pane = "document.querySelector('#front').closest('.overflow-auto')"
        assert page.evaluate(f"{pane}.scrollWidth - {pane}.clientWidth") <= 0


def test_captions_carry_numbers(report, verdicts):
    with browser.opened(report) as page:
        page.wait_for_selector("#front")
        captions = page.locator("#front figcaption").all_inner_texts()
        assert all(re.search(r"\d", caption) for caption in captions)
        assert all("data " in caption for caption in captions)
        fig6 = page.locator("#fig6 figcaption").inner_text()
        (verdict,) = (v for v in verdicts if v["id"] == "linear_ticl")
        for criterion in verdict["criteria"]:
            assert f"{criterion['quantity']} {criterion['value']:.3g} [" in fig6
        assert f"{verdict['replicates']} replicates" in fig6


def test_runs_runtimes_and_configuration_are_told(report):
    with browser.opened(report) as page:
        page.wait_for_selector("#front")
        assert "transition" in page.locator("#runs").inner_text()
        assert "train transition" in page.locator("#time-taken").inner_text()
        page.locator("#configuration summary", has_text="smoke.yaml").click()
        assert "preset: smoke" in page.locator("#configuration").inner_text()


def test_snakemakes_own_views_still_work(report):
    with browser.opened(report) as page:
        page.get_by_text("Figures", exact=True).click()
        row = page.locator("tr", has_text="fig6")
        row.locator("a, button").first.click()
        image = page.locator("#app img").last
        assert image.evaluate("i => i.naturalWidth") > 100
        row.locator("a, button").last.click()
        page.get_by_text("linear_ticl", exact=False).first.wait_for()
    with browser.opened(report) as page:
        page.get_by_text("Statistics", exact=True).click()
        page.wait_for_selector("#runtimes :is(svg, canvas)")
