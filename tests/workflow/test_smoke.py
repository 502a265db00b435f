"""The smoke size, from its grid to figures, verdicts and report; and what is redone afterwards."""

import json
import re
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import combinations

import pytest
import xarray as xr
from icl.experiment import cost, grid
from icl.experiment.validation import load_yaml
from icl.job import job_from_identity, job_name
from icl.store import artifacts

pytestmark = pytest.mark.workflow
RESULTS = "results/smoke"


def train_files(checkout, experiment="."):
    return sorted((checkout.path / RESULTS / "train" / experiment).rglob("*.nc"))


def entries_of(checkout, kind):
    """The claims or figures, by id."""
    return load_yaml(checkout.path / "config/claims.yaml")[kind]


def jobs_of(checkout):
    """All training jobs of the smoke size, by experiment."""
    settings = load_yaml(checkout.path / "config/smoke.yaml")
    experiments = settings["experiments"].items()
    return {name: grid.expand(settings["defaults"], entry) for name, entry in experiments}


def users_of(checkout, kind, experiment):
    """The claims or figures that need an experiment."""
    entries = entries_of(checkout, kind).items()
    return [name for name, entry in entries if experiment in entry["experiments"].values()]


def test_everything_is_made(finished):
    results = finished.path / RESULTS
    for figure in entries_of(finished, "figures"):
        assert (results / f"figures/{figure}.pdf").read_bytes().startswith(b"%PDF")
        assert (results / f"figures/{figure}.png").read_bytes().startswith(b"\x89PNG")
    verdicts = json.loads((results / "claims.json").read_text())
    assert {verdict["id"] for verdict in verdicts} == set(entries_of(finished, "claims"))
    table = (results / "claims.md").read_text()
    assert all(verdict["id"] in table for verdict in verdicts)
    assert (results / "report.html").stat().st_size > 100_000


def test_what_make_says_at_its_end(small):
    command = [sys.executable, "scripts/conclude.py", "config/smoke.yaml"]
    tally, race = (
        subprocess.check_output([*command, *options], cwd=small.path, text=True)
        for options in ([], ["--race"])
    )
    assert f"Of {len(entries_of(small, 'claims'))} claims " in tally
    assert f"    {RESULTS}/claims.md\n" in tally
    assert "With 16 items 0 of 4 models look labels up in the context " in race
    assert (small.path / race.split()[-1]).is_file()


def test_every_job_has_a_log_and_a_benchmark(finished):
    results = finished.path / RESULTS
    n_jobs = len(train_files(finished))
    assert n_jobs == sum(len(jobs) for jobs in jobs_of(finished).values())
    assert len(list((results / "logs/train").rglob("*.log"))) == n_jobs
    assert len(list((results / "benchmarks/train").rglob("*.tsv"))) == n_jobs


def test_the_longest_training_jobs_start_first(finished):
    jobs = []
    for path in train_files(finished):
        with xr.open_dataset(path) as dataset:
            job = job_from_identity(json.loads(dataset.attrs["job"]))
            start = datetime.fromisoformat(dataset.attrs["started"])
            jobs.append((start, cost.cost(job).operations))
    jobs.sort()
    longest = max(operations for _, operations in jobs)
    assert longest in [operations for _, operations in jobs[:2]]
    for (start, operations), (later, others) in combinations(jobs, 2):
        if later - start > timedelta(seconds=60):  # more than starting up differs
            assert operations >= others


def test_artifacts_open_plainly_and_describe_themselves(finished):
    for path in train_files(finished):
        with xr.open_dataset(path) as dataset:
            job = json.loads(dataset.attrs["job"])
            assert path.stem == job_name(job)
            assert list(dataset.seed) == job["seeds"]
            for name, variable in dataset.data_vars.items():
                assert "long_name" in variable.attrs, name
    collected = artifacts.read(finished.path / RESULTS / "collected/transition.nc")
    assert collected.sizes["run"] == 16
    assert collected.icl_accuracy.notnull().all()


def test_a_second_run_redoes_nothing(finished):
    assert finished.planned("all") == {}


def test_editing_a_claim_reruns_that_claim_alone(finished, tmp_path):
    overlay = tmp_path / "overlay.yaml"
    claims = entries_of(finished, "claims")
    criteria = claims["linear_ticl"]["criteria"]
    criteria[0]["band"] = [0.0, 2.0]
    overlay.write_text(json.dumps({"claims": {"linear_ticl": {"criteria": criteria}}}))
    planned = finished.planned("claim_linear_ticl", str(overlay))
    assert planned == {"analyse": 1, "claim_linear_ticl": 1, "total": 2}
    planned = finished.planned("all", str(overlay))
    assert "train" not in planned
    assert "collect" not in planned
    assert planned["analyse"] == 1


@pytest.mark.parametrize(
    ("change", "new_jobs"),
    [
        ({"seeds": {"count": 8}}, 4),
        ({"grid": [{"context_length": 6, "n_items": [16, 64, 256, 1024, 2048]}]}, 1),
        ({"grid": [{"context_length": [6, 9], "n_items": [16, 64, 256, 1024]}]}, 4),
    ],
    ids=["seeds", "K", "N"],
)
def test_growing_a_grid_runs_only_the_new_blocks(finished, tmp_path, change, new_jobs):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(json.dumps({"experiments": {"transition": change}}))
    planned = finished.planned("all", str(overlay))
    assert planned["train"] == new_jobs
    assert planned["collect"] == 1
    assert planned["analyse"] == len(users_of(finished, "claims", "transition"))


