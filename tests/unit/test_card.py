"""What `make gpu` does on a machine with a card, rehearsed on one without."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from checkout import ROOT
from example_jobs import make_job
from icl.experiment.validation import load_yaml
from icl.job import Stop
from icl.store import artifacts

pytest.importorskip("triton")


def run(folder, script, *arguments):
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / script, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_every_part_finds_something(tmp_path):
    parts = ["machine", "ceilings", "rates", "one_job"]
    run(tmp_path, "card.py", "--tiny", "--json", tmp_path / "card.json", "--parts", *parts)
    found = json.loads((tmp_path / "card.json").read_text())
    assert list(found) == parts
    assert all("error" not in part for part in found.values())
    assert all("error" not in rate for rate in found["rates"].values())
    assert found["one_job"]["same_bits"] is True


def test_a_size_s_jobs_are_listed_in_the_order_of_its_experiments(tmp_path):
    jobs = json.loads(run(tmp_path, "train_list.py", "list", "paper", "transition", "acquisition"))
    names = [job["experiment"] for job in jobs]
    assert names == ["transition"] * 21 + ["acquisition"] * 25
    assert {job["identity"]["context_length"] for job in jobs[:21]} == {99}
    everything = json.loads(run(tmp_path, "train_list.py", "list", "smoke"))
    assert [*dict.fromkeys(job["experiment"] for job in everything)] == list(
        load_yaml(ROOT / "config/smoke.yaml")["experiments"]
    )


def test_a_list_is_trained_once_and_gone_on_with(tmp_path):
    jobs = [
        replace(make_job("mlp-raw"), stop=Stop("never", None, None, None), seeds=(i,))
        for i in (3, 4, 5)
    ]
    named = [{"size": "any", "experiment": "alone", "identity": job.identity()} for job in jobs]
    faulty = replace(jobs[0], model=replace(jobs[0].model, hidden_dim=-1))
    named.append({**named[0], "identity": faulty.identity()})
    (tmp_path / "jobs.json").write_text(json.dumps(named))
    train = ("train_list.py", "train", "jobs.json", "--workers", 2)
    assert run(tmp_path, *train, "--seconds", 0) == ""
    said = {name: what for _, name, what, _ in map(json.loads, run(tmp_path, *train).splitlines())}
    assert said.pop(faulty.name) != "trained"
    assert said == {job.name: "trained" for job in jobs}
    for job in jobs:
        artifacts.read(tmp_path / f"results/any/train/alone/{job.name}.nc")  # checks its digests
    assert len(run(tmp_path, *train).splitlines()) == 1  # the faulty one again
