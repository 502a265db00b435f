"""The explorer of a size that has run: it shows every experiment, and what claims.json says."""

import json

import browser
import pytest
from icl.text import number_text

pytestmark = pytest.mark.workflow
RESULTS = "results/smoke"
DRAWN = "document.getElementById('plot').data"


@pytest.fixture(scope="module")
def page(finished):
    path = finished.path / RESULTS / "explorer.html"
    assert path.stat().st_size < 10e6
    with browser.opened(path) as opened:
        opened.wait_for_selector("#legend li", timeout=120_000)
        yield opened


def go(page, address):
    page.evaluate("address => { location.hash = address; }", address)
    page.wait_for_timeout(100)


def test_it_opens_on_the_experiment_that_most_claims_use(page):
    go(page, "")
    assert page.locator("#name").inner_text() == "transition"
    assert page.locator("#notice").inner_text() == "Medians and quartiles of all 16 runs."
    assert page.locator("#legend li").count() == 4 + 2  # 4 K, quartiles and chance
    go(page, "experiment=transition&show=runs")
    assert page.locator("#notice").inner_text() == "Curves of all 16 runs."
    assert page.evaluate(f"new Set({DRAWN}.flatMap(t => t.of ?? [])).size") == 16


def test_every_experiment_can_be_shown(page):
    names = page.evaluate("Object.keys(DATA.experiments)")
    assert len(names) > 5
    for name in names:
        go(page, f"experiment={name}")
        assert page.locator("#name").inner_text() == name
        assert page.evaluate(f"{DRAWN}.filter(t => t.quartiles).length") > 0, name
        assert "warns" not in page.locator("#notice").get_attribute("class"), name
        # Theory, or why there is none.
        drawn = page.evaluate(f"{DRAWN}.some(t => t.line.dash === 'dash')")
        assert drawn or page.locator("#theory-note").inner_text(), name


def test_a_clock_is_chosen(page):
    go(page, "experiment=transition")
    last = f"Math.max(...{DRAWN}[0].x)"
    assert page.evaluate(last) == pytest.approx(180)
    page.check("input[value=steps]")
    page.wait_for_function(f"{last} === 600")


def test_every_claim_shows_what_claims_json_says(page, finished):
    verdicts = json.loads((finished.path / RESULTS / "claims.json").read_text())
    assert page.evaluate("Object.keys(DATA.claims)") == [verdict["id"] for verdict in verdicts]
    for verdict in verdicts:
        go(page, f"claim={verdict['id']}")
        text = page.locator("#claim").inner_text()
        for words in (verdict["statement"], verdict["verdict"], verdict["reason"]):
            assert words in text
        for criterion in verdict["criteria"]:
            if isinstance(criterion["value"], int | float) and not criterion["test"]:
                low, high = (
                    float("inf" if x == "infinity" else "-inf" if x == "-infinity" else x)
                    for x in criterion["interval"]
                )
                assert f"{number_text(criterion['value'])} [{number_text(low)}, " in text
                assert f"{number_text(high)}]" in text
        links = page.locator("#claim a").all_inner_texts()
        assert set(links) <= set(verdict["data_digests"])
