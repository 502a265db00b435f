"""What the documentation is made of is whole, and what is made of it is up to date."""

import json
import re
from pathlib import Path

import configuration
import pytest
import readme
import rulegraph
import yaml
from icl import claims
from icl.experiment import grid
from icl.experiment.yaml_files import load_yaml
from markdown import markdown
from markdown.extensions.toc import slugify

ROOT = Path(__file__).resolve().parents[2]


def test_the_tables_of_keys_are_up_to_date():
    current = configuration.README.read_text(encoding="utf-8")
    assert current == configuration.readme(), "run `make docs`"
    schema = configuration.EDITORS.read_text(encoding="utf-8")
    assert schema == configuration.editors_schema(), "run `make docs`"


@pytest.mark.parametrize("word", ["meaning", "description"])
def test_a_key_without_words_is_refused(word):
    node = {"meaning": "m", "description": "d"}
    del node[word]
    with pytest.raises(KeyError, match=f"a.b has no {word}"):
        configuration.table([("a.b", node)])


def test_every_setting_is_in_the_table():
    schema = configuration.Configuration.model_json_schema()
    listed = {path for path, _ in configuration.setting_keys(schema)}
    for group in ("Model", "Task", "Optimiser", "Evaluation", "Stop", "Seeds"):
        for name in schema["$defs"][group]["properties"]:
            key = f"{group.lower()}.{name}"
            assert any(path == key or path.startswith(f"{key}.") for path in listed), key


def test_every_statistic_is_described():
    for line in configuration.statistics().split("\n\n")[0].splitlines()[2:]:
        assert re.search(r"\| [A-Z][^|]+\. \|", line), line


def gallery(size):
    """The verdicts of a gallery, by claim."""
    verdicts = json.loads((ROOT / f"docs/gallery/{size}/claims.json").read_text(encoding="utf-8"))
    return {verdict["id"]: verdict for verdict in verdicts}


