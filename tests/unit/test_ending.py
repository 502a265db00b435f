"""What a run says at its end: verdicts counted, files to open, what Figure 2 shows."""

import copy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import synthetic
import yaml
from checkout import ROOT
from committed import CONFIG
from icl import claims
from icl.planning import ending

RESULTS = Path("results/laptop")


@pytest.fixture(scope="module")
def runs():
    return synthetic.transition(n_items=(500, 1500, 4000, 9000))


@pytest.fixture(scope="module")
def verdicts(runs):
    made = []
    for name in ("sharp_transition", "abrupt_acquisition"):
        claim = CONFIG["claims"][name]
        claim = {**claim, "options": {**claim["options"], "resamples": 200}}
        made.append(claims.evaluate(claim, name, {"transition": runs}, "laptop"))
    return made


def test_verdicts_are_counted_and_the_files_named(verdicts):
    some = [replace(verdicts[0], verdict=v) for v in ("undecided", "reproduced", "reproduced")]
    lines = ending.tally(some, RESULTS, "This size is a look.").splitlines()
    assert lines[0] == "Of 3 claims 2 reproduced, 0 not reproduced, 1 undecided."
    assert "This size is a look." in lines
    assert [line.strip() for line in lines[lines.index("Open") + 1 :]] == [
        "results/laptop/report.html",
        "results/laptop/claims.md",
        "results/laptop/explorer.html",
    ]


def test_missing_jobs_are_told_once_each(verdicts):
    some = [replace(verdict, missing_blocks=["N4_K16", "N4_K64"]) for verdict in verdicts]
    text = ending.tally(some, RESULTS)
    assert "\nMissing, and marked as gaps: 2 of the training jobs (N4_K16, N4_K64). " in text
    assert "Missing" not in ending.tally(verdicts, RESULTS)


def test_the_sentence_of_the_race_has_the_numbers_of_the_data(verdicts, runs):
    picture = RESULTS / "figures/fig2.png"
    text = ending.race(verdicts, runs, picture)
    icl, n_items = runs["icl_accuracy"].values[:, -1], runs["n_items"].values
    few, many = (f"{(icl[n_items == items] > 0.75).sum()} of 8" for items in (500, 9000))
    assert text.startswith(f"With 500 items {few} models look labels up in the context ")
    assert f", with 9,000 items {many} do (" in text
    assert f"K* = {ending.estimate_text(verdicts[0].estimate('threshold'))} items" in text
    assert f"{ending.estimate_text(verdicts[1].estimate('rise'))} of the time" in text
    assert "A look, not a verdict." in text
    assert text.endswith(str(picture))


def test_the_demo_measures_as_the_other_sizes_but_for_one_option():
    demo = yaml.safe_load((ROOT / "config/demo_claims.yaml").read_text(encoding="utf-8"))
    expected = copy.deepcopy({name: CONFIG["claims"][name] for name in demo["claims"]})
    expected["transience"]["options"]["had"] = 0.95
    assert demo == {"claims": expected, "figures": {"fig2": CONFIG["figures"]["fig2"]}}


def test_the_command_says_what_is_missing(tmp_path):
    command = [sys.executable, ROOT / "scripts/conclude.py", ROOT / "config/demo.yaml"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "results/demo/claims.json: cannot be read" in result.stderr
    assert "Traceback" not in result.stderr
