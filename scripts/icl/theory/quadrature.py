"""Averages over the labels of the context: exact (binomial) and Gaussian.

Given the target's label, the other N - 1 labels are independent and fair. The surplus
`u` = (those equal to the target's label) - (those that differ) is all the loss depends on.
Equation 21 weighs n_+ by n_+/N, which says the same: a binomial weighted by its own value is
1 + Binomial(N - 1, 1/2). Equation 5 replaces u by eta sqrt(N) - 1 under the signed weight
1 + eta/sqrt(N), which keeps the first two moments of u exactly.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

# Up to here every surplus counts: a tiny loss can hang on a rare one. Beyond, Hoeffding's bound
# P(|u| > 9 sqrt(N - 1)) < 2 exp(-81/2) = 5e-18 says what is left out, and at |w| <= 100 the logit
# moves by under 100/sqrt(2000) = 2.3 standard deviations, so that no rare surplus matters.
ALL_SURPLUSES_UP_TO = 2000
SURPLUS_CUTOFF = 9.0
GAUSSIAN_CUTOFF = 10.0
GAUSSIAN_STEP = 0.25

Nodes = tuple[NDArray[np.float64], NDArray[np.float64]]


@lru_cache(maxsize=64)
def binomial_surplus(context_length: int) -> Nodes:
    """Return the surplus of labels that agree with the target's, and its probabilities, (M,) each.

    M is N up to 2000 and about 9 sqrt(N) beyond, where the mass left out is below 5e-18. Source:
    equations 20 and 21, with the weight n_+/N absorbed into the distribution.
    """
    n_others = context_length - 1
    first = 0
    if n_others > ALL_SURPLUSES_UP_TO:
        first = int((n_others - SURPLUS_CUTOFF * np.sqrt(n_others)) / 2)
    n_agree = np.arange(first, n_others - first + 1)
    surplus = np.asarray(2.0 * n_agree - n_others, dtype=np.float64)
    probability = binom.pmf(n_agree, n_others, 0.5)
    return surplus, probability / probability.sum()


def gaussian_surplus(context_length: int, logit_spread: float) -> Nodes:
    """Return nodes and signed weights that average over eta in the Gaussian form of the loss.

    The trapezoid rule converges exponentially on the whole line; the poles of the logistic
    function, at distance pi / logit_spread from it in units of eta, set the step. That spread is
    the deviation of the attention's logit, |w| sqrt(N) / (e^beta + N - 1).

    The surplus is u = eta sqrt(N) - 1 and its weight (1 + eta/sqrt(N)) times the normal density,
    both (M,). A weight is negative where eta < -sqrt(N): the price of the approximation. Source:
    equations 5 and 22.
    """
    step = GAUSSIAN_STEP
    while step * logit_spread > 0.7:  # quadrature error below exp(-2 pi^2 / 0.7) = 6e-13
        step /= 2
    return _gaussian_nodes(context_length, step)


@lru_cache(maxsize=64)
def _gaussian_nodes(context_length: int, step: float) -> Nodes:
    eta = np.arange(-GAUSSIAN_CUTOFF, GAUSSIAN_CUTOFF + step / 2, step)
    density = np.exp(-(eta**2) / 2)
    density /= density.sum()
    return eta * np.sqrt(context_length) - 1.0, (1.0 + eta / np.sqrt(context_length)) * density
