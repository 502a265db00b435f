"""The site is built without a warning, and needs no network."""

import os
import re
import subprocess
import sys

import pytest
from checkout import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(target)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return {
        str(path.relative_to(target)): path.read_text(encoding="utf-8")
        for path in target.rglob("*.html")
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
    assert "<svg viewBox" in site["reference/rules.html"]
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
