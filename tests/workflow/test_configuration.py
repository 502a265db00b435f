"""Presets, overlays and refusals, through the real Snakemake."""

import json

import pytest

pytestmark = pytest.mark.workflow

DUMP = """
include: "Snakefile"
Path("dump.json").write_text(__import__("json").dumps(config, sort_keys=True))
"""

QUEUE = """
include: "Snakefile"
from types import SimpleNamespace
Path("dump.json").write_text(__import__("json").dumps([
    [name, place_in_the_queue(SimpleNamespace(experiment=name, job=job))]
    for name in JOBS for job in JOBS[name]
]))
"""


def resolved(checkout, *files, dump=DUMP):
    import subprocess
    import sys

    checkout.write("dump.smk", dump)
    command = [sys.executable, "-m", "snakemake", "-s", "dump.smk", "--dry-run", "--quiet"]
    if files:
        command += ["--configfile", *files]
    result = subprocess.run(
        command, cwd=checkout.path, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((checkout.path / "dump.json").read_text())


def from_files(checkout, *names):
    from icl.experiment.grid import merge
    from icl.experiment.validation import load_yaml

    common = ("config/theory.yaml", "config/claims.yaml")
    return merge(*(load_yaml(checkout.path / name) for name in (*common, *names)))


def test_the_laptop_size_is_the_default(checkout):
    assert resolved(checkout) == from_files(checkout, "config/laptop.yaml")


@pytest.mark.parametrize("preset", ["smoke", "paper"])
def test_a_preset_replaces_another_whole(checkout, preset):
    file = f"config/{preset}.yaml"
    assert resolved(checkout, file) == from_files(checkout, file)


def test_experiments_wait_in_their_order_where_a_size_asks_for_it(checkout):
    checkout.write("ordered.yaml", "in_order: true\n")
    asked = resolved(checkout, "config/smoke.yaml", "ordered.yaml", dump=QUEUE)
    plain = resolved(checkout, "config/smoke.yaml", dump=QUEUE)
    experiments = list(dict.fromkeys(name for name, _ in plain))
    first_come = sorted(asked, key=lambda job: -job[1])
    assert list(dict.fromkeys(name for name, _ in first_come)) == experiments
    assert all(place < 0 for _, place in asked + plain), "what is not training comes first"
    assert {round(before - now) for (_, now), (_, before) in zip(asked, plain, strict=True)} == set(
        range(len(experiments))
    )


def test_only_an_overlay_merges(checkout):
    checkout.write("my.yaml", "name: mine\nexperiments: {transition: {steps: 1000}}\n")
    merged = resolved(checkout, "config/paper.yaml", "my.yaml")
    expected = from_files(checkout, "config/paper.yaml", "my.yaml")
    assert merged == expected
    assert merged["experiments"]["transition"]["steps"] == 1000


SIZES = ["beyond", "demo", "smoke", "laptop", "extended", "paper", "regime", "study"]


@pytest.mark.parametrize("preset", SIZES)
def test_every_size_has_a_dry_run(checkout, preset):
    planned = checkout.planned(preset=preset)
    assert planned["all"] == 1  # the default target
    assert planned["train"] > 0


@pytest.mark.parametrize(
    ("overlay", "expected"),
    [
        ("experiments: {transition: {steps: -5}}", "my.yaml: experiments.transition.steps: -5"),
        (
            "defaults: {optimiser: {learning_rat: 0.1}}",
            "my.yaml: defaults.optimiser.learning_rat: unknown key; did you mean learning_rate?",
        ),
        ("a: 1\na: 2", "my.yaml: is not valid YAML"),
        ("preset: mine", "each is a preset"),
        ("claims: {linear_ticl: {experiments: {acquisition: aquisition}}}", "did you mean acquisi"),
        (
            "experiments: {transitoin: {steps: 100}}",
            "experiments.transitoin: is new and has no description; did you mean transition?",
        ),
    ],
)
def test_a_bad_overlay_is_refused_before_any_job(checkout, overlay, expected):
    result = checkout.snakemake("all", checkout.write("my.yaml", overlay), check=False)
    assert result.returncode != 0
    assert expected in result.output
    assert "Traceback" not in result.output
    assert not (checkout.path / "results").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["figure_a4"], "no target figure_a4; did you mean figure_A4?"),
        (["figure_99"], "no target figure_99; there are figure_1, "),
        (["claim_linear_tic"], "no target claim_linear_tic; did you mean claim_linear_ticl?"),
        (["fig6"], "no target fig6; did you mean figure_6?"),
        (["--configfile", "config/smoke.yaml", "all"], "as in snakemake all --configfile"),
        (["my.yaml"], "my.yaml: there is no such file"),
    ],
)
def test_a_slip_on_the_command_line_is_named(checkout, arguments, expected):
    result = checkout.snakemake(*arguments, check=False)
    assert result.returncode != 0
    assert expected in result.output
    assert "Traceback" not in result.output


def test_cuda_is_refused_where_there_is_none(checkout):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    checkout.shrink({"transition"})
    result = checkout.snakemake("collected", "--config", "device=cuda", check=False)
    assert result.returncode != 0
    assert "no CUDA device" in result.output
    assert not list((checkout.path / "results/smoke/train").rglob("*.nc"))


def test_weights_are_made_with_their_jobs_or_after(checkout):
    checkout.shrink({"minimal_alone"})
    asked = checkout.write("my.yaml", "weights: {minimal_alone: [20, end]}\n")
    artifact = next(name for name in listed(checkout) if name.endswith(".nc"))
    checkout.snakemake("collected")
    job = artifact.removeprefix("results/smoke/train/").removesuffix(".nc")
    assert checkout.planned("collected", asked) == {}
    assert checkout.planned("weights", asked) == {"train": 1, "weights": 1, "total": 2}
    checkout.snakemake("weights", asked)
    made = sorted(path.name for path in (checkout.path / f"results/smoke/weights/{job}").iterdir())
    assert made == ["20.safetensors", "end.safetensors"]
    assert checkout.planned("collected")["collect"] == 1  # its job is newer, and the same numbers
    assert "train" not in checkout.planned("collected")


def listed(checkout):
    """List the files that a dry run would make from nothing."""
    words = checkout.snakemake("--dry-run", "collected").output.split()
    return [word.strip(",;") for word in words if word.startswith("results/")]
