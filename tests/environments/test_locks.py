"""The locks hold the versions of requirements.txt, each with its hashes, and name no host."""

import re

import pytest
from checkout import ROOT
from recipes import normalised

ENTRY = re.compile(r"(?m)^(?P<name>[\w.-]+)==(?P<version>[\w.]+)(?P<hashes>( \\\n +--hash=\S+)+)$")
LOCKS = ["requirements.lock", "requirements-cuda.lock"]


def read(name):
    """Read a lock, every line of it: name -> (version, hashes)."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.sub(r"(?m)^#.*\n", "", ENTRY.sub("", text)).strip() == ""
    return {
        normalised(found["name"]): (found["version"], found["hashes"].split("--hash=")[1:])
        for found in ENTRY.finditer(text)
    }


def pinned():
    """Read requirements.txt: name -> version."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {normalised(name): version for name, version in pairs}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_the_pinned_versions(name):
    versions = {package: version for package, (version, _) in read(name).items()}
    assert {package: versions.get(package) for package in pinned()} == pinned(), "run `make lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_every_entry_has_hashes(name):
    for package, (_, hashes) in read(name).items():
        assert hashes, package
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}[ \\\n]*", one) for one in hashes), package


def test_only_what_a_gpu_needs_is_beside_the_requirements():
    """torch's CPU build comes from another index and needs none of it."""
    assert set(read("requirements.lock")) == set(pinned())
    more = set(read("requirements-cuda.lock")) - set(pinned())
    assert more
    assert all(package.startswith(("cuda-", "nvidia-", "triton")) for package in more)
