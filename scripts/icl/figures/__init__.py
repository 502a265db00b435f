"""Figures: one module each, with `draw(data, verdicts) -> Figure`.

`data` maps a role to the collected dataset of the experiment that plays it, `verdicts` a claim's id
to its entry of claims.json; which roles and claims a figure needs stands in config/claims.yaml.
"""

from importlib import import_module
from types import ModuleType

# Module paths, not modules: a job that draws one figure imports one.
FIGURES = {
    "fig1": "icl.figures.fig1",
    "fig2": "icl.figures.fig2",
    "fig4": "icl.figures.fig4",
    "fig6": "icl.figures.fig6",
    "figA1": "icl.figures.figA1",
    "figA4": "icl.figures.figA4",
}


def load(figure: str) -> ModuleType:
    """Import the module that draws a figure.

    Args:
        figure: an id of `FIGURES`.

    Raises:
        KeyError: if there is no such figure.
    """
    return import_module(FIGURES[figure])
