"""The same seeds by another arithmetic of the same processor: other bits, the same verdicts."""

import json
import os
import shutil
import subprocess
import sys

import pytest
from checkout import ROOT
from icl.store import files

pytestmark = pytest.mark.workflow
CLAIMS = "results/smoke/claims.json"
# Without the wide vectors of today's processors, in torch and in its BLAS.
NARROW = {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}


def compared(first, second):
    command = [sys.executable, "scripts/compare.py", first, second]
    environment = {**os.environ, "PYTHONPATH": "scripts"}
    found = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return found.stdout


def test_verdicts_do_not_hang_on_the_vector_width(small, copy_of_small):
    shutil.rmtree(copy_of_small.path / "results")
    copy_of_small.snakemake("all", environment={**os.environ, **NARROW})
    wide, narrow = (files.read_json(checkout.path / CLAIMS) for checkout in (small, copy_of_small))
    # Otherwise this compares a run with itself.
    assert all(
        here["data_digests"] != there["data_digests"]
        for here, there in zip(wide, narrow, strict=True)
        if here["data_digests"]
    )
    found = compared(small.path / CLAIMS, copy_of_small.path / CLAIMS)
    assert f"0 of {len(wide)} verdicts moved: none." in found


def test_a_verdict_that_moved_is_named(small, tmp_path):
    entries = files.read_json(small.path / CLAIMS)
    moved = entries[0]
    moved["verdict"] = {"reproduced": "undecided"}.get(moved["verdict"], "reproduced")
    entries[0] = files.stamped({key: moved[key] for key in moved if key != files.STAMP})
    files.write_text(json.dumps(entries), tmp_path / "claims.json")
    found = compared(small.path / CLAIMS, tmp_path / "claims.json")
    assert f"1 of {len(entries)} verdicts moved: {moved['id']}." in found
    one = small.path / f"results/smoke/analysis/{moved['id']}.json"
    assert f"1 of 1 verdicts moved: {moved['id']}." in compared(one, tmp_path / "claims.json")
