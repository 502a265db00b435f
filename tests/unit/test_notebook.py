"""The notebook runs, from its own folder as Jupyter runs it, and draws what it says."""

import nbformat
import pytest
from checkout import ROOT
from icl import text
from icl.store import files
from icl.verdicts import Verdict
from matplotlib.text import Text

NOTEBOOK = ROOT / "docs/notebooks/figure6.ipynb"


@pytest.fixture(scope="module")
def cells():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_it_draws_figure_6_with_the_gallery_s_numbers(cells, monkeypatch):
    monkeypatch.chdir(NOTEBOOK.parent)
    names = {}
    for cell in cells:
        exec(compile(cell.source, str(NOTEBOOK), "exec"), names)
    (claim,) = (
        Verdict.from_json(entry)
        for entry in files.read_json(ROOT / "docs/gallery/laptop/claims.json")
        if entry["id"] == "threshold_exponent"
    )
    written = [found.get_text() for found in names["figure"].findobj(Text)]
    slope = text.digits_text(claim.details["predicted_line"]["exponent"], 3)
    assert f"slope $1/\\nu$ = {slope}" in written
    for letter in "abcdef":
        assert any(words.startswith(f"$\\mathbf{{{letter}}}$") for words in written)


def test_it_is_short_and_holds_no_output(cells):
    lines = [line for cell in cells for line in cell.source.splitlines()]
    code = [line for line in lines if line.strip() and "import" not in line]
    assert len(code) <= 10
    assert [cell.outputs for cell in cells] == [[]] * len(cells)
