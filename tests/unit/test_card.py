"""What `make gpu` does on a machine with a card, rehearsed on one without."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import xarray as xr
from checkout import ROOT
from example_jobs import make_job
from icl.job import Stop
from icl.store import artifacts

pytest.importorskip("triton")


def card(folder, *arguments, printed=False):
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks/card.py", *arguments, "--json", folder / "card.json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout if printed else (folder / "card.json").read_text())


def test_every_part_finds_something(tmp_path):
    parts = ["machine", "ceilings", "rates", "one_job"]
    found = card(tmp_path, "--tiny", "--parts", *parts)
    assert list(found) == parts
    assert all("error" not in part for part in found.values())
    assert all("error" not in rate for rate in found["rates"].values())
    assert found["one_job"]["same_bits"] is True


def test_a_size_s_jobs_are_listed(tmp_path):
    listed = card(tmp_path, "--list", "paper", "transition", printed=True)
    assert len(listed["jobs"]) == 21
    assert {identity["context_length"] for identity in listed["jobs"]} == {99}


def test_a_list_is_trained_and_gone_on_with(tmp_path):
    jobs = [
        replace(make_job("mlp-raw"), stop=Stop("never", None, None, None), seeds=(i,))
        for i in (3, 4)
    ]
    listed = {"preset": "any", "experiment": "alone", "jobs": [job.identity() for job in jobs]}
    (tmp_path / "jobs.json").write_text(json.dumps(listed))
    nothing = card(tmp_path, "--jobs", "jobs.json", "--seconds", "-1")
    assert nothing["jobs"] == {}
    found = card(tmp_path, "--jobs", "jobs.json")["jobs"]
    assert list(found) == [job.name for job in jobs]
    for job in jobs:
        path = tmp_path / f"results/any/train/alone/{job.name}.nc"
        with xr.open_dataset(path) as written:
            assert written.attrs["device"] in ("cpu", "cuda")
        artifacts.read(path)  # checks its digests
    again = card(tmp_path, "--jobs", "jobs.json")["jobs"]
    assert set(again.values()) == {"was there"}
