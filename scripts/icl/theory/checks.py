"""Range checks: outside its range a formula raises or warns by name, and never yields NaN."""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray


class OutOfRangeWarning(UserWarning):
    """A formula is evaluated where the approximation behind it does not hold."""


def finite(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return a value of any shape as float64, refusing NaN and infinity by name."""
    array = np.asarray(value, dtype=np.float64)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite")
    return array


def positive(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return a value of any shape as float64, refusing what is not above zero by name."""
    array = finite(name, value)
    if np.any(array <= 0):
        raise ValueError(f"{name} must be positive")
    return array


def context_length_of(value: int) -> int:
    """Return the context length N, refusing anything but an integer of at least 2."""
    if int(value) != value or value < 2:
        raise ValueError(f"context_length must be an integer of at least 2, got {value}")
    return int(value)


def distribution(
    logits: ArrayLike, weights: ArrayLike | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return logits and weights of a discrete distribution, (L,) each, the weights summing to 1."""
    values = np.atleast_1d(finite("logits", logits)).ravel()
    if values.size == 0:
        raise ValueError("logits must not be empty")
    if weights is None:
        return values, np.full(values.size, 1.0 / values.size)
    mass = np.atleast_1d(finite("weights", weights)).ravel()
    if mass.shape != values.shape or np.any(mass < 0) or mass.sum() == 0:
        raise ValueError("weights must match the logits, be non-negative and not all zero")
    return values, mass / mass.sum()


def warn_if(condition: ArrayLike, message: str) -> None:
    """Warn with `OutOfRangeWarning` if the condition holds anywhere."""
    if np.any(condition):
        warnings.warn(message, OutOfRangeWarning, stacklevel=3)
