"""Accuracy of the minimal model in the limit of many item dimensions."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from icl.theory.checks import context_length_of, finite


def icl_accuracy(beta: ArrayLike, w: ArrayLike, context_length: int) -> NDArray[np.float64]:
    """Return the accuracy on novel items of the attention head alone, exact in N (eq. 4).

    For w > 0 the head is right when e^beta plus the surplus of agreeing labels is positive; a tie
    counts one half. At beta = 0 that is already above chance by about 0.4/sqrt(N): the target's
    label is more likely that of the majority. It is 1/2 at w = 0.
    """
    n_others = context_length_of(context_length) - 1
    beta, w = np.broadcast_arrays(finite("beta", beta), finite("w", w))
    # Wrong when the surplus 2 n_agree - n_others is below -e^beta; e^beta beyond N changes nothing.
    pull = np.exp(np.minimum(beta, np.log(n_others) + 1))
    edge = (n_others - pull) / 2
    nearest = np.rint(edge)
    tie = np.abs(edge - nearest) < 1e-9 * n_others
    wrong = binom.cdf(np.where(tie, nearest - 1, np.floor(edge)), n_others, 0.5)
    wrong = wrong + 0.5 * np.where(tie, binom.pmf(nearest, n_others, 0.5), 0.0)
    return 0.5 + np.sign(w) * (0.5 - wrong)


def acquisition_beta(context_length: int, accuracy: float = 0.95) -> float:
    """Return the beta at which ICL counts as acquired, given w > 0.

    It is where e^beta = sqrt(N - 1) z, with z the normal quantile of the accuracy, between 1/2 and
    1. The normal form replaces the binomial steps of `icl_accuracy`, so that an event can be
    located on it. Source: equation 4 with the accuracy threshold of section 4.
    """
    if not 0.5 < accuracy < 1:
        raise ValueError("accuracy must lie between 1/2 and 1")
    n_others = context_length_of(context_length) - 1
    return float(np.log(ndtri(accuracy)) + np.log(n_others) / 2)


def icl_accuracy_with_mlp(
    beta: ArrayLike, w: ArrayLike, context_length: int, novel_logit_rms: ArrayLike
) -> NDArray[np.float64]:
    """Return the ICL accuracy when the MLP adds a random logit to novel items.

    That logit is unrelated to the label, and both random terms are taken as normal; 1/2 where all
    vanish. Source: equation 4 with the premise of section A.5 on the MLP's response to novel items.
    """
    n_others = context_length_of(context_length) - 1
    beta, w = finite("beta", beta), finite("w", w)
    rms = finite("novel_logit_rms", novel_logit_rms)
    log_total = np.logaddexp(beta, np.log(n_others))
    mean = w * np.exp(beta - log_total)
    spread = np.hypot(w * np.sqrt(n_others) * np.exp(-log_total), rms)
    return ndtr(np.divide(mean, spread, out=np.zeros_like(mean + spread), where=spread > 0))


def iwl_accuracy(
    w: ArrayLike, context_length: int, mean_logit: ArrayLike, logit_spread: ArrayLike
) -> NDArray[np.float64]:
    """Return the accuracy on a training item that has no copy in the context.

    In the limit of many dimensions the attention is then uniform, and adds w (2 n_+ - N)/N to the
    MLP's logit phi^+ of this mean and deviation over items (logit). Both random terms are taken as
    normal. Source: equation 3 with no copy of the target (section 2, the IWL test).
    """
    n = context_length_of(context_length)
    spread = finite("logit_spread", logit_spread)
    if np.any(spread <= 0):
        raise ValueError("logit_spread must be positive")
    noise = np.hypot(finite("w", w) / np.sqrt(n), spread)
    return ndtr(finite("mean_logit", mean_logit) / noise)
