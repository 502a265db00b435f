"""Measurements: from collected data to the quantities that a claim's criteria judge.

A statistic is a function of any module here, decorated with `base.statistic`. It takes `data` (a
role -> the collected dataset of the experiment that plays it) and the claim's `options`, and
returns a `Measurement`. Nothing is imported until it is asked for.
"""

from collections.abc import Callable
from importlib import import_module

from icl.experiment.declarations import declared


def load(statistic: str) -> Callable:
    """Import the function that measures a statistic.

    Raises:
        KeyError: if there is no such statistic.
    """
    return getattr(import_module(declared()[statistic].module), statistic)
