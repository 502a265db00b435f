"""A statistic is one decorated function: found by reading, held to what it declares."""

import copy
from pathlib import Path

import pytest
from icl.experiment import declarations
from icl.experiment.validation import claim_faults
from icl.job import ConfigError

ROOT = Path(__file__).resolve().parents[2]
SOURCE = """
from icl.measurements.base import Measurement, statistic

@statistic(roles="acquisition", quantities="range", options="threshold seed")
def spread(data, options):
    return Measurement({}, 0, 0, 0, {})
"""
CLAIM = {
    "statement": "s",
    "source": "s",
    "paper_value": None,
    "statistic": "spread",
    "experiments": {"acquisition": "acquisition"},
    "options": {"threshold": 0.9, "seed": 1},
    "criteria": [{"quantity": "range", "description": "d", "band": [0, None]}],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "spread.py").write_text(SOURCE)
    return tmp_path


@pytest.fixture
def statistics(folder):
    return declarations.declared(folder)


def test_a_decorated_function_is_a_statistic(folder, statistics):
    found = declarations.declared(folder)["spread"]
    assert (found.module, found.options) == ("icl.measurements.spread", ("threshold", "seed"))
    assert list(claim_faults({"a": CLAIM}, statistics)) == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("statistic", "spreed", "allowed: spread"),
        ("experiments", {"transition": "transition"}, "did you mean acquisition"),
        ("options", {"threshold": 0.9}, "is missing; allowed: a whole number, 0 or more"),
        ("options", {"threshold": 0.9, "seed": 1, "sead": 1}, "did you mean seed?"),
        ("criteria", [{**CLAIM["criteria"][0], "quantity": "rise"}], "allowed: range"),
    ],
)
def test_a_claim_must_suit_its_statistic(statistics, key, value, expected):
    claim = copy.deepcopy(CLAIM) | {key: value}
    faults = list(claim_faults({"a": claim}, statistics))
    assert any(expected in text for _, text in faults), faults


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"range"', "QUANTITIES", "each a string of words"),
        ('quantities="range", ', "", "each a string of words"),
        ("roles=", "parts=", "each a string of words"),
        ("seed", "sead", "'sead' is not in experiment/schema.py"),
    ],
)
def test_a_bad_declaration_is_named(folder, old, new, expected):
    (folder / "spread.py").write_text(SOURCE.replace(old, new, 1))
    with pytest.raises(ConfigError, match=f"spread.*{expected}"):
        list(claim_faults({}, declarations.declared(folder)))


def test_a_name_is_given_once(folder):
    (folder / "again.py").write_text(SOURCE)
    with pytest.raises(ConfigError, match="there is a statistic of this name"):
        declarations.declared(folder)
