"""Jobs that SLURM takes away: cancelled, put back, out of time, lost with their node.

FAULTS=full (make faults) takes 24 away from four jobs, without it nothing is done: waiting for
SLURM to notice takes minutes.
"""

import contextlib
import json
import os
import random
import re
import threading
import time
from collections import Counter

import cluster as slurm
import pytest
from checkout import Checkout
from icl.store import artifacts

pytestmark = [
    pytest.mark.workflow,
    pytest.mark.slurm,
    pytest.mark.faults,
    pytest.mark.skipif(os.environ.get("FAULTS") != "full", reason="takes minutes: make faults"),
]

FAULTS = ("cancelled", "requeued", "out of time", "cancelled", "requeued", "node down")
TRIES = 24
SECONDS_BETWEEN = (3.0, 9.0)
COLLECTED = "results/smoke/collected/transition.nc"
# Long enough to be interrupted; a checkpoint every other second.
OVERLAY = """
checkpoint_minutes: 0.03
experiments:
  transition:
    grid: [{context_length: 6, n_items: [16, 64, 256, 1024]}]
    steps: 12000
    evaluation: {every: 500}
"""


def running(cluster):
    """List what runs; what SLURM has put back need not wait its two minutes."""
    jobs = cluster.jobs()
    for job in jobs:
        if job["JobState"] == "PENDING" and job["Reason"] == "BeginTime":
            cluster.ask("scontrol", "update", f"JobId={job['JobId']}", "StartTime=now")
    return [
        # An array's last task has the array's number, by which all its tasks would be meant.
        f"{job['ArrayJobId']}_{job['ArrayTaskId']}" if "ArrayTaskId" in job else job["JobId"]
        for job in jobs
        if job["JobState"] == "RUNNING"
    ]


def inflict(cluster, fault, job):
    """Let SLURM take a job away."""
    if fault == "cancelled":
        cluster.ask("scancel", job)
    elif fault == "requeued":
        cluster.ask("scontrol", "requeue", job)
    elif fault == "out of time":  # found within half a minute
        cluster.ask("scontrol", "update", f"JobId={job}", "TimeLimit=0")
    else:
        node = f"NodeName={cluster.host}"
        cluster.kill_node()
        cluster.ask("scontrol", "update", node, "State=DOWN", "Reason=fault")
        time.sleep(2)
        cluster.ask("scontrol", "update", node, "State=RESUME")
        cluster.start_node()


def saved_since(checkout, moment):
    """Tell whether any job has saved a checkpoint since."""
    for path in (checkout.path / "results/smoke/checkpoints").rglob("*.checkpoint"):
        with contextlib.suppress(FileNotFoundError):  # an older one goes when a new one is there
            if path.stat().st_mtime > moment:
                return True
    return False


def test_what_slurm_takes_away_is_redone_to_the_same_bits(tmp_path, capsys):
    if reason := slurm.why_not():
        pytest.skip(f"no SLURM: {reason}")
    disturbed, undisturbed = (Checkout(tmp_path / name) for name in ("disturbed", "undisturbed"))
    done, inflicted, drawn = threading.Event(), Counter(), random.Random(0)
    with slurm.Cluster(tmp_path / "cluster", kill_wait=10) as cluster:

        def campaign():
            last = time.time()
            while not done.wait(drawn.uniform(*SECONDS_BETWEEN)):
                n = sum(inflicted.values())
                if n % 2 and not saved_since(disturbed, last):
                    continue  # every other one hits a job that has something to go on from
                if (jobs := running(cluster)) and n < TRIES:
                    fault = FAULTS[n % len(FAULTS)]
                    inflict(cluster, fault, drawn.choice(jobs))
                    inflicted[fault] += 1
                    last = time.time()

        thread = threading.Thread(target=campaign)
        thread.start()
        try:
            result = disturbed.snakemake(
                *("--profile", "slurm", COLLECTED, "--retries", "30", "--config", "device=cpu"),
                *("--slurm-init-seconds-before-status-checks", "2"),
                disturbed.write("my.yaml", OVERLAY),
                environment=cluster.environment,
                timeout=4 * 3600,  # on a busy machine half an hour is not enough
            )
        finally:
            done.set()
            thread.join()
        restarts = sum(int(job["Restarts"]) for job in cluster.jobs())
    ended = Counter(re.findall(r"SLURM status is: '(\w+)'", result.output))
    attempts = [json.loads(text) for text in attempts_of(disturbed)]
    with capsys.disabled():
        print(
            f"\ninflicted {dict(inflicted)}; Snakemake saw {dict(ended)}; SLURM restarted ", end=""
        )
        print(f"{restarts}; attempts {attempts}")
    undisturbed.snakemake(COLLECTED, undisturbed.write("my.yaml", OVERLAY))
    assert sum(inflicted.values()) == TRIES, "the jobs were over too soon"
    assert any(len(listed) > 1 for listed in attempts)  # some went on from a checkpoint
    here, there = (trained(checkout) for checkout in (undisturbed, disturbed))
    assert here == there
    assert len(here) == 4


def trained(checkout):
    return {
        path.name: artifacts.read(path).attrs["data_digest"]
        for path in (checkout.path / "results/smoke/train").rglob("*.nc")
    }


def attempts_of(checkout):
    for path in sorted((checkout.path / "results/smoke/train").rglob("*.nc")):
        yield artifacts.read(path).attrs["attempts"]