@pytest.mark.parametrize("page", readme.MADE, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_pages_say_of_verdicts_is_up_to_date(page):
    assert page.read_text(encoding="utf-8") == readme.filled(page), "run `make docs`"


def test_every_verdict_is_in_the_readme_once():
    """Of 23 claims; a claim without data is not run."""
    found = readme.outcomes()
    assert found["study"].keys() == gallery("study").keys() >= gallery("laptop").keys()
    assert found["laptop"]["linear_ticl"] == gallery("laptop")["linear_ticl"]["verdict"]
    assert found["laptop"]["rate_exponent"] == "not run"  # no such claim
    assert found["extended"]["abrupt_acquisition"] == "reproduced"
    unrun = {"id": "x", "verdict": "undecided", "reason": "there are no data of a"}
    assert readme.outcome(unrun) == "not run"


def test_a_page_without_its_mark_is_refused(monkeypatch, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("no mark")
    monkeypatch.setitem(readme.MADE, page, {"tally": readme.tally})
    with pytest.raises(ValueError, match="tally: made by `make docs` --> is there 0 times"):
        readme.filled(page)


def test_the_readme_is_short():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 120
    assert not [line for line in lines if len(line) > 120]
    start = "\n".join(lines[:25])
    for word in ("arxiv.org/abs/2412.00104", "| study: ", "make all", "make test", "report.png"):
        assert word in start, word


@pytest.mark.parametrize("name", ["claims", "study_claims", "beyond_claims"])
def test_each_claim_has_a_title_and_pages_that_explain_it(name):
    for claim, entry in load_yaml(ROOT / f"config/{name}.yaml")["claims"].items():
        assert entry["title"], claim
        assert entry["docs"], claim
        for link in entry["docs"]:
            page, _, heading = link.partition("#")
            text = (ROOT / "docs" / page).read_text(encoding="utf-8")
            headings = {slugify(line, "-") for line in re.findall(r"(?m)^#+ (.+)$", text)}
            assert not heading or heading in headings, f"{claim}: {link}"


@pytest.mark.parametrize(
    ("file", "size"),
    [("claims", "laptop"), ("study_claims", "study"), ("study_claims", "extended")],
)
def test_no_band_has_changed_since_the_gallery_was_judged(file, size):
    settings = grid.merge(*(load_yaml(ROOT / f"config/{name}.yaml") for name in (file, size)))
    judged = gallery(size)
    assert judged.keys() == settings["claims"].keys()
    for name, claim in settings["claims"].items():
        without_data = claims.evaluate(claim, name, {}, size).to_json()
        assert judged[name]["band_digest"] == without_data["band_digest"], name


@pytest.mark.parametrize("page", ["docs/tutorial.md", "docs/howto/change-a-grid.md"])
def test_more_seeds_in_an_example_are_new_blocks_of_the_laptop_size(page):
    """An example ages when the preset grows past it."""
    laptop = load_yaml(ROOT / "config/laptop.yaml")
    text = (ROOT / page).read_text(encoding="utf-8")
    overlay = next(
        yaml.safe_load(block)
        for block in re.findall(r"```yaml.*\n((?:.*\n)*?)```", text)
        if "seeds: {count" in block
    )
    ((name, changed),) = overlay["experiments"].items()
    jobs = [
        {job.name for job in grid.expand(laptop["defaults"], experiment)}
        for experiment in (
            laptop["experiments"][name],
            grid.merge(laptop["experiments"][name], changed),
        )
    ]
    assert jobs[0] < jobs[1]


DOT = """digraph snakemake_dag {
    0[label = "all", color = "x"];
    1[label = "draw_fig1", color = "x"];
    2[label = "draw_figA1", color = "x"];
    3[label = "predict", color = "x"];
    1 -> 0
    2 -> 0
    3 -> 1
    3 -> 2
}"""


def test_the_graph_of_rules_is_read_and_drawn():
    edges = rulegraph.read(DOT)
    assert edges == {("draw_*", "all"), ("predict", "draw_*")}
    assert rulegraph.layers(edges) == [["predict"], ["draw_*"], ["all"]]
    drawn = rulegraph.svg(edges | {("predict", "all")})
    assert drawn.count("<path") == 3
    assert drawn.count("<rect") == 3


def links(text: str) -> list[str]:
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    return [link for link in re.findall(r"\]\(([^)#]+)", prose) if "://" not in link]


PAGES = [
    path
    for pattern in ("*.md", "config/*.md", "results/*.md", "docs/**/*.md")
    for path in sorted(ROOT.glob(pattern))
]
WRITTEN = [path for path in PAGES if path.name != "claims.md"]  # those the workflow writes


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_files_lead_somewhere(page):
    for link in links(page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


MOST = 90  # words of a paragraph


def paragraphs(text: str) -> list[str]:
    """Split a page's prose into paragraphs and items of lists; leave code, tables, headings out."""
    text = re.sub(r"(?ms)^```.*?^```$|<!--.*?-->", "\n\n", text)
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", text)
    return [block for block in blocks if not re.match(r"\s*(\||#|<|!\[)", block)]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_paragraph_is_longer_than_a_breath(page):
    for paragraph in paragraphs(page.read_text(encoding="utf-8")):
        words = re.sub(r"(?<=\])\([^)]*\)|(?<=\$)[^$]+(?=\$)", "", paragraph).split()
        assert len(words) <= MOST, paragraph


@pytest.mark.parametrize("page", WRITTEN, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_star_of_k_is_taken_for_emphasis(page):
    """Markdown makes italics of what stands between two of them, or breaks bold text."""
    html = markdown(page.read_text(encoding="utf-8"), extensions=["tables", "fenced_code"])
    taken = re.findall(r"<em>[^<]*K</em>|K<em>[^<]*</em>|</(?:em|strong)>\*", html)
    assert not taken
