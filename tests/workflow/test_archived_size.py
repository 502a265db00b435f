"""A size is packed, and a fresh clone draws the same figures from the archive, training nothing."""

import subprocess
import sys
import zipfile

import crates
import matplotlib.image
import numpy as np
import pytest
from checkout import Checkout

pytestmark = pytest.mark.workflow
EXPERIMENTS, FIGURES = {"acquisition"}, {"fig1", "fig4", "figA1", "figA4"}
RESULTS = "results/laptop"
CONFIG = f"{RESULTS}/config.json"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    checkout = Checkout(tmp_path_factory.mktemp("packed"))
    checkout.shrink(EXPERIMENTS, preset="laptop", theory=True)
    checkout.snakemake("archive", preset="laptop")
    return checkout.path / RESULTS / "archive.zip"


@pytest.fixture
def clone(archive, tmp_path):
    """A new checkout of the same files, in which the archive was opened."""
    clone = Checkout(tmp_path / "clone")
    clone.shrink(EXPERIMENTS, preset="laptop", theory=True)
    opened = [sys.executable, "scripts/open_archive.py", str(archive)]
    subprocess.run(opened, cwd=clone.path, check=True, capture_output=True, timeout=120)
    return clone


def run(clone, *targets):
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *targets, "--configfile", CONFIG],
        cwd=clone.path,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_finished_size_is_packed_whole(archive, clone):
    with zipfile.ZipFile(archive) as packed:
        names = {name.removeprefix(f"{RESULTS}/") for name in packed.namelist()}
    assert {f"collected/{name}.nc" for name in EXPERIMENTS} <= names
    assert {f"figures/{name}.{kind}" for name in FIGURES for kind in ("pdf", "png")} <= names
    assert {"analysis/long_tail.json", "claims.json", "claims.md", "config.json"} <= names
    assert {"report.html", "explorer.html", "config/3_laptop.yaml", "README.md"} <= names
    assert not any(name.startswith("train/") for name in names)
    checked = subprocess.run(  # what describes the archive was left in it
        ["sha256sum", "--check", "--ignore-missing", f"{RESULTS}/SHA256SUMS"],
        cwd=clone.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count(": OK") == len(names) - 2


def test_it_is_a_crate_that_others_read(archive):
    assert crates.breaches(archive) == set()
    assert crates.untruths(archive) == []


def test_a_fresh_clone_draws_the_same_figures(clone):
    drawn, archived = clone.path / RESULTS / "figures", clone.path / "archived"
    drawn.rename(archived)
    result = run(clone, "figures")
    assert result.returncode == 0, result.stderr
    assert not (clone.path / RESULTS / "train").exists()
    for name in FIGURES:
        new, old = (matplotlib.image.imread(place / f"{name}.png") for place in (drawn, archived))
        np.testing.assert_array_equal(new, old)


def test_figures_of_an_archive_with_marked_gaps_are_drawable(clone):
    (clone.path / RESULTS / "figures/figA4.png").unlink()
    result = run(clone, "figure_A4", "--config", "missing_blocks=mark")
    assert result.returncode == 0, result.stderr
    assert (clone.path / RESULTS / "figures/figA4.png").is_file()
