"""The code of a model, imported when it is asked for: it needs torch, its description does not."""

from importlib import import_module
from types import ModuleType


def network(model: str) -> ModuleType:
    """Import a model's plain functions, by its name."""
    return import_module(f"icl.models.{model}.network")


def fast(model: str) -> ModuleType:
    """Import a model's step for a CPU, by its name."""
    return import_module(f"icl.models.{model}.fast")


def gpu(model: str) -> ModuleType:
    """Import a model's step for a GPU, by its name. It needs Triton."""
    return import_module(f"icl.models.{model}.gpu")
