"""Environments are consistent: solved, installed and used from a channel made of what is installed.

What this shows and what it cannot is said in `channel.py` and in docs/environments.md. PyTorch is
left out for its size, and so is the training environment.
"""

import asyncio
import hashlib
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlparse

import pytest
import recipes
from icl.experiment.reach import reach
from recipes import ROOT

pytest.importorskip("rattler", reason="py-rattler is not installed (requirements-dev.txt)")
import channel
import pin
from rattler import Channel, Gateway, Subdir, VirtualPackage, install, solve
from rattler.exceptions import SolverError
from rattler.index import index_fs

INSTALLED = ("figures", "analysis")
GALLERY = ROOT / "docs/gallery/laptop"


def pins(name: str) -> dict[str, str]:
    return recipes.pins(ROOT / f"envs/{name}.yaml")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder with a channel; gone afterwards, for it is large."""
    folder = tmp_path_factory.mktemp("conda")
    needed = {package for name in INSTALLED for package in pins(name)} - {"python"}
    channel.make(folder / "channel", recipes.closure(needed), Subdir.current())
    asyncio.run(index_fs(folder / "channel"))
    yield folder
    shutil.rmtree(folder)


def solved(workplace: Path, wanted: dict[str, str]) -> list:
    """Solve an environment from the channel alone."""
    return asyncio.run(
        solve(
            [Channel((workplace / "channel").as_uri())],
            [f"{package}={version}" for package, version in wanted.items()],
            platforms=[Subdir.current(), Subdir("noarch")],
            virtual_packages=VirtualPackage.detect(),
            gateway=Gateway(cache_dir=workplace / "repodata"),
        )
    )


def installed(workplace: Path, name: str, wanted: dict[str, str]) -> Path:
    """Install an environment, if it is not; return its interpreter."""
    prefix, cache = workplace / name, workplace / "packages"
    if not prefix.exists():
        records = solved(workplace, wanted)
        asyncio.run(install(records, prefix, cache_dir=cache, show_progress=False))
    return prefix / "bin/python"


@pytest.fixture(scope="module", params=INSTALLED)
def environment(request, workplace):
    return request.param, installed(workplace, request.param, pins(request.param))


def run(python: Path, code: str) -> subprocess.CompletedProcess:
    """Run code with the library on the path, and nothing else that is not the environment's."""
    paths = f"import sys; sys.pycache_prefix = {str(python.parents[1] / 'pycache')!r}\n"
    paths += f"sys.path.insert(0, {str(ROOT / 'scripts')!r})\n"
    command = [python, "-I", "-c", paths + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_its_python_imports_what_its_rules_reach(environment):
    name, python = environment
    scripts = [script for _, env, script in recipes.rules() if env.stem == name]
    modules = set().union(*(reach(script, ROOT / "scripts").library for script in scripts))
    assert len(modules) > 5
    result = run(python, "\n".join(f"import {module}" for module in sorted(modules)))
    assert result.returncode == 0, result.stderr


def test_its_packages_are_its_own(environment):
    name, python = environment
    found = run(python, "import xarray; print(sys.prefix, xarray.__file__, xarray.__version__)")
    prefix, file, version = found.stdout.split()
    assert Path(prefix) == python.parents[1]
    assert file.startswith(prefix)
    assert version == pins(name)["xarray"]


@pytest.mark.parametrize("module", ["torch", "snakemake", "pytest"])
def test_it_has_nothing_else(environment, module):
    assert f"No module named '{module}'" in run(environment[1], f"import {module}").stderr


def test_the_figures_environment_draws(workplace, tmp_path):
    python = installed(workplace, "figures", pins("figures"))
    code = (
        "from icl import figures; from icl.store import artifacts; import json, pathlib\n"
        "from icl.verdicts import Verdict\n"
        f"gallery = pathlib.Path({str(GALLERY)!r})\n"
        "claims = json.loads((gallery / 'claims.json').read_text())\n"
        "verdicts = {claim['id']: Verdict.from_json(claim) for claim in claims}\n"
        "data = {'acquisition': artifacts.read(gallery / 'collected/acquisition.nc')}\n"
        "figure = figures.load('figA4').draw(data, verdicts)\n"
        f"figure.savefig({str(tmp_path / 'a.pdf')!r})"
    )
    result = run(python, code)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")


def test_a_version_that_is_not_there_is_not_solved(workplace):
    with pytest.raises(SolverError, match="numpy"):
        solved(workplace, pins("figures") | {"numpy": "1.0.0"})


def test_an_environment_without_a_package_lacks_it(workplace):
    lacking = {name: pin for name, pin in pins("figures").items() if name != "seaborn-base"}
    python = installed(workplace, "lacking", lacking)
    assert "No module named 'seaborn'" in run(python, "import icl.figures.style").stderr


def test_pins_list_what_was_solved_by_address_and_digest(workplace):
    records = solved(workplace, pins("analysis"))
    first, *lines = pin.explicit(records).splitlines()
    assert first == "@EXPLICIT"
    for line in lines:
        address, digest = line.split("#")
        assert hashlib.md5(Path(urlparse(address).path).read_bytes()).hexdigest() == digest
    listed = "\n".join(lines)
    for package, version in pins("analysis").items():
        assert f"/{package}-{version}" in listed
