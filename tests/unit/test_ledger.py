"""docs/record.csv holds every verdict that was ever shown."""

import json
import shutil
import subprocess
import sys

import pytest
from checkout import ROOT
from icl.pages import ledger
from icl.verdicts import Verdict

RECORD = ledger.read((ROOT / ledger.PATH).read_text(encoding="utf-8"))
GALLERIES = sorted(ROOT.glob("docs/gallery/*/claims.json"))


def verdicts(path):
    return [Verdict.from_json(entry) for entry in json.loads(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("path", GALLERIES, ids=lambda path: path.parent.name)
def test_the_gallerys_verdicts_are_in_the_record(path):
    rows = ledger.rows(verdicts(path), "2026-11-27", "0000000")
    assert rows
    assert ledger.added(RECORD, rows) == RECORD


def test_what_is_written_is_read_and_added_once():
    assert ledger.read(ledger.written(RECORD)) == RECORD
    first, rest = RECORD[:1], RECORD[1:]
    assert ledger.added(first, RECORD) == [*first, *rest]
    other = {**RECORD[0], "data": "other"}
    assert ledger.added(RECORD, [other, other])[-1] == other


def test_a_run_is_recorded_in_a_folder_without_git(tmp_path):
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "docs").mkdir()
    (tmp_path / ledger.PATH).write_text(ledger.written(RECORD[:1]))
    claims = ROOT / "docs/gallery/beyond/claims.json"
    subprocess.run([sys.executable, "scripts/record.py", claims], cwd=tmp_path, check=True)
    record = ledger.read((tmp_path / ledger.PATH).read_text(encoding="utf-8"))
    assert len(record) > 1
    assert {row["commit"] for row in record[1:]} == {"unknown"}
