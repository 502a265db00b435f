"""The Apptainer recipe, read: it is built where Apptainer is."""

import re
import subprocess
import tomllib

import pytest
import recipes
from checkout import ROOT

TEXT = (ROOT / "envs/apptainer.def").read_text(encoding="utf-8")
SHELL = ("post", "environment", "test", "runscript")


def sections():
    """Read the header, as a mapping, and the sections by name, each without its indentation."""
    header, *parts = re.split(r"(?m)^%(\w+)\n", re.sub(r"(?m)^#.*\n", "", TEXT))
    bodies = (re.sub(r"(?m)^ {4}", "", part) for part in parts[1::2])
    facts = dict(line.split(": ") for line in header.split("\n") if line)
    return facts, dict(zip(parts[::2], bodies, strict=True))


HEADER, SECTIONS = sections()


def test_it_has_its_sections_once_each():
    assert HEADER.keys() == {"Bootstrap", "From"}
    names = re.findall(r"(?m)^%(\w+)$", TEXT)
    assert sorted(names) == sorted([*SHELL, "files", "help"])


def test_its_python_is_the_project_s():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (
        f">={re.fullmatch(r'python:([0-9.]+)-slim', HEADER['From'])[1]}"
        == (project["requires-python"])
    )


@pytest.mark.parametrize("name", SHELL)
def test_its_shell_can_be_parsed(name):
    subprocess.run(["sh", "-n"], input=SECTIONS[name], text=True, check=True)


def test_it_installs_the_lock_by_its_hashes():
    """tests/environments/test_locks.py holds the lock to requirements.txt."""
    ((lock, there),) = (line.split() for line in SECTIONS["files"].splitlines() if line.strip())
    assert (ROOT / lock).is_file()
    (command,) = (line for line in SECTIONS["post"].splitlines() if "pip install" in line)
    assert command.endswith(f"--require-hashes -r {there}")


def test_it_tries_what_is_pinned():
    (imported,) = re.findall(r"import ([\w, ]+);", SECTIONS["test"])
    for module in imported.split(", "):
        assert recipes.provider(module) in recipes.locked(), module
