"""List the statistics and what a claim must give each; their source is read, not imported.

A function decorated with `measurements.base.statistic` in any module of this folder is a statistic
that claims may name. The decorator's arguments are literals, so that the configuration can be
checked, as it is whenever the Snakefile is parsed, without NumPy or xarray.
"""

import ast
import functools
from dataclasses import dataclass
from pathlib import Path

from icl.job import ConfigError

HERE = Path(__file__).parents[1] / "measurements"


@dataclass(frozen=True)
class Declaration:
    """A statistic, as its decorator declares it."""

    name: str  # of the function, and the `statistic` of a claim
    module: str  # dotted, where the function is
    roles: tuple[str, ...]  # of a claim's `experiments`
    quantities: tuple[str, ...]  # what it measures, of which a criterion names one
    options: tuple[str, ...]  # of the claim, all needed; each is a key of `schema.Options`
    optional: tuple[str, ...] = ()  # roles that may be left out, or whose data may be missing


@functools.cache
def declared(folder: Path = HERE) -> dict[str, Declaration]:
    """Find the statistics that the modules of a folder declare, by name.

    Raises:
        ConfigError: naming the file, where a declaration cannot be read or a name is taken.
    """
    found: dict[str, Declaration] = {}
    for path in sorted(folder.glob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for function in (node for node in body if isinstance(node, ast.FunctionDef)):
            for call in function.decorator_list:
                if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "statistic":
                    continue
                if function.name in found:
                    raise ConfigError(f"{path}: {function.name}: there is a statistic of this name")
                found[function.name] = _declaration(path, function.name, call)
    return found


def _declaration(path: Path, name: str, call: ast.Call) -> Declaration:
    try:
        values = {
            str(word.arg): tuple(ast.literal_eval(word.value).split()) for word in call.keywords
        }
        return Declaration(name, f"icl.measurements.{path.stem}", **values)
    except (TypeError, ValueError, AttributeError):
        raise ConfigError(
            f"{path}: {name}: @statistic takes roles, quantities, options: each a string of words"
        ) from None
