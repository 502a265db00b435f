"""With `replicates_per_job` one process trains alike jobs, to the same artifacts."""

import shutil

import pytest
from icl.store import files

pytestmark = pytest.mark.workflow
CLAIMS = "results/smoke/claims.json"


def test_jobs_put_together_give_what_they_give_alone(small, copy_of_small):
    trained = copy_of_small.path / "results/smoke/train"
    expected = {path.relative_to(trained) for path in trained.rglob("*.nc")}
    shutil.rmtree(copy_of_small.path / "results")
    done = copy_of_small.snakemake("all", "--config", "replicates_per_job=1000")
    assert "together" in done.output
    assert {path.relative_to(trained) for path in trained.rglob("*.nc")} == expected
    alone, put_together = (files.read_json(c.path / CLAIMS) for c in (small, copy_of_small))
    for here, there in zip(alone, put_together, strict=True):
        assert here["data_digests"] == there["data_digests"]
    # Nothing is left to do, with it or without.
    for more in ((), ("--config", "replicates_per_job=1000")):
        again = copy_of_small.snakemake("all", "--dry-run", *more)
        assert "Nothing to be done" in again.output, again.output


def test_what_a_job_alone_left_behind_does_not_have_it_trained_twice(copy_of_small):
    results = copy_of_small.path / "results/smoke"
    shutil.rmtree(results / "train/transition")
    asked = "all", "--config", "replicates_per_job=1000"
    assert "together" in copy_of_small.snakemake(*asked).output
    again = copy_of_small.snakemake(*asked, "--dry-run")
    assert "Nothing to be done" in again.output, again.output
    # And Snakemake knows no more of a job that it trained alone.
    some = next((results / "train/acquisition").glob("*.nc"))
    some.unlink()
    assert "together" not in copy_of_small.snakemake(*asked).output
