"""Find what a script imports, itself and through the library, by reading the source."""

import ast
import functools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from icl.experiment.yaml_files import from_here

# Packages that load others by name when asked to: (top-level module, keyword, value) -> module.
PLUGINS = {("engine", "netcdf4"): "netCDF4"}


@dataclass
class Reach:
    """The modules that a script reaches."""

    library: set[str] = field(default_factory=set)  # dotted names of the library's modules
    # Top-level names of all else that is not the standard library -> who imports it.
    third_party: dict[str, str] = field(default_factory=dict)


def reach(script: Path, root: Path) -> Reach:
    """Follow a script's imports through the packages under root.

    An import counts wherever it stands, in a function too. A module that imports by a name that it
    computes (`import_module(name)`) reaches every module of its own package. Importing a module
    imports the packages that hold it.
    """
    found = Reach()
    todo = [(script, script.stem, "")]
    while todo:
        path, name, package = todo.pop()
        for imported in _imports_of(path, package, root):
            parts = imported.split(".")
            # A folder without an __init__.py is a package, too.
            if not (source(imported, root) or root.joinpath(*parts).is_dir()):
                if parts[0] not in sys.stdlib_module_names:
                    found.third_party.setdefault(parts[0], name)
                continue
            for i in range(1, len(parts) + 1):
                inner = ".".join(parts[:i])
                path_of = source(inner, root)
                if path_of and inner not in found.library:
                    found.library.add(inner)
                    inside = inner if path_of.name == "__init__.py" else inner.rpartition(".")[0]
                    todo.append((path_of, inner, inside))
    return found


@functools.cache
def _imports_of(path: Path, package: str, root: Path) -> list[str]:
    """Parse a file once, whichever scripts reach it."""
    return list(imports(ast.parse(path.read_text(encoding="utf-8")), package, root))


@functools.cache
def code_of(script: str, scripts: Path) -> list[str]:
    """List the files of the library, below `scripts`, that a script reaches."""
    modules = reach(scripts / script, scripts).library
    paths = filter(None, (source(module, scripts) for module in modules))
    return sorted(str(from_here(path)) for path in paths)


def source(module: str, root: Path) -> Path | None:
    """Return the file of a module under root, if it is there."""
    base = root.joinpath(*module.split("."))
    options = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in options if path.is_file()), None)


def imports(tree: ast.Module, package: str, root: Path) -> Iterator[str]:
    """Yield the dotted names that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                outer = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*outer, *filter(None, [base])])
            yield base
            for alias in node.names:  # a module, or a name in one
                if source(f"{base}.{alias.name}", root):
                    yield f"{base}.{alias.name}"
        elif isinstance(node, ast.Call):
            yield from _called(node, package, root)


def _called(node: ast.Call, package: str, root: Path) -> Iterator[str]:
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name in ("import_module", "__import__") and node.args:
        first = node.args[0]
        if isinstance(first, ast.Constant):
            yield str(first.value)
        else:
            for path in sorted(root.joinpath(*package.split(".")).glob("*.py")):
                yield package if path.stem == "__init__" else f"{package}.{path.stem}"
    for word in node.keywords:
        value = getattr(word.value, "value", None)  # of a literal
        if plugin := PLUGINS.get((str(word.arg), str(value))):
            yield plugin
