"""An archive is a Workflow Run RO-Crate, and what it says of its files is so."""

import json
import shutil
import zipfile

import crates
import PIL.Image
import pytest
import synthetic
import yaml
from checkout import ROOT
from icl.store import archive, artifacts, crate, files
from rocrate.rocrate import ROCrate

CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CONFIG = {
    "figures": {"fig6": {"title": "K* and t_ICL against N"}},
    "claims": {"linear_ticl": {"statement": "t_ICL is linear in N."}},
}
RUN = {
    "git_revision": "abc123",
    "git_dirty": 0,
    "versions": "python=3.11",
    "device": "cpu",
    "started": "2026-01-02T00:00:00+00:00",
    # It was interrupted, and went on from there.
    "attempts": json.dumps([{"started": "2026-01-01T23:00:00+00:00"}]),
}


@pytest.fixture(scope="module")
def members(tmp_path_factory):
    """A small size: a dataset, a verdict, a figure, claims and configuration."""
    folder = tmp_path_factory.mktemp("size")
    dataset = synthetic.acquisition(seeds=4)
    dataset.attrs |= {
        "title": "icl-race experiment acquisition: t_ICL against N",
        "provenance": json.dumps([RUN, {**RUN, "git_revision": "def456"}]),
        "started": "2026-01-03T00:00:00+00:00",
    }
    artifacts.write(dataset, folder / "acquisition.nc")
    files.write_json({"verdict": "undecided"}, folder / "analysis/linear_ticl.json")
    PIL.Image.new("RGB", (8, 8)).save(folder / "fig6.png")
    return {
        "results/a/collected/acquisition.nc": folder / "acquisition.nc",
        "results/a/analysis/linear_ticl.json": folder / "analysis/linear_ticl.json",
        "results/a/figures/fig6.png": folder / "fig6.png",
        "results/a/claims.md": b"undecided",
        "results/a/config.json": b"{}",
        "results/a/config/1_theory.yaml": b"theory: {}",
        "results/a/config/2_a.yaml": b"preset: a",
        "workflow/Snakefile": ROOT / "workflow/Snakefile",
    }


@pytest.fixture(scope="module")
def packed(members, tmp_path_factory):
    path = tmp_path_factory.mktemp("packed") / "archive.zip"
    description = crate.describe(members, "a", "abc123", CONFIG, CITATION)
    archive.pack("results/a", {**members, crate.NAME: description}, path)
    return path


def changed(packed, folder, change):
    """The archive with its contents changed: change(name -> bytes) does it."""
    with zipfile.ZipFile(packed) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    change(contents)
    with zipfile.ZipFile(folder / "changed.zip", "w") as new:
        for name, data in contents.items():
            new.writestr(name, data)
    return folder / "changed.zip"


def edited(change):
    """A change of the description: change(@id -> entity) does it."""

    def apply(contents):
        held = json.loads(contents[crate.NAME])
        entities = {entity["@id"]: entity for entity in held["@graph"]}
        change(entities)
        contents[crate.NAME] = json.dumps({**held, "@graph": list(entities.values())}).encode()

    return apply


def test_it_meets_the_profile_and_tells_the_truth(packed):
    assert crates.breaches(packed) == set()
    assert crates.untruths(packed) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edited(lambda e: e.pop("#run")), "MUST reference the root data entity's mainEntity"),
        (edited(lambda e: e["./"].pop("mainEntity")), "mainEntity"),
        (edited(lambda e: e["#run"].update(endTime="yesterday")), "ISO 8601"),
        (edited(lambda e: e["#run"].update(finished="2026-01-03")), "finished"),
        (lambda c: c.pop("results/a/figures/fig6.png"), "does not include the Data Entity"),
    ],
)
def test_a_breach_of_the_profile_is_found(packed, tmp_path, change, expected):
    found = crates.breaches(changed(packed, tmp_path, change))
    assert any(expected in message for message in found), found


PICTURE = "results/a/figures/fig6.png"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda c: c.pop(PICTURE), PICTURE),
        (lambda c: c.update({PICTURE: c[PICTURE][:-1] + b"?"}), PICTURE),
        (lambda c: c.update({"results/a/claims.json": b"[]"}), "results/a/claims.json"),
        (edited(lambda e: e[PICTURE].update(contentSize="1")), PICTURE),
        (edited(lambda e: e[PICTURE].update(sha256="0" * 64)), PICTURE),
    ],
)
def test_an_untruth_is_found(packed, tmp_path, change, wrong):
    assert crates.untruths(changed(packed, tmp_path, change)) == [wrong]


def test_a_reader_finds_what_it_needs(packed):
    read = ROCrate(packed)
    (run,) = read.get_by_type("CreateAction")
    assert run["instrument"] == read.mainEntity == read.get("workflow/Snakefile")
    assert read.mainEntity["programmingLanguage"]["name"] == "Snakemake"
    assert (run["startTime"], run["endTime"]) == (
        "2026-01-01T23:00:00+00:00",
        "2026-01-03T00:00:00+00:00",
    )
    assert read.root_dataset["datePublished"] == "2026-01-03"
    assert [entity.id for entity in run["object"]] == [
        "results/a/config.json",
        "results/a/config/1_theory.yaml",
        "results/a/config/2_a.yaml",
    ]
    assert {entity.id for entity in run["result"]} == {
        "results/a/analysis/linear_ticl.json",
        "results/a/claims.md",
        "results/a/collected/acquisition.nc",
        PICTURE,
    }
    assert read.get(PICTURE)["name"] == "K* and t_ICL against N"
    assert read.get(PICTURE)["encodingFormat"] == "image/png"
    assert read.get("results/a/analysis/linear_ticl.json")["name"] == (
        "Verdict on: t_ICL is linear in N."
    )
    dataset = read.get("results/a/collected/acquisition.nc")
    assert dataset["description"] == (
        "commits: abc123, def456; devices: cpu; versions: python=3.11"
    )
    assert read.root_dataset["license"].id == "https://spdx.org/licenses/MIT"
    assert read.root_dataset["citation"].id == "https://arxiv.org/abs/2412.00104"


def test_equal_members_make_an_equal_description(members, tmp_path):
    """Neither the order of members nor the time of their files matters."""
    again = {name: members[name] for name in reversed(members)}
    source = members["results/a/collected/acquisition.nc"]
    again["results/a/collected/acquisition.nc"] = tmp_path / "copy.nc"
    shutil.copy(source, tmp_path / "copy.nc")
    one, other = (
        crate.describe(held, "a", "abc123", CONFIG, CITATION) for held in (members, again)
    )
    assert one == other
