"""A loop from the disk is that of the present code, with all that it calls in other modules."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from icl.kernels import compiled

LIBRARY = Path(compiled.__file__).parents[1]
MAKERS = {"compile_loop", "compile_exactly", "inline_loop", "intrinsic"}
WEIGHT = """
import numpy as np
from icl.kernels import loops
scores = np.zeros((1, 2, 2), np.float32)
scores[0, 1, 1] = -1
loops.causal_softmax(scores, True)
print(scores[0, 1, 1], len(loops.causal_softmax.stats.cache_hits))
"""


def test_every_module_of_loops_is_watched():
    having = {
        path
        for path in LIBRARY.rglob("*.py")
        if MAKERS & set(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    }
    assert having | {LIBRARY / "kernels/__init__.py"} == set(compiled.MODULES)


def test_a_cache_of_the_users_own_is_used(tmp_path):
    command = [sys.executable, "-c", WEIGHT]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    subprocess.run(command, cwd=LIBRARY.parent, env=environment, timeout=120, check=True)
    assert list((tmp_path / "cache").rglob("loops.causal_softmax*.nbi"))


def test_a_loop_follows_a_change_of_what_it_calls(tmp_path):
    copy = tmp_path / "icl"
    shutil.copytree(LIBRARY, copy, ignore=shutil.ignore_patterns("__pycache__"))

    def weight():
        command = [sys.executable, "-c", WEIGHT]
        result = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
        )
        value, from_disk = result.stdout.split()
        return float(value), bool(int(from_disk))

    assert weight() == (pytest.approx(0.268941, abs=1e-5), False)
    assert weight() == (pytest.approx(0.268941, abs=1e-5), True)  # from the disk
    changed = copy / "kernels/compiled.py"
    text = changed.read_text(encoding="utf-8")
    slip = text.replace("value * rest + np.float32(1.0)", "value * rest + np.float32(3.0)")
    assert slip != text
    changed.write_text(slip, encoding="utf-8")
    assert weight() == (pytest.approx(0.3127, abs=1e-3), False)
