"""The loss of the minimal model as a function of beta and w (sections 3.3 and A.1, A.2)."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, log_expit

from icl.theory.checks import context_length_of, distribution, finite, warn_if
from icl.theory.quadrature import Nodes, binomial_surplus, gaussian_surplus

GAUSSIAN_MIN_CONTEXT = 10  # "N >> 1"
# The others sum to minus the target's label, whatever it is: nothing is left to average.
BALANCED_SURPLUS: Nodes = (np.array([-1.0]), np.array([1.0]))
CHUNK_ELEMENTS = 2_000_000
Kernel = Callable[..., NDArray[np.float64]]


class OrderParameters(NamedTuple):
    """The three averages through which the MLP enters the theory (dimensionless)."""

    c1: float
    c2: float
    c3: float


def order_parameters(logits: ArrayLike, weights: ArrayLike | None = None) -> OrderParameters:
    """Return c1, c2 and c3 of the MLP's logits (eq. 29, 30 and 15).

    c2 is <sigma(phi) sigma(-phi)> / c1, which is equation 30 without its cancellation.
    """
    phi, mass = distribution(logits, weights)
    if np.any(np.abs(phi) > 700):
        raise ValueError("logits beyond +-700 leave floating point")
    c1 = mass @ expit(-phi)
    return OrderParameters(
        float(c1), float(mass @ (expit(phi) * expit(-phi)) / c1), float(mass @ np.exp(-phi))
    )


def loss_exact(
    beta: ArrayLike,
    w: ArrayLike,
    context_length: int,
    logits: ArrayLike = 0.0,
    weights: ArrayLike | None = None,
    logits_minus: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Return the average loss over contexts, exact in N.

    Returns mean binary cross-entropy (nat), the broadcast shape of beta and w. Source: equation 20;
    equation 21 under the symmetry of the labels.
    """
    n = context_length_of(context_length)
    plus = average(cross_entropy, beta, w, n, binomial_surplus(n), distribution(logits, weights))
    if logits_minus is None:
        return plus
    mirrored = distribution(-finite("logits_minus", logits_minus))
    return (plus + average(cross_entropy, beta, w, n, binomial_surplus(n), mirrored)) / 2


def loss_gaussian(
    beta: ArrayLike,
    w: ArrayLike,
    context_length: int,
    logits: ArrayLike = 0.0,
    weights: ArrayLike | None = None,
) -> NDArray[np.float64]:
    """Return the average loss with the number of +1 labels taken as Gaussian (eq. 5 and 22).

    Returns mean binary cross-entropy (nat). It differs from `loss_exact` by order N^-3 at fixed
    beta, w. Warns `OutOfRangeWarning` for N < 10, where the signed weight shows.
    """
    n = context_length_of(context_length)
    warn_if(n < GAUSSIAN_MIN_CONTEXT, f"equation 5 needs N >> 1, got N = {n}")
    nodes = gaussian_surplus(n, _logit_spread(beta, w, n))
    return average(cross_entropy, beta, w, n, nodes, distribution(logits, weights))


def loss_gradient(
    beta: ArrayLike,
    w: ArrayLike,
    context_length: int,
    logits: ArrayLike = 0.0,
    weights: ArrayLike | None = None,
    *,
    form: str = "gaussian",
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the gradient of the loss in beta and w.

    Returns dL/dbeta (nat) and dL/dw (nat per logit), the broadcast shape of beta and w. Source: the
    derivatives of equations 5 and 20.

    Args:
        form: "gaussian" for equation 5, "exact" for 20, "balanced" for 5 with eta = 0.
    """
    n = context_length_of(context_length)
    if form == "exact":
        nodes = binomial_surplus(n)
    elif form == "gaussian":
        nodes = gaussian_surplus(n, _logit_spread(beta, w, n))
    elif form == "balanced":
        nodes = BALANCED_SURPLUS
    else:
        raise ValueError(f"unknown form of the loss: {form}")
    mlp = distribution(logits, weights)
    return (average(_slope_beta, beta, w, n, nodes, mlp), average(_slope_w, beta, w, n, nodes, mlp))


def attention_shares(beta: NDArray, n: int) -> tuple[NDArray, NDArray]:
    """Return the attention paid to the copy and to each other token: e^beta/S and 1/S."""
    return expit(beta - np.log(n - 1)), np.exp(-np.logaddexp(beta, np.log(n - 1)))


def _logit_spread(beta: ArrayLike, w: ArrayLike, n: int) -> float:
    _, other_share = attention_shares(finite("beta", beta), n)
    return float(np.max(np.abs(finite("w", w)) * np.sqrt(n) * other_share))


def cross_entropy(logit: NDArray, *_) -> NDArray:
    """Return -log sigma(logit), a kernel of `average`."""
    return -log_expit(logit)


def _slope_w(logit, surplus, w, copy, other, n_others):
    return -expit(-logit) * (copy + surplus * other)


def _slope_beta(logit, surplus, w, copy, other, n_others):
    # d/dbeta of (e^beta + u)/S is (e^beta/S) (N - 1 - u)/S, which does not cancel at large beta
    return -expit(-logit) * w * copy * other * (n_others - surplus)


def average(
    kernel: Kernel, beta: ArrayLike, w: ArrayLike, n: int, nodes: Nodes, mlp: Nodes
) -> NDArray[np.float64]:
    """Average a kernel over the labels of the context and the MLP's logits, at every beta and w.

    The kernel takes the logit (P, L, M), the surplus (M,), w and the two shares of attention (P, 1,
    1), and N - 1; it returns (P, L, M). Nodes of the surplus and the MLP's logits come with their
    weights.
    """
    beta, w = np.broadcast_arrays(finite("beta", beta), finite("w", w))
    (surplus, surplus_weight), (phi, phi_weight) = nodes, mlp
    flat_beta, flat_w = beta.ravel(), w.ravel()
    copy, other = attention_shares(flat_beta, n)
    result = np.empty(flat_w.size)
    points = max(1, CHUNK_ELEMENTS // (surplus.size * phi.size))
    for start in range(0, flat_w.size, points):
        part = slice(start, start + points)
        w_, copy_, other_ = (a[part, None, None] for a in (flat_w, copy, other))  # (P, 1, 1)
        logit = phi[:, None] + w_ * (copy_ + surplus * other_)  # (P, L, M)
        value = kernel(logit, surplus, w_, copy_, other_, n - 1)
        result[part] = (value @ surplus_weight) @ phi_weight
    return result.reshape(w.shape)
