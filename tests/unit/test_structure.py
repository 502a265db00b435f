"""The library is as docs/design.md draws it: rooms whose imports go one way."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from checkout import ROOT
from icl.experiment import reach

SCRIPTS = ROOT / "scripts"
LIBRARY = SCRIPTS / "icl"


def room(module: str) -> str:
    """Name the folder of the library, or the module beside the folders, that holds a module."""
    return ".".join(module.split(".")[:2])


def imports(library: Path) -> dict[tuple[str, str], list[str]]:
    """Find the imports from one room to another: (importing, imported) -> the modules that do."""
    found: dict[tuple[str, str], list[str]] = {}
    for path in library.rglob("*.py"):
        module = ".".join(path.relative_to(library.parent).with_suffix("").parts)
        package = module if path.name == "__init__.py" else module.rpartition(".")[0]
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name in reach.imports(tree, package, library.parent):
            if name.startswith("icl.") and room(name) != room(module):
                found.setdefault((room(module), room(name)), []).append(module)
    return found


def order(library: Path) -> list[str]:
    """List the rooms so that each imports only from those before it.

    Raises:
        CycleError: if there is no such order.
    """
    sorter = TopologicalSorter()
    for importing, imported in imports(library):
        sorter.add(importing, imported)
    return list(sorter.static_order())


def test_imports_go_one_way():
    rooms = order(LIBRARY)
    assert {"icl.theory", "icl.figures", "icl.engine", "icl.claims"} <= set(rooms)


def test_a_cycle_is_found(tmp_path):
    for name, text in {"a/x": "from icl.b import y", "b/y": "from icl import c", "c": ""}.items():
        path = tmp_path / f"icl/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert order(tmp_path / "icl") == ["icl.c", "icl.b", "icl.a"]
    (tmp_path / "icl/c.py").write_text("def f():\n    from icl.a.x import g")
    with pytest.raises(CycleError):
        order(tmp_path / "icl")


def test_rooms_stand_in_the_order_of_the_design_notes():
    """Its table says that each row imports only from rows above it."""
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z]+)(?:/|\.py)` \|", text, re.MULTILINE)
    place = {f"icl.{name}": i for i, name in enumerate(rows)}
    beside = {"icl.text", "icl.entry"}
    inside = {path.stem for path in LIBRARY.iterdir()} - {"__init__", "__pycache__"}
    assert {f"icl.{name}" for name in inside} == set(place) | beside
    wrong = [
        f"{importing} imports {imported}"
        for importing, imported in imports(LIBRARY)
        if not {importing, imported} & beside and place[imported] > place[importing]
    ]
    assert wrong == []


CLOSED_CURVES = {
    ("icl.figures.panels", "icl.statistics.fits"): "the logistic that was fitted",
    ("icl.figures.fig6d", "icl.theory.transience"): "equation 16",
}


def test_figures_draw_and_do_not_measure():
    """A figure takes numbers from verdicts and measurements; what it may evaluate is a curve."""
    found = set()
    for path in (LIBRARY / "figures").glob("*.py"):
        tree, module = ast.parse(path.read_text(encoding="utf-8")), f"icl.figures.{path.stem}"
        for name in reach.imports(tree, "icl.figures", SCRIPTS):
            if room(name) in ("icl.statistics", "icl.theory") and name != room(name):
                found.add((module, ".".join(name.split(".")[:3])))
    assert found == set(CLOSED_CURVES)


def test_few_modules_stand_beside_the_folders():
    assert len(list(LIBRARY.glob("*.py"))) <= 8


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.name)
def test_an_entry_script_fits_on_a_screen(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 60


def test_nothing_outside_its_room_asks_for_a_model_s_name():
    names = {path.name for path in (LIBRARY / "models").iterdir() if path.is_dir()}
    listed = "|".join(sorted(names - {"__pycache__"}))
    asked = re.compile(rf"""(?:==|!=|\bin\b) *[(\[{{]?["'](?:{listed})["']""")
    assert asked.search('job.model.name in ("minimal", "mlp")')
    outside = [path for path in SCRIPTS.rglob("*.py") if "models" not in path.parts]
    outside += sorted((ROOT / "workflow").rglob("*.smk"))
    found = [
        f"{path.name}: {line.strip()}"
        for path in outside
        for line in path.read_text(encoding="utf-8").splitlines()
        if asked.search(line)
    ]
    assert found == []


def test_what_tests_share_is_in_no_test_module():
    """One test's file can then change, or go, without another's."""
    borrowed = re.compile(r"^\s*(?:from|import) test_\w+", re.MULTILINE)
    assert borrowed.search("import numpy\nfrom test_models import make_job")
    paths = [
        path for folder in ("tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(paths) > 50
    assert [path.name for path in paths if borrowed.search(path.read_text(encoding="utf-8"))] == []
