"""What `make gpu` does on a machine with a card, rehearsed on one without."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from checkout import ROOT
from example_jobs import make_job
from icl.engine import checkpoint
from icl.experiment.cost import cost
from icl.experiment.validation import load_yaml
from icl.job import Stop, job_from_identity
from icl.kernels.products import PRECISIONS
from icl.store import artifacts

pytest.importorskip("triton")


def run(folder, script, *arguments, fails=False):
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / script, *map(str, arguments)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == int(fails), done.stderr[-2000:]
    return done.stdout


def test_every_part_finds_something(tmp_path):
    parts = ["machine", "ceilings", "rates", "together", "one_job"]
    run(tmp_path, "card.py", "--tiny", "--json", tmp_path / "card.json", "--parts", *parts)
    found = json.loads((tmp_path / "card.json").read_text())
    assert list(found) == parts
    assert all("error" not in part for part in found.values())
    rates = found["rates"]
    assert all("error" not in rate for rate in rates.values())
    assert all(any(key.endswith(name) for key in rates) for name in PRECISIONS if name != "float32")
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


def test_the_first_hour_trains_jobs_of_the_paper_s_size(tmp_path):
    """Nothing of it is trained again; and every experiment of Figures 2, 5 and 6 has one."""
    overlay = ("--overlay", ROOT / "config/first_hour.yaml")
    whole = json.loads(run(tmp_path, "train_list.py", "list", "paper"))
    part = json.loads(run(tmp_path, "train_list.py", "list", "paper", *overlay))
    judged = load_yaml(ROOT / "config/claims.yaml")
    figures = [judged["figures"][f"fig{n}"] for n in (2, 5, 6)]
    quoted = [judged["claims"][name] for figure in figures for name in figure["claims"]]
    needed = {name for entry in figures + quoted for name in entry["experiments"].values()}
    part = [job for job in part if job["experiment"] in needed]
    assert {job["experiment"] for job in part} == needed
    assert all(job in whole for job in part)
    assert len(part) < len(whole) / 5
    seconds = [cost(job_from_identity(job["identity"])).gpu_seconds for job in whole]
    assert 3 * max(seconds) < 24 * 3600, "a job of a slow card's, within a day's limit"


def listed(folder, *jobs):
    named = [{"size": "any", "experiment": "alone", "identity": job.identity()} for job in jobs]
    (folder / "jobs.json").write_text(json.dumps(named))
    return ("train_list.py", "train", "jobs.json", "--workers", 2)


def alone(seed, **changes):
    never = Stop("never", None, None, None)
    return replace(make_job("mlp-raw"), stop=never, seeds=(seed,), **changes)


def test_each_job_of_a_list_is_trained_once(tmp_path):
    jobs = [alone(seed) for seed in (3, 4, 5)]
    train = listed(tmp_path, *jobs)
    lines = [json.loads(line) for line in run(tmp_path, *train).splitlines()]
    assert sorted(line[:3] for line in lines) == sorted(
        ["alone", job.name, "trained"] for job in jobs
    )
    for job in jobs:
        artifacts.read(tmp_path / f"results/any/train/alone/{job.name}.nc")  # checks its digests
    assert run(tmp_path, *train) == ""


def test_a_faulty_job_is_named_and_the_others_are_trained(tmp_path):
    faulty = alone(3, model=replace(make_job("mlp-raw").model, hidden_dim=-1))
    train = listed(tmp_path, faulty, alone(4))
    lines = [json.loads(line) for line in run(tmp_path, *train, fails=True).splitlines()]
    said = {name: what for _, name, what, _ in lines}
    assert said.pop(faulty.name) != "trained"
    assert list(said.values()) == ["trained"]


def test_alike_jobs_of_a_list_are_put_together(tmp_path):
    jobs = [alone(3), alone(4, n_items=40), alone(5, steps=30), alone(6, context_length=2)]
    lines = run(tmp_path, *listed(tmp_path, *jobs), "--replicates", 2).splitlines()
    assert sorted(json.loads(line)[1] for line in lines) == sorted(job.name for job in jobs)
    rules = {
        job.name: artifacts.read(tmp_path / f"results/any/train/alone/{job.name}.nc")
        for job in jobs
    }
    assert len(rules) == len(jobs)


def test_a_list_that_is_out_of_time_goes_on_from_its_checkpoint(tmp_path):
    job = alone(3, steps=10**7)
    train = listed(tmp_path, job)
    run(tmp_path, *train, "--seconds", 12)
    (saved,) = tmp_path.glob(f"results/any/checkpoints/alone/{job.name}/*")
    run(tmp_path, *train, "--seconds", 12)
    later = max(tmp_path.glob(f"results/any/checkpoints/alone/{job.name}/*"))
    attempts = checkpoint.decode(later.read_bytes())[1]["attempts"]
    assert [attempt["from_step"] for attempt in attempts] == [0, int(saved.stem)]
