"""Captions and first page of the report say what the files say."""

import base64
import io
import json
import re

import docutils.core
import jinja2
import pytest
import synthetic
from checkout import ROOT
from committed import predicted
from docutils.utils import SystemMessage
from icl import text as wording
from icl.pages import captions, front, sketch
from icl.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Estimate
from made_up import HOSTILE, criterion, verdict
from PIL import Image

FIGURE = {"title": "T", "experiments": {"acquisition": "acquisition"}, "claims": ["linear_ticl"]}


def rendered(template, found=None):
    data = {"acquisition": synthetic.acquisition()}
    return captions.render(template, FIGURE, data, {"linear_ticl": found or verdict()}, "laptop")


def test_a_caption_carries_its_numbers():
    text = rendered("N, size {{ preset }}: {{ quote('linear_ticl', 'exponent') }}.")
    assert text.startswith("N, size laptop: 1.17 [1.00, 1.37].")
    assert "*undecided*: exponent 1.17 [1, 1.37], band 0.8 to 1.3. 64 replicates, 3 cen" in text
    assert "batch 128" in text
    assert "``acquisition``" in text
    html = front.caption_html(text)
    assert "1.17 [1.00, 1.37]" in html
    assert "<li>" in html


def test_a_caption_follows_the_verdict():
    other = verdict(verdict="reproduced", replicates=640)
    assert "*reproduced*" in rendered("x", other)
    assert "640 replicates" in rendered("x", other)
    assert "*undecided* (try 2): " in rendered("x", verdict(tries=2))


@pytest.mark.parametrize("template", ["{{ nothing }}", "{{ quote('linear_ticl') }}", "{% if %}"])
def test_a_caption_that_names_what_there_is_not_is_refused(template):
    with pytest.raises((jinja2.TemplateError, TypeError)):
        rendered(template)


def test_a_caption_that_is_no_sound_markup_is_refused():
    with pytest.raises(SystemMessage):
        front.caption_html("An *open emphasis.\n")


def test_escaped_text_comes_back_as_written():
    text = "t_ICL_ and *stars* |bars| `ticks` \\ <1>"
    html = front.caption_html(captions.escape(text))
    assert "t_ICL_ and *stars* |bars| `ticks` \\ &lt;1&gt;" in html


def test_figures_are_named_and_ordered_as_in_the_paper():
    ids = ["figA4", "fig10", "zipf", "fig6", "figA1", "fig2"]
    assert sorted(ids, key=captions.paper_order) == [
        *("fig2", "fig6", "fig10", "figA1", "figA4", "zipf")
    ]
    assert captions.printed_name("figA4") == "Figure A.4"
    assert captions.printed_name("figB1") == "Figure B.1"


def drawing(**changes):
    return sketch.interval(verdict(criteria=[criterion(**changes)]).criteria[0])


def numbers(svg, element, *names):
    import re

    tag = re.search(rf"<{element}[^>]*>", svg)[0]
    return [float(re.search(rf'\b{name}="([-\d.]+)"', tag)[1]) for name in names]


def test_an_interval_is_drawn_over_its_band():
    svg = drawing()
    x, width = numbers(svg, 'rect class="band"', "x", "width")
    start, end = numbers(svg, "line", "x1", "x2")
    (dot,) = numbers(svg, "circle", "cx")
    # The band 0.8 to 1.3 starts before the interval 1 to 1.371 and ends inside it.
    assert x < start < dot < x + width < end


def test_an_open_band_and_an_open_interval_reach_the_margin():
    svg = drawing(band=[None, 1.3], interval=[1.0, "infinity"])
    assert numbers(svg, 'rect class="band"', "x") == [0]
    assert numbers(svg, "line", "x2") == [sketch.WIDTH]
    assert drawing(value=None, interval=[None, None]) == ""


def scale(svg):
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_sketch_says_where_its_ends_are():
    assert scale(drawing()) == ["0.8", "1.3", "1", "1.37"]
    assert scale(drawing(band=[None, -0.2], interval=[-0.5, -0.1], value=-0.3)) == [
        *("\N{MINUS SIGN}0.2", "\N{MINUS SIGN}0.5", "\N{MINUS SIGN}0.1")
    ]
    assert scale(drawing(value=0.0, interval=[0.0, 0.0], test=True, band=[None, 0.05])) == ["0.05"]
    positions = [float(x) for x in re.findall(r'<text x="([-\d.]+)"', drawing())]
    assert all(40 < x < sketch.WIDTH - 40 for x in positions)  # room for a number


def test_what_users_write_cannot_become_markup():
    assert "&lt;in&gt;" in front.render("{{ text }}", text=verdict().statement)


@pytest.mark.parametrize(("p", "text"), [(0.0, "p < 0.0001"), (0.0032, "p = 0.0032")])
def test_no_p_is_said_to_be_zero(p, text):
    assert wording.measured_text(Estimate(p, p, p, test=True)) == text


def test_tally():
    kinds = [REPRODUCED, REPRODUCED, UNDECIDED]
    assert front.tally(verdict(verdict=kind) for kind in kinds) == {
        REPRODUCED: 2,
        UNDECIDED: 1,
        NOT_REPRODUCED: 0,
    }


def test_claims_are_in_the_order_of_the_paper():
    sources = [
        *("Figures 2 b, c; section 3.1", "Figure 2 d", "Figure 6 d; equation 16", "Figure A.2"),
        *("section 3.4, equation 6", "sections 3.7 and 4", "abstract"),
    ]
    found = [verdict(source=source) for source in reversed(sources)]
    ordered = [entry.source for entry in sorted(found, key=front.order_of_paper)]
    assert ordered == sources


