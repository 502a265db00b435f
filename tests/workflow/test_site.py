"""The site is built without a warning, needs no network, and shows what it should."""

import os
import re
import subprocess
import sys

import browser
import pytest
import rulegraph
from checkout import ROOT


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return target


@pytest.fixture(scope="module")
def site(built):
    return {
        str(path.relative_to(built)): path.read_text(encoding="utf-8")
        for path in built.rglob("*.html")
    }


LOADS = re.compile(
    r"""<(?:script|img|iframe)[^>]*\ssrc="(https?:[^"]+)"|<link[^>]*stylesheet[^>]*(https?:\S+)"""
)


def test_nothing_is_loaded_from_elsewhere(site):
    assert len(site) > 20
    assert not {path for path, html in site.items() if LOADS.search(html)}


def test_formulas_are_mathml(site):
    assert site["physics.html"].count("<math ") > 20
    assert "arithmatex" not in site["physics.html"]
    assert "$" not in re.sub(r"(?s)<script.*?</script>", "", site["physics.html"])


def test_references_are_filled(site):
    assert "model.attend_to" in site["reference/configuration.html"]
    assert "digest of all that determines" in site["reference/results.html"]
    assert "draw_sequences" in site["reference/library/task.html"]
    assert "t_icl_near_origin" in site["reference/library/theory.html"]


def test_links_to_files_elsewhere_lead_to_their_pages(site):
    assert 'href="../reference/configuration.html"' in site["howto/change-a-grid.html"]
    assert 'href="reference/library/icl.html"' in site["index.html"]


def test_rules_are_in_the_reference(site):
    page = site["reference/rules.html"]
    text = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    for name in re.findall(r"(?m)^rule (\w+):", text):
        assert f"<code>{name}</code>" in page, name


# For every line of the graph: how many boxes it runs through, from a pixel inside their edges.
CROSSED = """svg => [...svg.querySelectorAll("path")].map(path => {
    const inside = (r, p) => p.x > r.x + 1 && p.x < r.x + r.width - 1
        && p.y > r.y + 1 && p.y < r.y + r.height - 1
    const at = i => path.getPointAtLength(i / 199 * path.getTotalLength())
    const points = [...Array(200).keys()].map(at)
    const boxes = [...svg.querySelectorAll("rect")].map(rect => rect.getBBox())
    return boxes.filter(box => points.some(point => inside(box, point))).length
})"""
# For every table that a page has wrapped: by how many pixels it is wider than what is shown.
CUT = """() => [...document.querySelectorAll(".md-typeset__scrollwrap")]
    .map(e => e.scrollWidth - e.clientWidth)"""


def test_the_graph_of_rules_is_drawn_on_its_page(built):
    edges = rulegraph.ask()
    names = {name for edge in edges for name in edge}
    assert {"train_*", "draw_*"} < names
    with browser.opened(built / "reference/rules.html", 1366, beside=built) as page:
        graph = page.get_by_role("img", name="graph of rules")
        labels, boxes = graph.locator("text"), graph.locator("rect")
        assert set(labels.all_text_contents()) == names
        frame = graph.bounding_box()
        for i in range(boxes.count()):
            box, label = boxes.nth(i).bounding_box(), labels.nth(i).bounding_box()
            assert frame["x"] <= box["x"] < label["x"]
            assert label["x"] + label["width"] < box["x"] + box["width"]
            assert box["x"] + box["width"] <= frame["x"] + frame["width"]
            assert abs(box["y"] + box["height"] / 2 - label["y"] - label["height"] / 2) < 3
        assert graph.evaluate(CROSSED) == [0] * len(edges)


def test_no_table_of_a_page_is_cut_at_a_laptops_width(built, site):
    pages = [name for name in site if not name.startswith(("reference/library/", "404"))]
    tables = 0
    with browser.opened(built / "index.html", 1366, beside=built) as page:
        for name in pages:
            page.goto((built / name).as_uri(), wait_until="load")
            page.wait_for_function(
                "document.querySelectorAll('article table:not([class])').length =="
                " document.querySelectorAll('.md-typeset__scrollwrap').length"
            )
            hidden = page.evaluate(CUT)
            assert max(hidden, default=0) <= 0, name
            tables += len(hidden)
    assert tables > 40


def test_the_gallery_shows_every_figure_with_its_verdicts(built):
    with browser.opened(built / "gallery/index.html", 1366, beside=built) as page:
        shown = page.locator("article td img")
        figures = {f"{path.parent.name}/{path.name}" for path in ROOT.glob("docs/gallery/*/*.png")}
        assert {image.get_attribute("src") for image in shown.all()} == figures
        for image in shown.all():
            image.scroll_into_view_if_needed()
            image.evaluate("i => i.decode()")
            assert image.bounding_box()["width"] > 200
        badge = page.locator(".verdict.not-reproduced a", has_text="rate_exponent").first
        badge.click()
        assert page.locator("h2:target").inner_text().startswith("rate_exponent: not reproduced")


@pytest.mark.parametrize("words", ["weight decay", "transience", "checkpoint"])
def test_a_search_finds_prose_before_source_and_numbers(built, words):
    with browser.opened(built / "index.html", 1366, beside=built) as page:
        page.locator(".md-search__input").click()
        page.keyboard.type(words)
        page.locator(".md-search-result__meta", has_text="matching").wait_for()
        results = page.locator(".md-search-result__item > .md-search-result__link")
        scrolled = page.locator(".md-search__scrollwrap")
        shown = 0
        while results.count() > shown:  # those beyond the first screen come as one scrolls
            shown = results.count()
            scrolled.evaluate("e => e.scrollTo(0, e.scrollHeight)")
            page.wait_for_timeout(500)
        found = [link.get_attribute("href") for link in results.all()]
        late = ["reference/library" in link or "claims.html" in link for link in found]
        assert not any(late[:3]), found
        assert any(late)
