"""Bad overlays through the real Snakemake: refused before any job, by name, with no traceback."""

import json

import pytest
from checkout import Checkout
from icl.store import artifacts

pytestmark = pytest.mark.workflow

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    return Checkout(tmp_path_factory.mktemp("fresh"))


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        # What Snakemake's own reading of the file would end in a traceback on.
        ("a: &a {b: *a}", "my.yaml: is nested more than 50 levels deep, or holds itself"),
        (LAUGHS, "my.yaml: has more than 1000000 values"),
        ("defaults: {steps: " + "9" * 5000 + "}", "my.yaml: is not valid YAML"),
        ("defaults: {steps: 2001-99-99}", "my.yaml: is not valid YAML"),
        ("name: é".encode("latin-1"), "my.yaml: is not valid YAML"),
        ("defaults: {steps: !!int abc}", "my.yaml: is not valid YAML"),
        ("a: " + "[" * 900 + "]" * 900, "levels deep"),
        # What is no configuration.
        ("", "my.yaml: must be a mapping"),
        ("- a", "my.yaml: must be a mapping"),
        ("a: {", "my.yaml: is not valid YAML"),
        ("yes: 1", "my.yaml: is not valid YAML: yes is a truth value to YAML"),
        ("name: !!python/object/apply:os.system ['touch pwned']", "my.yaml: is not valid YAML"),
        # What is one, with a fault.
        ("name: ../../escape", "my.yaml: name: '../../escape' is not allowed"),
        ("name: $(touch pwned)", "my.yaml: name: '$(touch pwned)' is not allowed"),
        ('name: "mine\\n"', "my.yaml: name: 'mine\\n' is not allowed"),
        ("experiments: {'a b; touch pwned': {}}", "experiments.a b; touch pwned: this name is not"),
        ("experiments: {größe: {}}", "my.yaml: experiments.größe: this name is not allowed"),
        ("claims: {'../x': {}}", "my.yaml: claims.../x: this name is not allowed"),
        ("defaults: {steps: .inf}", "my.yaml: defaults.steps: inf is not allowed"),
        ("defaults:", "my.yaml: defaults: None is not allowed; allowed: a mapping"),
        ("experiments: {transition: {seeds: {count: true}}}", "seeds.count: True is not allowed"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_bad_overlay_is_refused(fresh, overlay, expected):
    text = overlay if isinstance(overlay, bytes) else overlay.encode()
    (fresh.path / "my.yaml").write_bytes(text)
    before = sorted(fresh.path.iterdir())
    result = fresh.snakemake("--dry-run", "all", "my.yaml", check=False)
    assert result.returncode != 0
    assert expected in result.output
    assert "Traceback" not in result.output
    assert {path.name for path in fresh.path.iterdir()} - {path.name for path in before} <= {
        ".snakemake"
    }


def test_make_says_what_is_wrong_once(fresh):
    (fresh.path / "my.yaml").write_text("stepz: 3")
    made = fresh.make("all", "OVERLAY=my.yaml")
    assert made.returncode != 0
    assert (made.stdout + made.stderr).count("stepz: unknown key") == 1


def test_hostile_words_are_only_words(fresh):
    """A description may say anything: it reaches the artifact as it is, and nothing runs it."""
    words = """$(touch pwned) `touch pwned` "; touch pwned; ' {output} {wildcards.job} ../../x"""
    (fresh.path / "my.yaml").write_text(
        json.dumps(
            {
                "experiments": {
                    "transition": {
                        "description": words,
                        "grid": [{"context_length": 6, "n_items": 16}],
                        "steps": 20,
                        "evaluation": {"every": 10},
                    }
                }
            }
        )
    )
    collected = "results/smoke/collected/transition.nc"
    fresh.snakemake(collected, "my.yaml")
    assert artifacts.read(fresh.path / collected).attrs["title"].endswith(words)
    assert not list(fresh.path.rglob("pwned"))


def test_a_hostile_title_ends_no_script_of_the_report(copy_of_small):
    """The real report has it twice in a script: as a label, and as a parameter of the rule."""
    title = "</script><script>pwned()</script><!-- K"
    path = copy_of_small.path
    figure = {"title": title, "experiments": {"kinetics": "kinetics"}, "claims": []}
    (path / "my.yaml").write_text(json.dumps({"figures": {"fig1": figure}}))
    copy_of_small.snakemake("report", "my.yaml")
    report = (path / "results/smoke/report.html").read_text(encoding="utf-8")
    assert report.count("pwned()") >= 2  # the words are there
    assert "<script>pwned()" not in report
    assert "<!-- K" not in report
