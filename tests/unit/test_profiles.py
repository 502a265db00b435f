"""What the profiles resolve to, with and without a SLURM."""

import os
from pathlib import Path

import pytest
import yte

ROOT = Path(__file__).resolve().parents[2]


def profile(name):
    with open(ROOT / f"profiles/{name}/config.yaml") as file:
        return yte.process_yaml(file, require_use_yte=True)


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("accounting_storage/slurmdbd", "sacct"),
        ("accounting_storage/none", "squeue"),
        (None, "squeue"),
    ],
)
def test_states_are_asked_of_sacct_where_there_are_accounts(tmp_path, monkeypatch, says, expected):
    if says:
        scontrol = tmp_path / "scontrol"
        scontrol.write_text(f"#!/bin/sh\necho 'AccountingStorageType = {says}'\n")
        scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}" if says else str(tmp_path))
    assert profile("slurm")["slurm-status-command"] == expected


def test_nothing_holds_back_the_jobs_of_an_array():
    """The executor drops those that Snakemake holds back, and waits for them for ever."""
    slurm, default = profile("slurm"), profile("default")
    assert slurm["slurm-array-jobs"] == "all"
    assert slurm["jobs"] == "unlimited"
    assert int(slurm["max-jobs-per-timespan"].split("/")[0]) >= 1_000_000
    assert slurm["scheduler"] == default["scheduler"] == "greedy"  # the default's wins
    assert not {"resources", "jobs", "configfile"} & set(default)


def test_what_a_node_took_is_slurms_to_redo_and_the_rest_snakemakes():
    slurm = profile("slurm")
    assert slurm["slurm-requeue"] is True
    assert slurm["retries"] > 0
    assert all("retries" not in path.read_text() for path in (ROOT / "workflow").rglob("*.smk"))
