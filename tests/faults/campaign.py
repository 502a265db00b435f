"""How often each fault is tried, scripts in processes of their own, and what came of them."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from checkout import ROOT

FULL = os.environ.get("FAULTS") == "full"  # make faults
HERE = Path(__file__).parent
ROWS = []


def tries(few: int, many: int) -> int:
    """Choose how often to try a fault: in every test run, or in the full campaign."""
    return many if FULL else few


class Campaign:
    """Runs the scripts of this folder and keeps account of what came of them."""

    def run(self, script: str, *arguments, environment=None, namespace=False) -> dict:
        """Run a script, where it may mount if need be; return the JSON that it prints."""
        path = os.pathsep.join([str(ROOT / "scripts"), str(ROOT / "tests")])
        result = subprocess.run(
            [
                *(("unshare", "-rm") if namespace else ()),
                sys.executable,
                str(HERE / script),
                *map(str, arguments),
            ],
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **(environment or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        # HDF5 itself prints of a file whose disk broke.
        return json.loads(result.stdout.splitlines()[-1])

    def note(self, fault: str, tried: int, losses: list[str], begun: float, remark: str = ""):
        """Add a row to the table; fail if anything was lost."""
        ROWS.append((fault, tried, len(losses), (time.monotonic() - begun) / 60, remark))
        assert not losses, "\n".join(losses)
        assert tried
