"""The workflow in the environments of conda-forge, where conda and its channel can be reached.

A green run proves that the environments can be made. That they suffice is shown elsewhere
(tests/environments): a script also sees the packages of the Python that runs Snakemake.
"""

import shutil
import subprocess

import pytest


def conda_forge() -> str:
    """Say why conda-forge cannot be used; "" if it can."""
    conda = shutil.which("conda")
    if conda is None:
        return "conda is not installed"
    command = [conda, "search", "--override-channels", "-c", "conda-forge", "python=3.11", "--json"]
    try:
        result = subprocess.run(command, capture_output=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        return "conda-forge does not answer"
    return "" if result.returncode == 0 else "conda-forge cannot be reached"


@pytest.mark.workflow
def test_the_smoke_size_runs_in_conda_environments(checkout):
    reason = conda_forge()
    if reason:
        pytest.skip(reason)
    checkout.snakemake("figure_A4", "--sdm", "conda")
    made = checkout.path / ".snakemake/conda"
    assert len(list(made.glob("*.yaml"))) == 3
