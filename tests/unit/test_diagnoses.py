"""The programs behind docs/diagnoses.md still fit the library: each gets past its first step."""

import subprocess
import sys

import pytest
from checkout import ROOT

PROGRAMS = sorted((ROOT / "docs/diagnoses").glob("*.py"))
TRAINING = [path for path in PROGRAMS if "training.train(" in path.read_text(encoding="utf-8")]
# A process of its own, since some programs replace parts of the library.
ONE_STEP = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
from icl.engine import training
step = training.Ensemble.train_step
def one_step(self, at):
    step(self, at)
    sys.exit(f"trained for {at + 1} step")
training.Ensemble.train_step = one_step
runpy.run_path(sys.argv[2], run_name="__main__")
"""


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_it_trains(path):
    command = [sys.executable, "-c", ONE_STEP, ROOT / "scripts", path]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "trained for 1 step" in found.stderr


def test_there_are_programs_that_train():
    assert len(TRAINING) >= 4
