"""The workflow run from another folder, and as a module of another workflow."""

import shutil
import subprocess
import sys

import pytest
from checkout import ROOT, Checkout, yaml

pytestmark = pytest.mark.workflow

IMPORTER = """
module race:
    snakefile: "{clone}/workflow/Snakefile"
    config: {config}
{more}

use rule * from race as race_*
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A checkout whose sizes have one experiment and Figure A.4. Nothing runs in it."""
    clone = Checkout(tmp_path_factory.mktemp("clone"))
    for preset in ("smoke", "laptop"):
        clone.shrink({"acquisition"}, preset)
    return clone


def run(folder, *arguments):
    """Run Snakemake in a folder; return all that it says, whether or not it worked."""
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )
    return done.stdout + done.stderr


def imported(folder, clone, config="config", more=""):
    """Write a Snakefile that imports the workflow."""
    text = IMPORTER.format(clone=clone.path, config=config, more=more)
    (folder / "Snakefile").write_text(text)


def jobs(text):
    """Read the table of jobs that a dry run prints."""
    rows = (line.split() for line in text.splitlines())
    return {row[0].removeprefix("race_"): row[1] for row in rows if len(row) == 2}


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_another_folder_plans_what_the_clone_plans(clone, tmp_path, snakefile):
    size = clone.path / "config/smoke.yaml"
    here = jobs(run(clone.path, "--dry-run", "--configfile", size))
    assert here["all"] == "1"
    options = ("--snakefile", clone.path / snakefile, "--configfile", size, "--dry-run")
    assert jobs(run(tmp_path, *options)) == here
    assert jobs(run(clone.path, *options, "--directory", tmp_path)) == here
    assert not (clone.path / "results").exists()


def test_a_module_runs_to_its_report_in_the_importer_s_folder(clone, tmp_path):
    """Scripts, library, captions, templates and configuration come from the clone."""
    imported(tmp_path, clone)
    size = clone.path / "config/smoke.yaml"
    said = run(tmp_path, "--configfile", size, "--", "race_report")
    report = tmp_path / "results/smoke/report.html"
    assert report.is_file(), said
    assert "time to acquire ICL" in (tmp_path / "results/smoke/report/figA4.rst").read_text()
    assert report.read_text(encoding="utf-8").count("figA4") > 1
    more = jobs(run(tmp_path, "--configfile", size, "--dry-run", "--", "race_archive"))
    assert more["archive"] == more["total"] == "1"
    assert not (clone.path / "results").exists()


@pytest.mark.parametrize(
    ("config", "more", "expected"),
    [
        ('{"defaults": {"stepz": 3}}', "", "the module's config: defaults.stepz: unknown key"),
        ('{"defaults": {"steps": 0}}', "", "the module's config: defaults.steps: 0 is not"),
        ('{"preset": "mine"}', "", "experiments: is missing"),
        ("{}", '    prefix: "sub"', "has a prefix; allowed: none"),
    ],
)
def test_what_a_module_is_given_wrongly_is_named(clone, tmp_path, config, more, expected):
    imported(tmp_path, clone, config, more)
    said = run(tmp_path, "--dry-run", "race_all")
    assert expected in said
    assert "Traceback" not in said


def test_a_module_s_config_alone_changes_the_default_size(clone, tmp_path):
    (tmp_path / "other.yaml").write_text("mine: 3")  # the importer's own, of no concern
    imported(tmp_path, clone, '{"name": "mine", "experiments": {"acquisition": {"steps": 100}}}')
    said = run(tmp_path, "--configfile", "other.yaml", "--dry-run", "race_collected")
    assert "results/mine/" in said, said


def test_a_snakefile_without_its_clone_is_refused(tmp_path):
    """As github(...) and Snakedeploy hand it over: without the library."""
    repository = tmp_path / "repository"
    shutil.copytree(ROOT / "workflow", repository / "workflow")
    for command in (
        ("init", "--quiet"),
        ("add", "workflow"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "-m", "all"),
        ("tag", "v1"),
    ):
        subprocess.run(["git", *command], cwd=repository, check=True, capture_output=True)
    (tmp_path / "Snakefile").write_text(
        f'module race:\n    snakefile: "git+file://{repository}/workflow/Snakefile@v1"\n\n'
        "use rule * from race\n"
    )
    assert "allowed: workflow/Snakefile of a clone" in run(tmp_path, "--dry-run", "all")


def test_the_catalogue_finds_what_it_asks_for():
    """Its rules for workflows of standardised usage."""
    asked = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(asked) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(asked["mandatory-flags"]) == {"desc", "flags"}
    assert any(asked["software-stack-deployment"].values())
    for name in ("workflow/Snakefile", "config/README.md"):
        assert (ROOT / name).is_file()
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme
