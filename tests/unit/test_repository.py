"""Facts that are stated in two places agree, and every rule says what a rule must say."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


LINUX = """(; sys_platform == "linux")?"""  # what other systems do without


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_exactly(name):
    for line in (ROOT / name).read_text().splitlines():
        if line and not line.startswith(("#", "-r ")):
            assert re.fullmatch(rf"[A-Za-z0-9_.-]+==[A-Za-z0-9_.]+{LINUX}", line), line


def rules():
    for path in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for block in re.split(r"(?m)^(?=(?:    )?rule(?: \w+)?:)", path.read_text())[1:]:
            yield pytest.param(path, block, id=f"{path.stem}-{block.split(':')[0].strip()}")


@pytest.mark.parametrize(("path", "block"), list(rules()))
def test_every_rule_that_runs_code_is_complete(path, block):
    if "script:" not in block:
        assert "output:" not in block
        return
    directives = ["message", "log", "conda", "resources", "threads"]
    if "output:" in block:  # else a benchmark would be its output, and it would run once
        directives.append("benchmark")
    for directive in directives:
        assert re.search(rf"(?m)^ +{directive}:", block), f"{path.name}: no {directive}"
    for kind in ("conda", "script"):
        (name,) = re.findall(rf'{kind}:\s+"([^"]+)"', block)
        assert (path.parent / name).is_file(), name


def test_parsing_the_workflow_imports_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; sys.path.insert(0, 'scripts'); from icl.experiment import validation; "
        "print(*sorted({'torch', 'numpy', 'pandas', 'xarray', 'numba'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_version_is_in_one_place():
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    if tracked == [""]:
        pytest.skip("not a git checkout")
    number = re.compile(rf"(?<![\d.=]){re.escape(PROJECT['version'])}(?![\d.])")
    holders = []
    for name in filter(None, tracked):
        path = ROOT / name
        readable = path.is_file() and path.suffix not in (".png", ".pdf", ".nc")
        if readable and number.search(path.read_text(encoding="utf-8")):
            holders.append(name)
    # A change log names versions once they are released.
    assert [name for name in holders if name != "CHANGELOG.md"] == ["pyproject.toml"]


def test_pre_commit_checks_what_lint_checks_at_the_pinned_versions():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    pinned = set((ROOT / "requirements-dev.txt").read_text().split())
    for hook in hooks:
        assert set(hook.get("additional_dependencies", ())) <= pinned, hook["id"]
    lint = (ROOT / "Makefile").read_text().split("lint:")[1].split("\n\n")[0]
    for tool in ("ruff check", "ruff format", "snakefmt"):
        assert tool in lint
        assert any(hook["entry"].startswith(tool) for hook in hooks), tool


def test_the_hosted_ci_runs_what_ci_runs():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text())
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if "run" in step] == [".ci/run"]
    (python,) = (s["with"]["python-version"] for s in job["steps"] if "python" in s.get("uses", ""))
    assert f">={python}" == PROJECT["requires-python"]
    assert os.access(ROOT / ".ci/run", os.X_OK)


def test_the_literal_profile_name_works_from_a_fresh_checkout():
    assert (ROOT / "slurm").is_symlink()
    assert (ROOT / "slurm/config.yaml").is_file()


def test_no_configuration_in_the_default_profile():
    """It wins over every other profile: the cluster would run the laptop size."""
    assert "configfile" not in yaml.safe_load((ROOT / "profiles/default/config.yaml").read_text())
