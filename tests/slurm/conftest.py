"""One cluster for all tests of a worker, and the checkouts of tests/workflow to run in it."""

import sys
from pathlib import Path

import cluster as slurm
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A running SLURM with two pretend GPUs; skips where there can be none."""
    if reason := slurm.why_not():
        pytest.skip(f"no SLURM: {reason}")
    with slurm.Cluster(tmp_path_factory.mktemp("slurm") / "cluster") as running:
        yield running
