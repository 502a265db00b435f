"""Weights at chosen steps: whole, loaded by safetensors alone, and the ones that were measured."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from example_jobs import JOB
from icl.engine import checkpoint, training
from icl.engine.blocks import train_to
from icl.job import Stop, job_from_identity
from icl.store import artifacts
from safetensors import safe_open
from safetensors.numpy import load_file

# One replicate leaves after step 60, two after 70.
STOPPING = replace(
    JOB,
    seeds=(3, 4, 5),
    steps=100,
    evaluation=replace(JOB.evaluation, every=10),
    stop=Stop("acquired", 0.7, None, 2),
)
MOMENTS = ("0", "40", "70", "end")
CPU = torch.device("cpu")


def trained(folder, job=STOPPING, moments=MOMENTS, minutes=5):
    """Train to an artifact and files of weights; return it and them, by step."""
    artifact = folder / "train/e/job.nc"
    paths = [folder / f"weights/e/job/{moment}.safetensors" for moment in moments]
    facts = {"git_revision": "x", "git_dirty": 0}
    train_to(artifact, job, CPU, facts, lambda *_: None, minutes, paths)
    return artifacts.read(artifact), {path.stem: path for path in paths}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("whole"))


def evaluated(path, rows, step):
    """Evaluate the weights of a file as the job that its metadata names does."""
    with safe_open(path, "pt") as file:
        job = job_from_identity(json.loads(file.metadata()["job"]))
        ensemble = training.Ensemble(job, CPU)
        ensemble.keep(rows)
        ensemble.parameters = {name: file.get_tensor(name)[rows] for name in file.keys()}  # noqa: SIM118
    return ensemble.evaluate(step)


def test_the_weights_of_a_step_give_the_evaluation_of_that_step(whole):
    record, paths = whole
    assert record.stop_step.values.tolist() == [60, 70, 70]
    for when, step in (("0", 0), ("40", 40), ("70", 70)):
        there = record.stop_step.values >= step
        for name, values in evaluated(paths[when], np.flatnonzero(there), step).items():
            np.testing.assert_array_equal(values, record[name].sel(step=step)[there], name)
        for values in load_file(paths[when]).values():
            assert np.isnan(values[~there]).all()
            assert np.isfinite(values[there]).all()


def test_the_weights_of_the_end_are_each_replicate_s_own_last(whole):
    record, paths = whole
    for row, step in enumerate(record.stop_step.values.tolist()):
        measured = evaluated(paths["end"], np.asarray([row]), step)
        for name, values in measured.items():
            assert values == pytest.approx(record[name].sel(step=step).values[row], abs=1e-6), name


def test_asking_for_weights_changes_no_number(whole, tmp_path):
    plain, _ = trained(tmp_path, moments=())
    assert plain.attrs["data_digest"] == whole[0].attrs["data_digest"]
    assert not (tmp_path / "weights").exists()


class Killed(BaseException):
    """A stand-in for what cannot be caught."""


@pytest.mark.parametrize("step", [1, 40, 41, 65])
def test_a_job_that_was_killed_keeps_the_same_weights(whole, tmp_path, monkeypatch, step):
    after_step = checkpoint.Checkpoints.after_step

    def dying(self, done, state):
        after_step(self, done, state)
        if done == step:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.Checkpoints, "after_step", dying)
        with pytest.raises(Killed):
            trained(tmp_path, minutes=0)
    record, paths = trained(tmp_path)
    assert [a["from_step"] for a in json.loads(record.attrs["attempts"])] == [0, step]
    for when, path in paths.items():
        assert path.read_bytes() == whole[1][when].read_bytes()
    for path in paths.values():  # as Snakemake deletes what a killed run of it had not noted
        path.unlink()
    _, paths = trained(tmp_path)
    for when, path in paths.items():
        assert path.read_bytes() == whole[1][when].read_bytes()


def test_a_checkpoint_without_the_weights_is_refused(tmp_path, whole, caplog):
    trained(tmp_path, moments=())
    _, paths = trained(tmp_path)
    assert "is refused" in caplog.text
    for when, path in paths.items():
        assert path.read_bytes() == whole[1][when].read_bytes()
