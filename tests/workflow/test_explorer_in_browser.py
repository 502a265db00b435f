"""The explorer's controls, driven in a browser."""

import browser
import pytest

pytestmark = pytest.mark.workflow
DRAWN = "document.getElementById('plot').data"


@pytest.fixture(scope="module")
def page(finished):
    with browser.opened(finished.path / "results/smoke/explorer.html") as opened:
        opened.wait_for_selector("#plot .main-svg")
        opened.select_option("#experiment", "transition")
        yield opened


def drawn(page, axis="y"):
    return page.evaluate(f"{DRAWN}.filter(t => t.yaxis === '{axis}').length")


def test_every_run_is_drawn_at_first(page):
    assert drawn(page) == 2 * 16  # ICL and IWL of 4 seeds at 4 K
    assert drawn(page, "y2") == 16
    assert page.locator("#plot .scatterlayer .trace").count() == 48
    assert page.locator("#notice").inner_text() == "All 16 runs are drawn."
    labels = page.locator("#choose-n_items label").all_inner_texts()
    shades = page.locator("#scale .shade").all_inner_texts()
    assert [text.strip() for text in labels] == shades
    assert (page.evaluate("document.documentElement.innerHTML.length")) < 15e6


def test_k_and_seeds_are_chosen(page):
    page.locator("#choose-n_items input").first.uncheck()
    assert drawn(page, "y2") == 12
    page.locator("#no-seeds").click()
    assert drawn(page, "y2") == 0
    page.locator("#seeds input").nth(1).check()
    assert drawn(page, "y2") == 3
    page.locator("#all-seeds").click()
    page.locator("#choose-n_items input").first.check()
    assert drawn(page, "y2") == 16


def test_quantity_and_clock_are_chosen(page):
    last = f"Math.max(...{DRAWN}[0].x)"
    time = page.evaluate(last)
    page.check("input[value=step]")
    assert page.evaluate(last) == 600
    page.check("input[value=time]")
    assert page.evaluate(last) == time == pytest.approx(180)
    page.select_option("#lower", "iwl_loss")
    assert "without a copy" in page.locator("#plot .annotation").last.text_content()
    page.check("#log-y")
    assert page.evaluate("document.getElementById('plot').layout.yaxis2.type") == "log"


def test_a_runs_provenance_by_hovering_and_from_the_keyboard(page):
    page.focus("#run")
    page.keyboard.press("ArrowDown")
    about = page.locator("#about")
    for word in ("transition", "seed", "commit", "device", "model one_layer"):
        assert word in about.inner_text()
    page.select_option("#experiment", "acquisition")
    assert "Point at a curve" in about.inner_text()
    box = page.locator("#plot .nsewdrag").first.bounding_box()
    for i in range(40):  # somewhere on this diagonal there is a curve
        page.mouse.move(
            box["x"] + box["width"] * (0.02 + 0.01 * i), box["y"] + box["height"] * i / 40
        )
        page.wait_for_timeout(100)  # the plotting library looks at the mouse now and then
        if "acquisition" in about.inner_text():
            break
    assert "acquisition: N = " in about.inner_text()
    assert "∞" in about.inner_text()


def test_every_control_is_reached_by_the_tab_key(page):
    controls = page.evaluate(
        "[...document.querySelectorAll('aside :is(select, input, button)')]"
        ".every(control => control.tabIndex >= 0)"
    )
    assert controls
    page.focus("#experiment")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.type") == "checkbox"
    before = drawn(page, "y2")
    page.keyboard.press("Space")
    assert drawn(page, "y2") < before
    page.keyboard.press("Space")
    assert drawn(page, "y2") == before


def test_every_experiment_can_be_shown(page):
    for name in page.locator("#experiment option").all_inner_texts():
        page.select_option("#experiment", name)
        assert drawn(page, "y2") > 0, name
        overlaid = page.evaluate(f"{DRAWN}.some(t => t.name === 'theory')")
        assert page.locator("#theory").is_enabled() == overlaid, name
