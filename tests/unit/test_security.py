"""Nothing that a configuration says is run as code, or leaves the folder of its results."""

import ast
import copy
import re
from pathlib import Path

import pytest
from checkout import ROOT
from committed import SMOKE
from committed import SMOKE_FILES as FILES
from icl.experiment.validation import Sources, check
from icl.job import ConfigError

PYTHON = sorted((ROOT / "scripts").rglob("*.py"))
SNAKEFILES = [
    ROOT / "Snakefile",
    ROOT / "workflow/Snakefile",
    *sorted(ROOT.glob("workflow/rules/*.smk")),
]
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load"}
MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}


def dangers(source: str) -> list[str]:
    """List what could run data as code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in MODULES]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            found += [name] if name in CALLS else []
            if name == "np.load":  # its default has changed before
                refusing = [ast.unparse(key) for key in node.keywords]
                found += [] if "allow_pickle=False" in refusing else [name]
            found += [f"{key.arg} of {name}" for key in node.keywords if _dangerous(key)]
            if name in ("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load"):
                loaders = [ast.unparse(key.value) for key in node.keywords if key.arg == "Loader"]
                found += [] if loaders == ["_StrictLoader"] else [name]
    return found


def _dangerous(keyword: ast.keyword) -> bool:
    true = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
    return keyword.arg in ("shell", "allow_pickle") and true


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: path.name)
def test_no_code_runs_data(path):
    assert dangers(path.read_text()) == []


def test_the_search_finds_what_it_looks_for():
    for text in (
        "eval(x)",
        "import pickle",
        "from pickle import loads",
        "yaml.load(x)",
        "yaml.load(x, Loader=yaml.Loader)",
        "subprocess.run(x, shell=True)",
        "np.load(x)",
        "np.load(x, allow_pickle=True)",
        "torch.load(x)",
    ):
        assert dangers(text), text


@pytest.mark.parametrize("path", SNAKEFILES, ids=lambda path: path.name)
def test_no_rule_writes_a_shell_command(path):
    """Rules run scripts, which get a configuration as data."""
    text = re.sub(r"#.*", "", path.read_text())
    assert not re.search(r"(?m)^ +(shell|run|notebook|wrapper) *:|\b(shell|eval|exec)\(", text)


HOSTILE = [
    "a b",
    "a'b",
    'a"b',
    "$(touch x)",
    "`x`",
    "../up",
    "/abs",
    "a/b",
    "a\n",
    "",
    ".",
    "..",
    "-n",
]
HOSTILE += ["a;b", "a*", "{job}", "a\0b", "ä", "A", "~", "a" * 41]


@pytest.mark.parametrize("name", HOSTILE, ids=repr)
@pytest.mark.parametrize("kind", ["name", "preset", "experiments", "claims", "figures"])
def test_no_name_leaves_the_results(kind, name):
    """Names make paths: they are small letters, digits and underscores."""
    config = copy.deepcopy(SMOKE)
    if kind in ("name", "preset"):
        config[kind] = name
    else:
        config[kind][name] = copy.deepcopy(next(iter(config[kind].values())))
    with pytest.raises(ConfigError) as caught:
        check(config, Sources(FILES))
    assert kind in str(caught.value)


def test_what_a_job_is_called_comes_from_numbers_alone():
    """The other parts of a training artifact's path."""
    config = copy.deepcopy(SMOKE)
    config["experiments"]["transition"]["description"] = "../../$(touch x) {output} \"' \n"
    for jobs in check(config, Sources(FILES)).values():
        for job in jobs:
            assert re.fullmatch(r"[A-Za-z0-9_-]+", job.name)
            assert Path(job.name).name == job.name
