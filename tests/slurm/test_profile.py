"""The profile on a real SLURM: what jobs ask for, arrays, and the bits of a local run."""

import threading

import pytest
from checkout import Checkout
from icl.store import artifacts

# One run for all of them, hence one worker.
pytestmark = [pytest.mark.workflow, pytest.mark.slurm]

# Two experiments of the smoke size, cut to four short jobs, with what comes after them: each job
# costs three starts of Snakemake, and `all` has dozens of jobs.
TARGETS = ("figure_A4", "claim_sharp_transition")
FEW = """
experiments:
  transition:
    grid: [{context_length: 6, n_items: [16, 1024]}]
    steps: 300
  acquisition:
    grid: [{context_length: [4, 8], n_items: infinity}]
    steps: 300
"""
# SLURM is asked sooner than every 40 seconds; there is no GPU to train on.
HERE = ("--config", "device=cpu", "--slurm-init-seconds-before-status-checks", "2")
# As a site without cons_tres has it (docs/cluster.md), for one of the two experiments.
BY_GRES = ("--set-resources", "train_acquisition:gpu=0", "train_acquisition:gres=gpu:1")


class Run:
    """A part of the workflow through the profile, watched while it runs."""

    def __init__(self, cluster, folder):
        self.devices = {}  # CUDA_VISIBLE_DEVICES of each training process, by SLURM job
        self.checkout = Checkout(folder)
        few = self.checkout.write("few.yaml", FEW)
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(cluster, done))
        watcher.start()
        try:
            asked = ("--profile", "slurm", *TARGETS, *HERE, *BY_GRES, few)
            self.result = self.checkout.snakemake(*asked, environment=cluster.environment)
        finally:
            done.set()
            watcher.join()
        self.jobs = cluster.jobs()

    def _watch(self, cluster, done):
        while not done.wait(0.2):
            for variables in cluster.processes_of_jobs().values():
                # Set for the trainer by its rule's Snakemake, inside the job.
                self.devices[variables["SLURM_JOB_ID"]] = variables.get("CUDA_VISIBLE_DEVICES")


@pytest.fixture(scope="module")
def run(cluster, tmp_path_factory):
    return Run(cluster, tmp_path_factory.mktemp("cluster run"))


def trained(checkout):
    return {
        path.name: artifacts.read(path)
        for path in (checkout.path / "results/smoke/train").rglob("*.nc")
    }


def test_what_was_asked_for_is_made(run):
    assert len(trained(run.checkout)) == 4
    for made in ("figures/figA4.pdf", "analysis/long_tail.json", "analysis/sharp_transition.json"):
        assert (run.checkout.path / "results/smoke" / made).stat().st_size > 0


def test_each_job_was_an_arrays_task_and_got_a_gpu(run):
    assert len(run.jobs) == 4  # training, and nothing else
    assert all(job["JobState"] == "COMPLETED" for job in run.jobs)
    for asked in ("TresPerJob", "TresPerNode"):  # by --gpus, and by --gres
        assert sum(job.get(asked) == "gres:gpu:1" for job in run.jobs) == 2
    assert len({job["ArrayJobId"] for job in run.jobs}) == 2  # one an experiment
    assert {job["ArrayTaskId"] for job in run.jobs} == {"1", "2"}
    assert {job["JobId"] for job in run.jobs} == set(run.devices)
    assert set(run.devices.values()) <= {"0", "1"}


def test_the_bits_are_those_of_a_local_run(run, tmp_path):
    local = Checkout(tmp_path)
    collected = [f"results/smoke/collected/{name}.nc" for name in ("transition", "acquisition")]
    local.snakemake(*collected, local.write("few.yaml", FEW))
    here, there = trained(local), trained(run.checkout)
    assert set(here) == set(there)
    for name, dataset in here.items():
        assert dataset.attrs["data_digest"] == there[name].attrs["data_digest"], name
