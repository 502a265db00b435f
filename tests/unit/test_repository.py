"""Facts that are stated in two places agree, and every rule says what a rule must say."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_exactly(name):
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith(("#", "-r ")):
            assert re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+", line), line


def rules():
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for block in re.split(r"(?m)^(?=(?:    )?rule(?: \w+)?:)", path.read_text())[1:]:
            yield pytest.param(path, block, id=f"{path.stem}-{block.split(':')[0].strip()}")


@pytest.mark.parametrize(("path", "block"), list(rules()))
def test_every_rule_that_runs_code_is_complete(path, block):
    if "script:" not in block:
        assert "output:" not in block
        return
    for directive in ("message", "log", "benchmark", "conda", "resources", "threads"):
        assert re.search(rf"(?m)^ +{directive}:", block), f"{path.name}: no {directive}"
    for kind in ("conda", "script"):
        (name,) = re.findall(rf'{kind}:\s+"([^"]+)"', block)
        assert (path.parent / name).is_file(), name


def test_parsing_the_workflow_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; sys.path.insert(0, 'scripts'); from icl import config, validation; "
        "print(*sorted({'torch', 'numpy', 'pandas', 'xarray', 'numba'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version


def test_the_literal_profile_name_works_from_a_fresh_checkout():
    assert (ROOT / "slurm").is_symlink()
    assert (ROOT / "slurm/config.yaml").is_file()


def test_no_configuration_in_the_default_profile():
    """It wins over every other profile: the cluster would run the laptop size."""
    assert "configfile" not in yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
