"""Every rule's environment provides what its script imports; pins are those of pip."""

from pathlib import Path

import pytest
import recipes
from icl.experiment.reach import reach
from recipes import ENVS, ROOT

SCRIPTS = ROOT / "scripts"
RULES = list(recipes.rules())


def missing(script: Path, root: Path, env: dict[str, str]) -> dict[str, str]:
    """List what a script reaches and an environment does not provide -> who imports it."""
    needed = reach(script, root).third_party
    return {name: by for name, by in needed.items() if recipes.provider(name) not in env}


def test_the_rules_were_found():
    assert {"train.py", "collect.py", "predict.py", "analyse.py", "draw.py", "summarise.py"} <= {
        script.name for _, _, script in RULES
    }


@pytest.mark.parametrize(("env", "script"), [pytest.param(e, s, id=name) for name, e, s in RULES])
def test_a_rule_names_an_environment_that_provides_what_it_imports(env, script):
    assert env is not None, "the rule has no conda directive"
    assert env in ENVS
    assert missing(script, SCRIPTS, recipes.pins(env)) == {}


@pytest.mark.parametrize("env", ENVS, ids=lambda path: path.stem)
def test_an_environment_holds_nothing_that_its_rules_do_not_need(env):
    scripts = [script for _, used, script in RULES if used == env]
    assert scripts, "no rule uses it"
    used = {recipes.provider(name) for s in scripts for name in reach(s, SCRIPTS).third_party}
    needed = {recipes.conda_name(name) for name in recipes.closure(used)}
    assert set(recipes.pins(env)) - {"python"} <= needed


@pytest.mark.parametrize("env", ENVS, ids=lambda path: path.stem)
def test_conda_and_pip_pins_agree(env):
    pinned = {name: version for name, version in recipes.pins(env).items() if name != "python"}
    assert pinned == {name: recipes.locked()[name] for name in pinned}


# Negative fixtures: each would pass a check that looks at less.


@pytest.fixture
def library(tmp_path):
    def write(**files):
        for name, text in files.items():
            path = tmp_path / f"{name.replace('__', '/')}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        (tmp_path / "lib").mkdir(exist_ok=True)
        (tmp_path / "lib/__init__.py").touch()
        return tmp_path / "script.py", tmp_path

    return write


NUMPY_ALONE = {"numpy": "1"}


@pytest.mark.parametrize(
    "files",
    [
        {"script": "import torch"},
        {"script": "import torch.nn.functional as f"},
        {"script": "def f():\n    from scipy import stats"},
        {"script": "from lib import a", "lib__a": "import scipy"},
        {"script": "import lib.a", "lib__a": "from lib import b", "lib__b": "import scipy"},
        {"script": "from lib.a import f", "lib__a": "from . import b", "lib__b": "import scipy"},
        {"script": "from lib.a import f", "lib__a": "from .b import g", "lib__b": "import scipy"},
        {"script": "import importlib\nimportlib.import_module('scipy.stats')"},
        {
            "script": "from lib.a import load",
            "lib__a": "from importlib import import_module\ndef load(n): import_module(f'lib.{n}')",
            "lib__b": "import scipy",
        },
        {"script": "import xarray_less\nopen_dataset(p, engine='netcdf4')"},
    ],
    ids=range(10),
)
def test_what_is_missing_is_found(library, files, monkeypatch):
    provider = recipes.provider
    monkeypatch.setattr(recipes, "provider", lambda m: "numpy" if "less" in m else provider(m))
    assert missing(*library(**files), NUMPY_ALONE)


def test_what_is_there_is_not_missing(library):
    files = {"script": "import json\nimport numpy as np\nfrom lib import a", "lib__a": "import os"}
    assert missing(*library(**files), NUMPY_ALONE) == {}


def test_the_importer_is_named(library):
    script, root = library(script="from lib import a", lib__a="import scipy")
    assert missing(script, root, NUMPY_ALONE) == {"scipy": "lib.a"}


RULE = 'rule a:\n    conda:\n        "e.yaml"\n    script:\n        "s.py"\n'


def test_rules_are_read():
    assert list(recipes.rules_of(RULE)) == [("a", "e.yaml", "s.py")]
    without = RULE.replace('    conda:\n        "e.yaml"\n', "")
    assert list(recipes.rules_of(RULE + without)) == [("a", "e.yaml", "s.py"), ("a", None, "s.py")]
    with pytest.raises(ValueError, match="runs a shell"):
        list(recipes.rules_of(RULE.replace("script", "shell")))
