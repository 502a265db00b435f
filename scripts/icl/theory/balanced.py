"""The balanced task D': exactly N/2 context tokens of each label (section 3.4)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icl.theory.checks import context_length_of, distribution, finite
from icl.theory.landscape import BALANCED_SURPLUS, average, cross_entropy


def loss_balanced(
    beta: ArrayLike,
    w: ArrayLike,
    context_length: int,
    logits: ArrayLike = 0.0,
    weights: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Return the loss when exactly half of the context has each label.

    Returns mean binary cross-entropy (nat), exact in N. Source: equation 5 with eta = 0 (section
    3.4).
    """
    n = even_context_length(context_length)
    return average(cross_entropy, beta, w, n, BALANCED_SURPLUS, distribution(logits, weights))


def separatrix(beta: ArrayLike, context_length: int | None = None) -> NDArray[np.float64]:
    """Return the w on the saddle's stable curve: above it lies ICL, below it the other solution.

    Along the flow of any loss that depends on w (e^beta - 1)/(e^beta + N - 1) alone, whatever the
    MLP does, w^2/2 - [e^beta + (N - 2) beta + (N - 1) e^-beta]/N is conserved; for N to infinity it
    is w^2/2 - beta - e^-beta, which the flow of equation 9 conserves.

    The separating w has the sign opposite to beta; it is 0 at beta = 0. Source: follows from
    equation 9 (beyond the paper).
    """
    beta = finite("beta", beta)
    if np.any(np.abs(beta) > 700):
        raise ValueError("e^|beta| overflows beyond |beta| = 700")
    # Both are differences from the value at the origin; sinh and expm1 keep them exact near it.
    height = beta + np.expm1(-beta)
    if context_length is not None:
        n = even_context_length(context_length)
        height = height + (np.expm1(beta) - 2 * beta - np.expm1(-beta)) / n
    return -np.sign(beta) * np.sqrt(2 * np.maximum(height, 0))


def even_context_length(context_length: int) -> int:
    """Return N, refusing what cannot hold N/2 tokens of each label."""
    n = context_length_of(context_length)
    if n % 2:
        raise ValueError(f"a balanced context has an even length, got {n}")
    return n
