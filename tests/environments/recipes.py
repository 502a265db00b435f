"""The environments of envs/, and the rules that name them."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
ENVS = sorted((ROOT / "envs").glob("*.yaml"))

# conda-forge's names where they are not the distribution's; the -base packages leave out a GUI
# toolkit and statsmodels.
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
}


def normalised(name: str) -> str:
    """Write a distribution's name as indices compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def conda_name(distribution: str) -> str:
    """Name the conda package of a distribution."""
    name = normalised(distribution)
    return CONDA_NAMES.get(name, name)


# Packages that another brings along where it is of use: torch's CUDA build has Triton.
COMES_WITH = {"triton": "torch"}


def provider(module: str) -> str:
    """Name the conda package that provides a top-level module, by what is installed here.

    Raises:
        KeyError: if nothing installed provides it.
    """
    return conda_name(COMES_WITH.get(module) or distributions()[module][0])


distributions = cache(metadata.packages_distributions)


def requirements(distribution: str) -> Iterator[Requirement]:
    """Yield what an installed distribution requires here, extras left out."""
    for text in metadata.requires(distribution) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield requirement


def closure(conda_names: Iterable[str]) -> set[str]:
    """List installed distributions and all that they require, from names of conda packages."""
    of = {conda: pip for pip, conda in CONDA_NAMES.items()}
    todo, found = [of.get(name, name) for name in conda_names], set()
    while todo:
        name = normalised(todo.pop())
        if name not in found:
            found.add(name)
            todo += [requirement.name for requirement in requirements(name)]
    return found


def pins(path: Path) -> dict[str, str]:
    """Read an environment: package -> version."""
    return dict(
        entry.split("=")
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    )


def locked() -> dict[str, str]:
    """Read requirements.txt: conda package -> version."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {conda_name(name): version for name, version in found.items()}


def rules() -> Iterator[tuple[str, Path | None, Path]]:
    """Yield every rule that runs a script: its name, its environment, its script."""
    for path in [
        ROOT / "Snakefile",
        ROOT / "workflow/Snakefile",
        *sorted(ROOT.glob("workflow/rules/*.smk")),
    ]:
        for name, env, script in rules_of(path.read_text(encoding="utf-8")):
            folder = path.parent
            resolved = (folder / env).resolve() if env else None
            yield f"{path.stem}:{name}", resolved, (folder / script).resolve()


def rules_of(text: str) -> Iterator[tuple[str, str | None, str]]:
    """Yield the rules of a Snakefile that run code: name, `conda:` if it has one, `script:`.

    Raises:
        ValueError: if a rule runs code in another way, which has no file to check.
    """
    for block in re.split(r"(?m)^(?=[ \t]*(?:rule|checkpoint)(?: \w+)?:\s*$)", text)[1:]:
        name = re.match(r"\s*\w+ ?(\w*):", block).group(1) or "by a loop"
        code = re.search(r"(?m)^\s+(shell|run|notebook|wrapper):", block)
        if code:
            raise ValueError(f"rule {name} runs a {code.group(1)}, not a script")
        script = re.search(r'script:\s+"([^"]+)"', block)
        env = re.search(r'conda:\s+"([^"]+)"', block)
        if script:
            yield name, env.group(1) if env else None, script.group(1)
