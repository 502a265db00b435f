"""How a run ends that does not reach its end: in one paragraph that says what to type next."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

pytestmark = pytest.mark.workflow
LONG = {"checkpoint_minutes": 60, "experiments": {"transition": {"steps": 1_000_000}}}
TARGET = "results/smoke/collected/transition.nc"


def last_words(output):
    """What stands after Snakemake's own last line; make adds a line of its own."""
    return output.partition("At least one job did not complete successfully.")[2]


def test_ctrl_c_ends_make_all_with_what_to_type_next(checkout):
    checkout.shrink({"transition"})
    checkout.write("long.yaml", json.dumps(LONG))
    (checkout.path / ".venv").mkdir()
    (checkout.path / ".venv/installed").touch()
    command = ["make", "all", "-o", ".venv/installed", f"BIN={os.path.dirname(sys.executable)}"]
    command += ["PRESET=smoke", "OVERLAY=long.yaml"]
    with open(checkout.path / "said", "w+", encoding="utf-8") as said:
        # A session of its own, so that all of its processes can be interrupted as a terminal does.
        # Where the tests run in the background a shell has them ignore Ctrl-C; these must not.
        process = subprocess.Popen(
            command,
            cwd=checkout.path,
            stdout=said,
            stderr=said,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        while not any("progress" in p.read_text() for p in checkout.path.rglob("N6_*.log")):
            assert process.poll() is None
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        try:
            assert process.wait(timeout=300) != 0
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        said.seek(0)
        output = said.read()
    assert "The run was stopped by hand. " in last_words(output)
    (again,) = (
        line for line in last_words(output).splitlines() if line.startswith("    make all ")
    )
    assert {"PRESET=smoke", "OVERLAY=long.yaml"} <= set(again.split())
    assert "mark_gaps" not in output
    assert list(checkout.path.rglob("*.checkpoint"))


def test_a_full_disk_ends_in_what_to_type_next(checkout):
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    checkout.shrink({"transition"})
    trained = checkout.path / "results/smoke/train/transition"
    trained.mkdir(parents=True)
    # No room but for the folder itself.
    mount = (
        f"mount -t tmpfs -o size=4k tmpfs {trained} && dd if=/dev/zero of={trained}/x bs=4k count=1"
    )
    snakemake = f"{sys.executable} -m snakemake {TARGET} --configfile config/smoke.yaml"
    result = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{mount} && exec {snakemake}"],
        cwd=checkout.path,
        env={name: value for name, value in os.environ.items() if name != "TYPED"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.stdout + result.stderr
    text = last_words(result.stderr).strip()
    assert text.startswith("The disk is full: ")
    assert text.endswith(f"snakemake {TARGET} --configfile config/smoke.yaml")
