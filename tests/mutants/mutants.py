"""Break the code in small ways, one at a time, and see whether its unit tests notice.

    python tests/mutants/mutants.py MINUTES [SEED [MODULE ...]]     # make mutants: 25

Cosmic Ray makes the mutants: an operator, a number or a truth value exchanged, a loop that never
runs, an exception that nobody raises. They are tried in an order drawn by SEED, until all have been
or the minutes are over: what has been tried is a random sample of all. The tests of a mutant run in
a process of its own, which ends with the first that fails, or at its limit of processor time.

Prints a line for each survivor, then how many were killed of how many, by file.
"""

import ast
import importlib.machinery
import importlib.util
import os
import random
import re
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / ".venv/mutants"))  # last: it has other versions of what is here
os.environ.setdefault("OMP_NUM_THREADS", "1")

import netCDF4  # noqa: E402, F401  once, before forks
import PIL.Image  # noqa: E402, F401
import pydantic  # noqa: E402, F401
import pytest  # noqa: E402
import torch  # noqa: E402, F401
import xarray  # noqa: E402, F401
from cosmic_ray.ast import Visitor, ast_nodes, get_ast  # noqa: E402
from cosmic_ray.operators.provider import OperatorProvider  # noqa: E402

# Of each module: the unit tests that concern it and take seconds.
TESTS = {
    "store/files.py": ["archive", "artifacts", "checkpoint"],
    "store/artifacts.py": ["artifacts", "archive"],
    "store/archive.py": ["archive"],
    "engine/checkpoint.py": ["checkpoint"],
    "experiment/yaml_files.py": ["validation", "bad_input", "fuzz_bytes"],
    "experiment/validation.py": ["validation", "bad_input"],
    "experiment/limits.py": ["limits", "validation", "bad_input"],
}
# `is` in the place of another comparison: of interned texts and small numbers the same.
UNLIKE = re.compile(r"Comparison.*(?<!Is)(?<!IsNot)_Is(Not)?$")
SURVIVED, KILLED, NO_MODULE = 0, 1, 3
PATIENCE = 4  # times what the tests take of the code as it is


@dataclass(frozen=True)
class Mutant:
    """A module with one change: an operator of Cosmic Ray's, where it applies for the n-th time."""

    module: str
    operator: str
    occurrence: int

    @property
    def source(self) -> str:
        """The module as it is."""
        return (ROOT / "scripts/icl" / self.module).read_text(encoding="utf-8")

    def code(self) -> str:
        """Make the change; "" where what comes of it is no Python, or the same."""
        once = Once(OperatorProvider()[self.operator](), self.occurrence)
        try:
            code = once.walk(get_ast(self.source)).get_code()
            is_other = ast.dump(ast.parse(code)) != ast.dump(ast.parse(self.source))
        except (SyntaxError, AttributeError):  # Cosmic Ray cannot exchange an exception with a dot
            return ""
        return code if is_other and not self._is_annotation(code) else ""

    def change(self, code: str) -> tuple[int, str, str]:
        """Return the first line that is changed: its number, as it was, as it is."""
        pairs = zip(self.source.splitlines(), code.splitlines(), strict=False)
        return next((n, a.strip(), b.strip()) for n, (a, b) in enumerate(pairs, 1) if a != b)

    def _is_annotation(self, code: str) -> bool:
        """Tell whether a | is that of `str | None`: to exchange it breaks the import, no more."""
        line = self.change(code)[1]
        return "BitOr" in self.operator and any(part in line for part in (": ", "->", "isinstance"))


class Once(Visitor):
    """Applies an operator at one of the places where it can be applied."""

    def __init__(self, operator, occurrence: int):
        self.operator, self.left = operator, occurrence

    def visit(self, node):
        """Change the node if it is the one."""
        for index, _ in enumerate(list(self.operator.mutation_positions(node))):
            if self.left == 0:
                self.left = -1
                return self.operator.mutate(node, index)
            self.left -= 1
        return node


def mutants_of(module: str) -> list[Mutant]:
    """List all places of a module where an operator applies."""
    nodes = list(ast_nodes(get_ast(Mutant(module, "", 0).source)))
    provider, found = OperatorProvider(), []
    for name in provider:
        if not provider[name].arguments() and not UNLIKE.search(name):
            operator = provider[name]()
            places = sum(len(list(operator.mutation_positions(node))) for node in nodes)
            found += [Mutant(module, name, occurrence) for occurrence in range(places)]
    return found


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a mutant, and finds it before its module is found."""

    def __init__(self, module: str, code: str):
        name = f"icl.{module[:-3].replace('/', '.')}"
        super().__init__(name, str(ROOT / "scripts/icl" / module))
        self.code = code

    def get_code(self, fullname):
        """Compile the mutant."""
        return compile(self.code, self.path, "exec")

    def find_spec(self, name, path=None, target=None):
        """Find the mutant under its module's name, and nothing else."""
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.path, loader=self)


def outcome(module: str, code: str, seconds: int) -> int:
    """Run the tests of a module in a process of their own, in which its code is another."""
    if not (pid := os.fork()):
        found = NO_MODULE
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            sys.path.insert(0, str(ROOT / "scripts"))
            loader = Loader(module, code)
            sys.meta_path.insert(0, loader)
            importlib.import_module(loader.name)
            tests = [str(ROOT / f"tests/unit/test_{name}.py") for name in TESTS[module]]
            options = ["-x", "-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
            found = KILLED if pytest.main([*options, *tests]) else SURVIVED
        finally:
            os._exit(found)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return KILLED if status < 0 else status  # it took too long


def processor_time(module: str) -> float:
    """Measure the seconds of a module's tests, which must pass of the code as it is."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = outcome(module, Mutant(module, "", 0).source, 600)
    assert found == SURVIVED, f"{module}: its tests fail"
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def main(minutes: float, seed: int = 18, *modules: str) -> None:
    """Try as many mutants as the time allows."""
    counts: dict[str, Counter] = {module: Counter() for module in modules or TESTS}
    everything = [mutant for module in counts for mutant in mutants_of(module)]
    random.Random(seed).shuffle(everything)
    allowed = {module: PATIENCE * int(processor_time(module) + 1) for module in counts}
    end = time.monotonic() + 60 * minutes
    for mutant in everything:
        if time.monotonic() > end:
            break
        if code := mutant.code():
            found = outcome(mutant.module, code, allowed[mutant.module])
            counts[mutant.module][found] += 1
            if found == SURVIVED:
                number, before, after = mutant.change(code)
                print(f"{mutant.module}:{number}: {before}  ->  {after}", flush=True)
    print(f"seed {seed}; drawn from {len(everything)} places")
    for module, count in counts.items():
        tried = count[KILLED] + count[SURVIVED]
        print(f"{module}: {count[KILLED]} killed of {tried} ({count[NO_MODULE]} do not import)")


if __name__ == "__main__":
    main(float(sys.argv[1]), *map(int, sys.argv[2:3]), *sys.argv[3:])
