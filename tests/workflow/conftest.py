"""Throwaway checkouts in which the real Snakemake runs."""

import fcntl
import os
import shutil

import pytest
from checkout import Checkout


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


def made_once(name, tmp_path_factory, make):
    """Make a checkout in a folder that all workers share, whichever of them comes first."""
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    with open(root / f"{name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        checkout, done = object.__new__(Checkout), root / f"{name}.done"
        checkout.path = root / name
        if not done.exists():
            checkout = Checkout(root / name)
            make(checkout)
            done.touch()
    return checkout


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A checkout in which the smoke size has run to its end, with its report. Do not change it."""
    return made_once("finished", tmp_path_factory, lambda checkout: checkout.snakemake("report"))


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A checkout in which a few experiments of the smoke size have run. Do not change it."""

    def make(checkout):
        checkout.shrink({"transition", "acquisition", "transience"})
        checkout.snakemake("all")

    return made_once("small", tmp_path_factory, make)


@pytest.fixture
def copy_of_small(small, tmp_path):
    """A copy of that checkout, to be changed at will."""
    target = tmp_path / "copy"
    shutil.copytree(small.path, target, symlinks=True)
    copy = object.__new__(Checkout)
    copy.path = target
    return copy
