"""Where a number comes from: the commit, the versions, the moment."""

import subprocess
from datetime import UTC, datetime, timedelta
from importlib import metadata

import pytest
from icl.store import provenance

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one commit, of which `provenance` believes itself a part."""
    module = tmp_path / "scripts/icl/store/provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    monkeypatch.setattr(provenance, "ROOT", module.resolve().parents[3])
    return tmp_path


def git(folder, *arguments):
    return subprocess.run(
        (*GIT, *arguments), cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_a_clean_checkout_has_its_commit(repository):
    facts = provenance.gather()
    assert facts["git_revision"] == git(repository, "rev-parse", "HEAD")
    assert facts["git_dirty"] == 0


@pytest.mark.parametrize(
    ("name", "dirty"),
    [
        ("scripts/icl/store/provenance.py", 1),
        ("scripts/new.py", 1),  # not in the commit at all
        ("Snakefile", 1),
        ("config/my.yaml", 1),
        ("notes.md", 0),  # no number depends on it
        ("results/laptop/a.nc", 0),
    ],
)
def test_a_changed_file_that_numbers_depend_on_makes_it_dirty(repository, name, dirty):
    path = repository / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("changed")
    assert provenance.gather()["git_dirty"] == dirty


def test_code_without_a_repository_says_so(repository):
    (repository / ".git").rename(repository / "gone")
    facts = provenance.gather()
    assert (facts["git_revision"], facts["git_dirty"]) == ("unknown", -1)


def test_a_copy_inside_another_repository_does_not_take_its_commit(repository, monkeypatch):
    copy = repository / "copy/scripts/icl/store/provenance.py"
    copy.parent.mkdir(parents=True)
    monkeypatch.setattr(provenance, "ROOT", copy.resolve().parents[3])
    assert provenance.gather()["git_revision"] == "unknown"


def test_a_machine_without_git_says_so(repository, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.gather()["git_revision"] == "unknown"


def test_a_git_that_hangs_is_not_waited_for(repository, monkeypatch):
    def hang(command, **options):
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(provenance.subprocess, "run", hang)
    assert provenance.gather()["git_revision"] == "unknown"


def test_versions_are_those_installed_and_what_is_not_is_left_out(monkeypatch):
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package"))
    versions = dict(entry.split("=") for entry in provenance.gather()["versions"].split())
    assert versions.keys() == {"python", "numpy"}
    assert versions["numpy"] == metadata.version("numpy")


def test_facts_are_flat_and_the_callers_are_among_them():
    before = datetime.now(UTC) - timedelta(seconds=1)
    facts = provenance.gather(rule="train", threads=2)
    assert (facts["rule"], facts["threads"]) == ("train", 2)
    assert before <= datetime.fromisoformat(facts["started"]) <= datetime.now(UTC)
    assert all(isinstance(value, str | int | float) for value in facts.values())
