"""The report opens from disk in a browser: first what came out, and all else a click away."""

import json
import math
import re
from contextlib import contextmanager

import browser
import pytest
from checkout import ROOT
from icl.text import measured_text
from icl.verdicts import Criterion

pytestmark = pytest.mark.workflow
RESULTS = "results/smoke"


@pytest.fixture(scope="module")
def report(finished):
    return finished.path / RESULTS / "report.html"


@pytest.fixture(scope="module")
def verdicts(finished):
    return json.loads((finished.path / RESULTS / "claims.json").read_text())


@contextmanager
def opened(report, *size):
    with browser.opened(report, *size) as page:
        page.wait_for_selector("#front .index")
        yield page


def in_sight(page, selector):
    """Tell whether the top of an element stands in the window, below the index."""
    top = page.locator(selector).bounding_box()["y"]
    return 0 <= top < page.viewport_size["height"]


@pytest.mark.parametrize("size", [(390, 844), (1366, 768), (1920, 1080)], ids=str)
def test_the_first_screen_says_what_came_out(report, verdicts, size):
    with opened(report, *size) as page:
        found = [verdict["verdict"] for verdict in verdicts]
        heading = page.locator("#finding h2")
        text = f"{found.count('reproduced')} of {len(found)} claims are reproduced at size smoke"
        assert heading.inner_text() == text
        assert in_sight(page, "#finding h2")
        assert in_sight(page, "#finding .tally")
        if size[0] > 800:
            assert in_sight(page, ".thumbnails img >> nth=0")
        for kind in set(found):
            listed = page.locator(f"#finding .{kind.replace(' ', '-')} li")
            assert listed.count() == found.count(kind)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_the_table_says_what_was_measured(report, verdicts):
    with opened(report) as page:
        table = page.locator("#verdicts table")
        text = table.inner_text().replace("\N{NO-BREAK SPACE}", " ")
        text = text.replace("\N{MINUS SIGN}", "-")
        for verdict in verdicts:
            assert verdict["id"] in text
        criteria = [Criterion.from_json(entry) for v in verdicts for entry in v["criteria"]]
        for criterion in criteria:
            assert measured_text(criterion.estimate).partition(" [")[0] in text
        drawn = [c for c in criteria if math.isfinite(c.estimate.value)]
        assert page.locator("svg.interval").count() == len(drawn)
        assert "I_K" not in text
        assert page.locator("#claim-not_capacity sub i", has_text="K").count() > 0


@pytest.mark.parametrize("width", [390, 1366])
def test_the_table_of_verdicts_is_seen_whole(report, width):
    with opened(report, width) as page:
        right = page.locator("#verdicts").bounding_box()
        right = right["x"] + right["width"]
        for cell in page.locator("#verdicts :is(.measured, .drawing svg)").all():
            box = cell.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= right + 1
            assert box["width"] > 100  # room for a number and its interval


def test_every_link_of_a_claim_leads_somewhere(report, finished):
    """To a part of the page, or to a file beside it: of the checkout here, but for docs."""
    with opened(report) as page:
        links = page.locator("#verdicts a").evaluate_all("l => l.map(a => a.getAttribute('href'))")
        ids = set(page.locator("[id]").evaluate_all("l => l.map(e => e.id)"))
    kinds = {"#fig": 0, "collected/": 0, "../../scripts/": 0, "../../docs/": 0, "explorer.html#": 0}
    for link in links:
        path, _, part = link.partition("#")
        if not path:
            assert part in ids, link
        elif "/docs/" in path:
            assert (ROOT / path.removeprefix("../../")).is_file(), link
        else:
            assert (finished.path / RESULTS / path).resolve().is_file(), link
        for kind in kinds:
            kinds[kind] += link.startswith(kind)
    assert min(kinds.values()) > 5


def test_the_index_stays_and_marks_what_is_read(report):
    with opened(report, 1366, 768) as page:
        page.locator(".index a[href='#fig6']").click()
        page.wait_for_function("document.querySelector('.index [aria-current]').hash === '#fig6'")
        assert page.evaluate("scrollY") > 1000
        assert page.locator(".index").bounding_box()["y"] == 0
        assert in_sight(page, "#fig6 h2")


def test_an_address_leads_to_its_claim(report):
    with opened(report) as page:
        page.evaluate("location.hash = 'claim-linear_ticl'")
        page.wait_for_function("scrollY > 500")
        assert in_sight(page, "#claim-linear_ticl .claim")