def row(found=None, claim=None, **datasets):
    claim = claim or {"experiments": {"acquisition": "acquisition", "flow": "initial_conditions"}}
    figures = [{"id": "fig6", "claims": ["linear_ticl"]}, {"id": "fig1", "claims": []}]
    return front.claim_row(found or verdict(), claim, figures, datasets)


def test_a_claim_leads_to_all_that_it_rests_on():
    trained, theory = synthetic.acquisition(), synthetic.acquisition().drop_dims("run")
    claim = {
        "title": "t_ICL is linear",
        "docs": ["physics.md#the-race"],
        "experiments": {"a": "acquisition", "b": "initial_conditions", "c": "not_run"},
    }
    found = row(claim=claim, acquisition=trained, initial_conditions=theory)
    assert found["title"] == "t_ICL is linear"
    assert found["figures"] == ["fig6"]
    assert found["data"] == {
        "acquisition": "collected/acquisition.nc",
        "initial_conditions": "theory/initial_conditions.nc",
    }
    assert found["docs"] == {"physics": "docs/physics.md#the-race"}
    assert found["curves"] == "experiment=acquisition&claim=linear_ticl"
    source = (ROOT / found["code"]).read_text(encoding="utf-8")
    assert "def linear_ticl(" in source


def test_a_claim_without_data_title_or_statistic_is_still_shown():
    found = row(verdict(statistic="gone"), {"experiments": {"a": "not_run"}})
    assert found["title"] == "linear ticl"
    assert (found["data"], found["code"], found["docs"], found["curves"]) == ({}, "", {}, "")


def test_a_figure_has_a_thumbnail(tmp_path):
    path = tmp_path / "figure.png"
    Image.new("RGB", (1750, 1000), "white").save(path)
    found = front.picture(path)
    assert found["width"] == 875
    small = Image.open(io.BytesIO(base64.b64decode(found["thumbnail"].partition(",")[2])))
    assert small.width <= 360
    assert small.width / small.height == pytest.approx(1.75, rel=0.02)


def test_runtimes_are_summed_by_stage(tmp_path):
    for name, row in {
        "train/transition/a": "10.5\t300.0",
        "train/transition/b": "20.5\t-",
        "summarise": "1.5\t90.0",
    }.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"s\tmax_rss\n{row}\n")
    first, second = front.runtimes(tmp_path)
    assert first == {
        "stage": "train transition",
        "jobs": 2,
        "total": 31.0,
        "longest": 20.5,
        "memory": 300.0,
    }
    assert second["stage"] == "summarise"
    assert front.runtimes(tmp_path / "none") == []


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_a_title_ends_no_script(words):
    """Snakemake's report has labels as JSON in a script, as `json.dumps` writes them."""
    written = json.dumps({"title": wording.in_script(words)}, ensure_ascii=False)
    page = f"<script>var results = {written};</script>"
    assert page.count("</script") == 1
    assert page.count("<script") == 1
    assert "<!--" not in page
    assert not re.search("[\u202e\u2066\x07\n]", page)
    assert wording.in_script("K* against N") == "K* against N"


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_words_from_files_are_only_words(words):
    """As units, ids and verdicts of an archive's JSON, and as attributes of its theory."""
    judged = criterion(unit=words, quantity=words)
    found = verdict(id=words, verdict=words, criteria=[judged])
    theory = predicted("landscape", n_grid=10, n_times=10, time_max=1.0).assign_attrs(
        data_digest=words, missing_blocks="[]", starts=words, **{"evil": words, words: 1}
    )
    figure = {"title": words, "experiments": {"a": "landscape"}, "claims": ["c"]}
    caption = captions.render(
        "Title {{ figure.title }}, {{ verdict('c') }}.", figure, {"a": theory}, {"c": found}, words
    )
    assert "evil" not in caption
    html = front.caption_html(caption)
    # Snakemake renders it as a template, then as reStructuredText.
    again = jinja2.Environment().from_string(captions.literal(captions.raw(html))).render()
    (node,) = docutils.core.publish_doctree(again).children
    assert (node.tagname, node.astext()) == ("raw", html.strip())
    ours = re.sub("<strong>(Measured|Drawn from)</strong>|<code>landscape</code>", "", html)
    assert not re.search(
        "<(script|a|strong|code|!--|math)", re.sub("<code.*?landscape.*?>", "", ours)
    )
    assert "root:" not in html
    assert not re.search("[\u202e\u2066\x07]", html)
    for word in re.findall(r"[a-z]{5,}", words):
        assert word in html


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_words_become_markup_of_the_first_page(words):
    """As all that claims, figures and configuration say."""
    judged = criterion(unit=words, quantity=words, description=words)
    found = verdict(
        **dict.fromkeys(("statement", "source", "paper_value", "reason", "statistic"), words),
        criteria=[judged],
        tries=2,
        repeats=0.5,
    )
    claim = {"title": words, "docs": [words], "experiments": {"a": "acquisition"}}
    titled = {
        "id": "fig6",
        "name": words,
        "title": wording.in_script(words),
        "caption": "",
        "claims": ["linear_ticl"],
        "picture": {"uri": "", "thumbnail": "", "width": 1},
    }
    html = front.render(
        (ROOT / "workflow/report/front.html").read_text(encoding="utf-8"),
        preset=words,
        about=words,
        tally=front.tally([found]),
        rows=[row(found, claim, acquisition=synthetic.acquisition())],
        figures=[titled],
        names={"fig6": words},
        experiments=[],
        runtimes=[],
        configuration={words: words},
        checkout="../..",
        explorer="explorer.html",
    )
    assert not re.search(r"<(script|!--|strong)|href=.javascript", html)
    assert "&lt;" in html or "<" not in words
    assert not re.search("[\u202e\u2066\x07]", html)
    assert not re.search("[<>]", re.sub(r"<[^<>]*>", "", html))
