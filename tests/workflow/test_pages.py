"""The documentation's worked examples work, with the laptop size shrunk to the smoke size."""

import shutil
from pathlib import Path

import pages
import pytest
import yaml
from checkout import ROOT, Checkout
from icl.experiment.validation import load_yaml

PAGES = [ROOT / "docs/tutorial.md"]
PAGES += [p for p in sorted((ROOT / "docs/howto").glob("*.md")) if p.stem != "README"]


EXPERIMENTS = {"transition", "acquisition"}  # what the pages speak of


@pytest.fixture(scope="module")
def finished_laptop(tmp_path_factory):
    """A checkout whose laptop size, shrunk, has run."""
    checkout = Checkout(tmp_path_factory.mktemp("laptop"))
    laptop = load_yaml(checkout.path / "config/laptop.yaml")["experiments"]
    checkout.shrink(EXPERIMENTS, preset="laptop")
    # The pages add blocks of seeds to those that the laptop size has.
    shrunk = load_yaml(checkout.path / "config/laptop.yaml")
    for name in EXPERIMENTS:
        shrunk["experiments"][name] |= {key: laptop[name][key] for key in ("seeds", "block_size")}
    checkout.write("config/laptop.yaml", yaml.safe_dump(shrunk))
    checkout.snakemake("all", preset="laptop")
    return checkout


@pytest.mark.workflow
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_page_can_be_followed(page, finished_laptop, tmp_path):
    folder = tmp_path / "checkout"
    shutil.copytree(finished_laptop.path, folder, symlinks=True)
    found = pages.blocks(page.read_text(encoding="utf-8"))
    assert any(block.language == "bash" for block in found)
    for block in found:
        pages.carry_out(block, folder)


def test_blocks_are_found_with_their_titles():
    page = '```python title="a.py"\nx = 1\n```\ntext\n```bash\nls\n```\n```\nnothing\n```\n'
    assert pages.blocks(page) == [
        pages.Block("python", "a.py", "x = 1\n"),
        pages.Block("bash", "", "ls\n"),
    ]


@pytest.mark.parametrize("text", ["b\n", "a\na\n", "ba\n"])
def test_an_edit_whose_place_is_not_clear_is_refused(text):
    with pytest.raises(ValueError, match="not once"):
        pages.edited(text, " a\n+c\n")


def test_an_edit_is_applied():
    assert pages.edited("x\na\nb\n", " a\n-b\n+c\n") == "x\na\nc\n"


@pytest.mark.parametrize("block", [("bash", "", "false"), ("python", "", "raise SystemExit(1)")])
def test_a_failing_command_fails_the_page(block, tmp_path):
    with pytest.raises(AssertionError):
        pages.carry_out(pages.Block(*block), Path(tmp_path))
