"""The campaign: a few tries of every fault in each test run, hundreds in `make faults`."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import kill_snakemake
import pytest
from campaign import FULL, tries
from checkout import ROOT
from icl.engine import training
from icl.job import job_from_identity
from icl.store import artifacts

pytestmark = pytest.mark.faults
SEED = int(os.environ.get("SEED", "1"))  # of the sequences that the state machine draws


@pytest.mark.parametrize(
    ("how", "few", "many"), [("SIGKILL", 5, 200), ("SIGTERM", 2, 40), ("SIGUSR1", 0, 40)]
)
def test_a_training_job_killed_at_random_moments(how, few, many, campaign, tmp_path):
    if not tries(few, many):
        pytest.skip("make faults: what listens to it listens to the others too")
    begun = time.monotonic()
    found = campaign.run("kill_training.py", how, tries(few, many), tmp_path)
    remark = f"{found['in_a_save']} in a save; {found['finished']} jobs reached their end"
    campaign.note(f"{how} of a training job", found["kills"], found["losses"], begun, remark)
    assert found["resumed"] or found["kills"] < 5  # which may come before anything is saved


@pytest.mark.skipif(not FULL, reason="make faults: another test kills Snakemake once")
def test_snakemake_killed_at_random_moments(campaign, tmp_path):
    begun = time.monotonic()
    found = campaign.run("kill_snakemake.py", 50, tmp_path)
    remark = f"{found['ends']} runs reached their end"
    campaign.note("SIGKILL of Snakemake", found["kills"], found["losses"], begun, remark)


@pytest.fixture(scope="session")
def broken_disk(tmp_path_factory):
    """A library that breaks the disk; skips where none can be compiled."""
    compiler, here = shutil.which("cc"), Path(__file__).parent
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("disk") / "disk.so"
    command = [compiler, "-Wall", "-O1", "-shared", "-fPIC", "-o", library, here / "disk.c", "-ldl"]
    subprocess.run(command, check=True)
    return {"LD_PRELOAD": str(library)}


def test_every_operation_of_a_save_broken(campaign, broken_disk, tmp_path):
    begun = time.monotonic()
    found = campaign.run("break_disk.py", tries(60, 1), tmp_path, environment=broken_disk)
    for name, of in found.items():
        fault = f"a crash, ENOSPC or EIO in a save: {name}"
        remark = f"{of['operations']} operations in 6 ways; {of['reported']} failures, all reported"
        campaign.note(fault, of["tries"], of["losses"], begun, remark)
        begun = time.monotonic()


def test_power_lost_after_every_operation_of_a_save(campaign, broken_disk, tmp_path):
    begun = time.monotonic()
    found = campaign.run("lose_power.py", tmp_path, environment=broken_disk)
    for name, of in found.items():
        remark = f"{of['operations']} operations; every disk that can be left"
        campaign.note(f"power lost in a save: {name}", of["tries"], of["losses"], begun, remark)
        begun = time.monotonic()


def planted(folder: Path, module: str, right: str, wrong: str) -> dict[str, str]:
    """Copy the library with a bug in it; return the environment that finds it."""
    shutil.copytree(ROOT / "scripts/icl", folder / "scripts/icl")
    path = folder / "scripts/icl" / module
    whole = path.read_text()
    assert whole.count(right) == 1
    path.write_text(whole.replace(right, wrong))
    return {"PYTHONPATH": os.pathsep.join([str(folder / "scripts"), str(ROOT / "tests")])}


@pytest.mark.parametrize("flush", ["temporary", "path.parent", "made.parent"])
def test_a_flush_that_is_left_out_is_noticed(flush, campaign, broken_disk, tmp_path):
    """Of a file's bytes, of its folder's names, of the names of folders that were made."""
    bug = planted(tmp_path, "store/files.py", f"        _flush({flush})\n", "        pass\n")
    found = campaign.run("lose_power.py", tmp_path / "disk", environment=broken_disk | bug)
    assert found["artifact"]["losses"]


def test_a_size_in_any_order(campaign, broken_disk, tmp_path):
    """Runs, kills, moves, damage, archives and changed overlays, as a state machine draws them."""
    begun = time.monotonic()
    found = campaign.run("any_order.py", tries(20, 300), SEED, tmp_path, environment=broken_disk)
    remark = f"{found['steps']} steps, {found['processes']} processes; "
    remark += f"{found.get('disturbed', 0)} disturbed, {found.get('refused', 0)} refused"
    campaign.note("any order of all these", found["sequences"], [], begun, remark)


# Of each bug: the module, what is right there, what is wrong; the steps; and what notices it.
BUGS = {
    "a checkpoint of another job is taken": (
        ("engine/checkpoint.py", 'self._check(header["job"])', "pass"),
        [
            ("begin", {"done": "train"}),
            ("mix_up_checkpoints", {"one": 0, "another": 1}),
            ("lose_a_success", {}),
            ("run", {"what": "train"}),
        ],
        "is not that of the undisturbed",
    ),
    "an artifact of another job is taken": (
        ("store/artifacts.py", "if held != Path(path).stem:", "if False:"),
        [
            ("begin", {"done": "train"}),
            ("mix_up", {"one": 0, "another": 1}),
            ("run", {"what": "collect"}),
        ],
        "is there twice",
    ),
    "an artifact is not checked by its digests": (
        ("store/artifacts.py", "    stamp = dataset.attrs.get(STAMP)\n", "    return dataset\n"),
        [
            ("begin", {"done": "train"}),
            ("damage", {"which": 0, "where": 0, "how": "edit", "quietly": False}),
            ("run", {"what": "collect"}),
        ],
        "c1 of the run",
    ),
    "collected data of another overlay are taken": (
        ("store/artifacts.py", "        if fault:\n", "        if False:\n"),
        [
            ("begin", {"done": "pack"}),
            ("change", {"overlay": [[8], 3]}),
            ("run", {"what": "pack"}),
            ("bring_back", {"which": 0}),
            ("run", {"what": "decide"}),
        ],
        "is of other runs",
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_noticed_by_the_checker(bug, campaign, broken_disk, tmp_path):
    place, steps, said = BUGS[bug]
    environment = broken_disk | planted(tmp_path, *place)
    (tmp_path / "sizes").mkdir()
    with pytest.raises(AssertionError, match=said):
        campaign.run(
            *("any_order.py", json.dumps([steps]), 0, tmp_path / "sizes"), environment=environment
        )


def test_the_same_steps_end_well_without_the_bugs(campaign, broken_disk, tmp_path):
    sequences = json.dumps([steps for _, steps, _ in BUGS.values()])
    found = campaign.run("any_order.py", sequences, 0, tmp_path, environment=broken_disk)
    assert found["sequences"] == len(BUGS)


def test_training_killed_at_every_file_event(campaign, broken_disk, tmp_path):
    begun = time.monotonic()
    found = campaign.run("kill_at_events.py", tries(17, 1), tmp_path, environment=broken_disk)
    for name, of in found.items():
        remark = f"right after {of['right'] / of['kills']:.0%}; {of['lost_mean']} steps lost"
        remark += f" in the mean, {of['lost_most']} at most, with 10 between checkpoints"
        campaign.note(f"file events, {name}", of["kills"], of["losses"], begun, remark)
        begun = time.monotonic()


def test_every_rule_after_training_killed_at_any_write(campaign, broken_disk, tmp_path):
    begun = time.monotonic()
    found = campaign.run("kill_rules.py", tries(1, 12), broken_disk["LD_PRELOAD"], tmp_path)
    kills = found["kills"]
    assert all(kills.values()), kills
    remark = ", ".join(f"{rule} {number}" for rule, number in kills.items())
    campaign.note("a rule after training", sum(kills.values()), found["losses"], begun, remark)


def test_single_bits_flipped(campaign, tmp_path):
    begun = time.monotonic()
    found = campaign.run("flip_bits.py", tries(40, 1000), tmp_path)
    for name, of in found.items():
        remark = f"{of['noticed']} refused, {of['changed no value']} changed no value"
        campaign.note(f"a bit flipped: {name}", of["tries"], of["losses"], begun, remark)
        begun = time.monotonic()
    assert found["checkpoint"]["noticed"] == found["checkpoint"]["tries"]


def in_namespace(folder: Path, mount: str, *command) -> subprocess.CompletedProcess:
    """Run a command where a folder is mounted otherwise; skip where that is not allowed."""
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    script = f'{mount} && shift && exec "$@"'
    return subprocess.run(
        ["unshare", "-rm", "sh", "-c", script, "sh", folder, *command],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_disk_that_is_really_full(campaign, tmp_path):
    """A tmpfs of some kilobytes; after the failure it is made larger."""
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    begun = time.monotonic()
    found = campaign.run("fill_disk.py", tries(2, 24), tmp_path, namespace=True)
    remark = f"{found['failed']} ended in failure, {found['resumed']} of which were resumed"
    campaign.note("a full disk", found["tries"], found["losses"], begun, remark)


def wait_for(condition, process, seconds=300):
    """Wait until something is so while a process runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "it ended too early"
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(not FULL, reason="make faults: it takes minutes")
def test_two_at_once_a_kill_an_interruption_a_read_only_disk_and_a_move(campaign, tmp_path):
    """What may befall one run, one after the other, through the real Snakemake."""
    begun = time.monotonic()
    checkout = kill_snakemake.prepare(tmp_path / "here")
    results = checkout.path / "results"
    with open(tmp_path / "log", "w") as log:
        first = kill_snakemake.start(checkout, log)
        wait_for(lambda: list(results.rglob("*.checkpoint")), first)

        # Another in the same folder is refused, and says what helps if there is no other.
        with open(tmp_path / "second", "w") as second:
            assert kill_snakemake.start(checkout, second).wait() != 0
        said = (tmp_path / "second").read_text()
        assert "cannot be locked" in said
        assert "--unlock" in said

        # Killed with its job, it leaves its lock; once that is off it goes on.
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        kill_snakemake.unlock(checkout, log)
        before = set(results.rglob("*.checkpoint"))
        first = kill_snakemake.start(checkout, log)
        wait_for(lambda: set(results.rglob("*.checkpoint")) - before, first)

        # Ctrl-C: the job saves where it stands, and Snakemake keeps it.
        os.killpg(first.pid, signal.SIGINT)
        assert first.wait() != 0
    said = (tmp_path / "log").read_text()
    assert "interrupted by SIGINT after step" in said
    done = kill_snakemake.finished(checkout)
    (saved,) = {path.parent.name for path in results.rglob("*.checkpoint")} - {
        Path(name).stem for name in done
    }

    # On a disk that cannot be written to nothing is done, and nothing is lost.
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    command = kill_snakemake.command()
    read_only = 'cd "$1"/.. && mount --bind results results && mount -o remount,bind,ro results'
    refused = in_namespace(results, read_only, *command)
    assert refused.returncode != 0
    assert "Read-only file system" in refused.stdout + refused.stderr
    assert {path: path.read_bytes() for path in before} == before

    # The results are moved to another checkout and continued there.
    elsewhere = kill_snakemake.prepare(tmp_path / "elsewhere")
    results.rename(elsewhere.path / "results")
    with open(tmp_path / "log", "w") as log:
        assert kill_snakemake.start(elsewhere, log).wait() == 0, (tmp_path / "log").read_text()
    attempts = kill_snakemake.attempts(elsewhere.path / "results", f"{saved}.nc")
    assert attempts[0]["from_step"] == 0 < attempts[-1]["from_step"]
    ended = kill_snakemake.finished(elsewhere)
    assert done.items() <= ended.items()
    for path in elsewhere.path.rglob("train/**/*.nc"):
        job = job_from_identity(json.loads(artifacts.read(path).attrs["job"]))
        expected = artifacts.data_digest(artifacts.job_dataset(training.train(job), job, {}))
        assert ended[path.name] == expected
    campaign.note("two at once, killed, Ctrl-C, read-only results, moved", 5, [], begun)
