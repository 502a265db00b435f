"""Measurements: from collected data to the quantities that a claim's criteria judge.

A statistic is a function in any module here, decorated with `base.statistic`. It takes `data` (for
each role, the collected dataset of the experiment that plays it) and the claim's `options`, and
returns a `Measurement`. Modules are imported only when one of their statistics is asked for.

Shapes: R runs, T evaluations, G values of N or K, S seeds, B bootstrap resamples. An array with
1 + B rows holds the data in its first row and the resamples in the others. I_K at the end of a
record, `i_recorded`, stands for I_K(inf); `i_tail_bound` says what may be missing.

Runs that do not allow a measurement raise `NotComputableError`, whose message a verdict quotes.
"""

from collections.abc import Callable
from importlib import import_module

from icl.experiment.declarations import declared


def load(statistic: str) -> Callable:
    """Import the function that measures a statistic; `KeyError` if there is none."""
    return getattr(import_module(declared()[statistic].module), statistic)
