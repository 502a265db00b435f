"""Throwaway checkouts in which the real Snakemake runs."""

import shutil

import pytest
from checkout import Checkout


def pytest_collection_modifyitems(items):
    """Keep the tests of a file on one worker, and those of the finished smoke size on one."""
    for item in items:
        group = "finished" if "finished" in getattr(item, "fixturenames", ()) else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A checkout in which the smoke size has run to its end, with its report. Do not change it."""
    checkout = Checkout(tmp_path_factory.mktemp("finished"))
    checkout.snakemake("report")
    return checkout


@pytest.fixture
def copy_of_finished(finished, tmp_path):
    """A copy of the finished checkout, to be changed at will."""
    target = tmp_path / "copy"
    shutil.copytree(finished.path, target, symlinks=True)
    copy = object.__new__(Checkout)
    copy.path = target
    return copy
