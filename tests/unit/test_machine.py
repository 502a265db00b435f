"""What does the arithmetic is named, and two code paths of one processor are told apart."""

import json
import os
import subprocess
import sys

import pytest
import torch
from checkout import ROOT
from icl.engine import machine

CODE = """
import json, torch
from icl.engine import machine, training
from example_jobs import JOB
training.train(JOB)
print(json.dumps(machine.describe(torch.device("cpu"))))
"""


def test_the_processor_has_a_name():
    found = machine.describe(torch.device("cpu"))
    assert found["processor"]
    assert set(found) == {"processor", "code_path"}


def test_a_processor_without_cpuinfo_has_one_too(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "none")
    assert machine.describe(torch.device("cpu"))["processor"]


def test_two_code_paths_of_one_job_are_named():
    where = {**os.environ, "PYTHONPATH": f"{ROOT}/scripts:{ROOT}/tests/unit"}
    found = []
    for chosen in ({}, {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}):
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            env={**where, **chosen},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout))
    plain, other = found
    assert plain["processor"] == other["processor"]
    assert other["code_path"].startswith("DEFAULT")
    assert "ATEN_CPU_CAPABILITY=default" in other["code_path"]
    if plain["code_path"].startswith("DEFAULT"):
        pytest.skip("this processor has one code path")
    assert plain["code_path"].split(",")[0] != other["code_path"].split(",")[0]
