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