def test_a_truncated_artifact_is_noticed_and_named(copy_of_small):
    path = train_files(copy_of_small)[0]
    path.write_bytes(path.read_bytes()[:-1000])
    result = copy_of_small.snakemake("all", check=False)
    assert result.returncode != 0
    assert re.search(rf"ArtifactError: \S*{re.escape(path.name)}", result.output)


def test_figures_from_downloaded_data_without_training(copy_of_small):
    for folder in ("train", "figures", "analysis"):
        shutil.rmtree(copy_of_small.path / RESULTS / folder)
    shutil.rmtree(copy_of_small.path / ".snakemake")  # a download has no history
    planned = copy_of_small.planned("figures")
    assert "train" not in planned
    assert "collect" not in planned
    assert f"Drawn: {RESULTS}/figures/fig2.png\n" in copy_of_small.snakemake("figures").output
    assert (copy_of_small.path / RESULTS / "figures/fig2.pdf").is_file()


def test_data_of_another_configuration_are_refused(copy_of_small):
    shutil.rmtree(copy_of_small.path / ".snakemake")  # a download has no history
    shutil.rmtree(copy_of_small.path / RESULTS / "train")
    shutil.rmtree(copy_of_small.path / RESULTS / "analysis")
    overlay = copy_of_small.write("my.yaml", "experiments: {transition: {steps: 500}}")
    result = copy_of_small.snakemake("claim_sharp_transition", overlay, check=False)
    assert result.returncode != 0
    assert "not this configuration's" in " ".join(result.output.split())


def test_downloaded_data_that_lack_a_job_are_refused(copy_of_small):
    for folder in (".snakemake", f"{RESULTS}/train", f"{RESULTS}/analysis"):
        shutil.rmtree(copy_of_small.path / folder)
    grid = [{"context_length": 6, "n_items": [16, 64, 256, 1024, 2048]}]
    overlay = json.dumps({"experiments": {"transition": {"grid": grid}}})
    file = copy_of_small.write("my.yaml", overlay)
    result = copy_of_small.snakemake("claim_sharp_transition", file, check=False)
    assert result.returncode != 0
    assert "lack 1 of this configuration's 5 jobs" in " ".join(result.output.split())


def test_a_job_that_fails_leaves_the_rest_and_make_marks_the_gap(copy_of_small):
    """As make all does it: everything else is made, then figures with the gap, then failure."""
    lost = train_files(copy_of_small, "transition")[-1]
    lost.unlink()
    for made in ("collected", "analysis", "figures", "claims.json", "claims.md"):
        path = copy_of_small.path / RESULTS / made
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    # A folder where the job's log should go: the job fails, as on a broken file system.
    log = copy_of_small.path / RESULTS / "logs/train/transition" / f"{lost.stem}.log"
    log.unlink()
    log.mkdir()
    (log / "in the way").write_text("")
    made = copy_of_small.make("all", "PRESET=smoke")
    assert made.returncode != 0
    # Snakemake's last words first, then those of make, that has drawn what there is.
    assert "\n1 job failed; " in made.stderr
    assert "    make all " in made.stderr
    assert "config/mark_gaps.yaml" in made.stderr
    assert f"\nMissing, and marked as gaps: 1 of the training jobs ({lost.stem}). " in made.stdout
    assert made.stdout.endswith(f"    {RESULTS}/explorer.html\n")
    results = copy_of_small.path / RESULTS
    assert lost.stem in (results / "claims.md").read_text()
    assert (results / "figures/fig2.pdf").is_file()
    assert not lost.exists()


def test_figures_from_what_finished_with_the_gap_marked(copy_of_small):
    lost = train_files(copy_of_small, "transition")[-1]
    lost.unlink()
    (copy_of_small.path / RESULTS / "collected/transition.nc").unlink()
    copy_of_small.snakemake("all", "config/mark_gaps.yaml")
    collected = artifacts.read(copy_of_small.path / RESULTS / "collected/transition.nc")
    assert json.loads(collected.attrs["missing_blocks"]) == [lost.stem]
    assert lost.stem in (copy_of_small.path / RESULTS / "claims.md").read_text()
    # Once the block can be made, the same command without the mark makes it and what needs it.
    planned = copy_of_small.planned("all")
    assert planned["train"] == 1
    assert planned["collect"] == 1


def test_the_table_says_how_often_a_verdict_repeats_once_it_was_asked(copy_of_small):
    table = copy_of_small.path / RESULTS / "claims.md"
    assert "repeats with" not in table.read_text()
    copy_of_small.snakemake(f"{RESULTS}/power/abrupt_acquisition.json")
    copy_of_small.snakemake("summarise")
    lines = [line for line in table.read_text().splitlines() if "repeats with" in line]
    assert [line.split(" | ")[0] for line in lines] == ["| abrupt_acquisition"]