def test_the_menu_leads_where_it_says(report):
    with opened(report, 1366, 768) as page:
        page.locator(".index a[href='#runs']").click()
        page.wait_for_function("scrollY > 1000")
        page.get_by_role("link", name="Workflow").click()
        page.wait_for_selector("#app #rulegraph :is(svg, canvas)")
        assert in_sight(page, "#app #rulegraph")
        assert page.locator("#front").count() == 0
        page.get_by_role("link", name="Home").click()
        page.wait_for_selector("#front")
        assert page.evaluate("scrollY") == 0
        page.locator(".index a[href='#runs']").click()
        page.wait_for_function("scrollY > 1000")
        page.get_by_role("link", name="Home").click()
        page.wait_for_function("scrollY === 0")
        page.locator(".index a[href='#configuration']").click()
        page.wait_for_function("scrollY > 1000")
        page.get_by_role("link", name="Statistics").click()
        page.wait_for_selector("#app #timeline :is(svg, canvas)")
        assert page.evaluate("scrollY") == 0
        assert in_sight(page, "#app #runtimes")


def test_on_a_phone_the_menu_opens_when_asked(report):
    with opened(report, 390, 844) as page:
        page.get_by_text("Workflow").wait_for(state="hidden")
        menu = page.get_by_role("link", name="Open the menu")
        title, button = page.locator("#front h1").bounding_box(), menu.bounding_box()
        assert button["y"] + button["height"] <= title["y"]
        menu.click()
        page.get_by_role("link", name="Workflow").click()
        page.wait_for_selector("#app #rulegraph")
        page.wait_for_function(
            "!document.querySelector('nav ul')?.checkVisibility({checkVisibilityCSS: true})"
        )


def test_on_a_phone_escape_closes_the_menu(report):
    with opened(report, 390, 844) as page:
        page.get_by_role("link", name="Open the menu").press("Enter")
        page.get_by_role("link", name="Workflow").wait_for()
        page.keyboard.press("Escape")
        page.get_by_text("Workflow").wait_for(state="hidden")
        focused = "document.activeElement.querySelector('[aria-label]')?.getAttribute('aria-label')"
        page.wait_for_function(f"{focused} === 'Open the menu'")


STOPS = """() => [...document.querySelectorAll(
    'a[href], button, input, select, textarea, summary, [tabindex="0"]'
)].filter((element) => element.checkVisibility({checkVisibilityCSS: true}))"""
STOP = f"""() => {{
    const element = document.activeElement, look = getComputedStyle(element);
    const {{top, bottom, left, right}} = element.getBoundingClientRect();
    return {{
        place: ({STOPS})().indexOf(element),
        seen: bottom > 0 && top < innerHeight && right > 0 && left < innerWidth,
        marked: look.outlineStyle !== "none" || look.boxShadow !== "none",
    }};
}}"""


@pytest.mark.parametrize("width", [390, 1366])
def test_tab_leads_through_the_page_once_in_its_order(report, width):
    """And what has the focus is in sight and marked."""
    with opened(report, width, 800) as page:
        if width < 800:
            page.get_by_text("Workflow").wait_for(state="hidden")
        count = len(page.evaluate(f"({STOPS})().map((element) => element.tagName)"))
        for expected in range(count):
            page.keyboard.press("Tab")
            assert page.evaluate(STOP) == {"place": expected, "seen": True, "marked": True}
        page.keyboard.press("Tab")  # and out again
        assert page.evaluate("document.activeElement === document.body")


def test_the_keyboard_alone_suffices(report):
    with opened(report, 1366, 768) as page:
        reached = set()
        for _ in range(120):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate(
                    "(document.activeElement.getAttribute('aria-label') || "
                    "document.activeElement.textContent || '').trim()"
                )
            )
            if "Figure 6: The theory's predictions against training" in reached:
                break
        assert {"Workflow", "Statistics", "Finding", "Verdicts"} <= reached
        page.keyboard.press("Enter")
        page.wait_for_function("document.querySelector('.index [aria-current]').hash === '#fig6'")
        before = page.evaluate("scrollY")
        page.keyboard.press("PageDown")
        page.wait_for_function(f"scrollY > {before}")


@pytest.mark.parametrize("width", [390, 1366])
def test_no_one_is_kept_out(report, width):
    with opened(report, width) as page:
        assert browser.barriers(page) == []
        for name in ("Workflow", "Statistics", "Figures"):
            if width < 800:
                page.get_by_role("link", name="Open the menu").click()
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_timeout(500)
            assert browser.barriers(page) == [], name


@pytest.mark.parametrize("width", [800, 1500])
def test_figures_are_visible_and_whole(report, finished, width):
    with opened(report, width) as page:
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
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_captions_carry_numbers(report, verdicts):
    with opened(report) as page:
        captions = page.locator("#front figcaption").all_inner_texts()
        assert all(re.search(r"\d", caption) for caption in captions)
        assert all("data " in caption for caption in captions)
        fig6 = page.locator("#fig6 figcaption").inner_text()
        (verdict,) = (v for v in verdicts if v["id"] == "linear_ticl")
        for criterion in verdict["criteria"]:
            assert f"{criterion['quantity']} {criterion['value']:.3g} [" in fig6
        assert f"{verdict['replicates']} replicates" in fig6


def test_runs_runtimes_and_configuration_are_told(report):
    with opened(report) as page:
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
