"""beta, w and a memorising MLP integrated together: the race that figure 1 sketches.

The paper measures the MLP's c1(t) and leaves its law of growth open; a law is needed to say how
memorisation slows down once ICL explains the loss. The one chosen here has a closed I_K(inf).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from icl.theory.accuracy import icl_accuracy_with_mlp, iwl_accuracy
from icl.theory.checks import context_length_of, finite, positive
from icl.theory.flow import integrate
from icl.theory.landscape import average, loss_gradient, order_parameters
from icl.theory.quadrature import binomial_surplus

HERMITE_ORDER = 8
NOISE, NOISE_WEIGHT = np.polynomial.hermite_e.hermegauss(HERMITE_ORDER)
NOISE_WEIGHT = NOISE_WEIGHT / NOISE_WEIGHT.sum()


@dataclass(frozen=True)
class MemorisingMlp:
    """A law of growth for the MLP's logits.

    A share of the items can be memorised. Their logits phi^+ are normal around m(t), those of the
    others around 0. The mean grows as dm/dt = (1 + m)^q <sigma(-logit)>/tau, as the margin of a
    homogeneous network of L layers does, with q = 2 - 2/L. Without attention the memorisable share
    then has 2 integral <sigma(-phi)> dt = 2 tau/(q - 1).
    """

    i_infinity: float  # 2 tau/(q - 1), which is I_K(inf) if all can be memorised (theory time)
    memorisable: float = 1.0  # share of the items that can be memorised, in (0, 1]
    growth_exponent: float = 2.0  # q, above 1: 2 is the limit of many layers, 4/3 three of them
    logit_spread: float = 0.5  # standard deviation of phi^+ over items (logit), above 0

    def __post_init__(self):
        positive("i_infinity", self.i_infinity)
        positive("logit_spread", self.logit_spread)
        if not 0 < self.memorisable <= 1 or not self.growth_exponent > 1:
            raise ValueError("memorisable must lie in (0, 1] and growth_exponent above 1")

    @property
    def growth_time(self) -> float:
        """Time scale tau of the law of growth (theory time)."""
        return self.i_infinity * (self.growth_exponent - 1) / 2

    def logits(self, mean: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return phi^+ of all items and their weights, as quadrature nodes.

        The mean logit m is that of the memorisable items. Both are (16,) or, if all can be
        memorised, (8,).
        """
        noise, weight = NOISE * self.logit_spread, NOISE_WEIGHT
        if self.memorisable == 1:
            return mean + noise, weight
        share = self.memorisable
        return np.concatenate([mean + noise, noise]), np.concatenate(
            [share * weight, (1 - share) * weight]
        )


@dataclass(frozen=True)
class Race:
    """The race at given times; every array has shape (T,)."""

    time: NDArray[np.float64]  # theory time
    beta: NDArray[np.float64]  # query-key strength (dimensionless)
    w: NDArray[np.float64]  # value strength (logit)
    c1: NDArray[np.float64]  # mean of sigma(-phi^+)
    c3: NDArray[np.float64]  # mean of exp(-phi^+)
    icl_accuracy: NDArray[np.float64]  # on novel items
    iwl_accuracy: NDArray[np.float64]  # on training items without a copy in the context


def race(
    mlp: MemorisingMlp,
    context_length: int,
    time: ArrayLike,
    *,
    beta0: float = 0.0,
    weight_decay: float = 0.0,
) -> Race:
    """Integrate beta, w from 0 and the MLP on the one loss they share; tell them at these times.

    Source: gradient flow of equation 20 with the penalty of 43; the MLP's law is ours.
    """
    n = context_length_of(context_length)
    time = finite("time", time)
    if time.ndim != 1 or time.size < 2 or time[0] != 0 or np.any(np.diff(time) <= 0):
        raise ValueError("time must be a vector that starts at 0 and increases")
    if weight_decay < 0:
        raise ValueError("weight_decay must not be negative")
    surplus = binomial_surplus(n)

    def velocity(_, state):
        beta, w, mean = state
        phi, mass = mlp.logits(mean)
        d_beta, d_w = loss_gradient(beta, w, n, phi, mass, form="exact")
        memorisable = (phi[:HERMITE_ORDER], NOISE_WEIGHT)
        error = float(average(_miss, beta, w, n, surplus, memorisable))
        growth = np.exp(mlp.growth_exponent * np.log1p(mean)) * error / mlp.growth_time
        return [-float(d_beta), -float(d_w) - weight_decay * w, growth]

    solution = integrate(velocity, [float(beta0), 0.0, 0.0], time[-1], times=time)
    beta, w, mean = solution.y
    parameters = [order_parameters(*mlp.logits(m)) for m in mean]
    share, spread = mlp.memorisable, mlp.logit_spread
    rms = np.sqrt(share * mean**2 + spread**2)
    iwl = share * iwl_accuracy(w, n, mean, spread) + (1 - share) / 2
    return Race(
        time,
        beta,
        w,
        np.array([p.c1 for p in parameters]),
        np.array([p.c3 for p in parameters]),
        icl_accuracy_with_mlp(beta, w, n, rms),
        iwl,
    )


def _miss(logit, *_):
    return expit(-logit)
