"""The referee agrees with the study's verdicts, needs nothing of the library, and can disagree."""

import json
import shutil
import subprocess
import sys

import pytest
import referee
from checkout import ROOT

STUDY = ROOT / "docs/gallery/study"


def test_the_study_is_what_the_referee_computes():
    compared, wrong = referee.differences(STUDY)
    assert not wrong
    judged = {e["id"] for e in json.loads((STUDY / "claims.json").read_text(encoding="utf-8"))}
    assert {name for name, _ in compared} <= judged


def test_it_needs_numpy_and_netcdf4_alone():
    code = "import sys, referee; print(sorted(n for n in sys.modules if n.split('.')[0] == 'icl'))"
    where = {"PYTHONPATH": str(ROOT / "tests/referee")}
    command = [sys.executable, "-c", code]
    assert (
        subprocess.run(command, env=where, capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )


@pytest.mark.parametrize("what", ["value", "interval", "verdict"])
def test_what_is_altered_differs(tmp_path, what):
    shutil.copytree(STUDY, tmp_path / "study")
    path = tmp_path / "study/claims.json"
    entries = json.loads(path.read_text(encoding="utf-8"))
    entry = next(e for e in entries if e["id"] == "kinetics_not_capacity")
    if what == "value":
        entry["details"]["estimates"]["inverse_nu"]["value"] *= 1.001
    elif what == "interval":
        entry["criteria"][0]["interval"] = [0.1, 0.2]
    else:
        entry["verdict"] = "undecided"
    path.write_text(json.dumps(entries), encoding="utf-8")
    assert referee.differences(tmp_path / "study")[1]
