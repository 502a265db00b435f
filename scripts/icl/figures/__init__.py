"""Figures: one module each, with `draw(data, verdicts) -> Figure`.

`data` maps a role to the collected dataset of the experiment that plays it, `verdicts` a claim's id
to its `Verdict`; which roles and claims a figure needs stands in config/claims.yaml. The
module is named as the figure is there.
"""

from importlib import import_module
from types import ModuleType


def load(figure: str) -> ModuleType:
    """Import the module that draws a figure."""
    return import_module(f"icl.figures.{figure}")
