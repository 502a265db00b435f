"""Throwaway checkouts in which the real Snakemake runs."""

import shutil

import pytest
from checkout import Checkout


@pytest.fixture
def checkout(tmp_path):
    return Checkout(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A checkout in which the smoke size has run to its end, with its report. Do not change it."""
    checkout = Checkout(tmp_path_factory.mktemp("finished"))
    checkout.snakemake("report")
    return checkout


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """A checkout in which a few experiments of the smoke size have run. Do not change it."""
    checkout = Checkout(tmp_path_factory.mktemp("small"))
    checkout.shrink({"transition", "acquisition", "transience"})
    checkout.snakemake("all")
    return checkout


@pytest.fixture
def copy_of_small(small, tmp_path):
    """A copy of that checkout, to be changed at will."""
    target = tmp_path / "copy"
    shutil.copytree(small.path, target, symlinks=True)
    copy = object.__new__(Checkout)
    copy.path = target
    return copy
