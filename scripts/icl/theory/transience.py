"""After acquisition: the slow fall of w, when ICL fades, and the two losses (A.4, A.5)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw

from icl.theory.checks import finite, positive, warn_if

SMALL_LOSS = 0.1  # nat; "<< 1": equation 16 is 6.5 % off here


def w_tracking(c3: ArrayLike, weight_decay: ArrayLike) -> NDArray[np.float64]:
    """Return the w at which growth and weight decay balance, W(c3/lambda_w) (eq. 15 and 45)."""
    ratio = positive("c3", c3) / positive("weight_decay", weight_decay)
    return np.real(lambertw(finite("c3 / weight_decay", ratio)))


def tracking_lag(
    c3: ArrayLike, weight_decay: ArrayLike, memorisation_rate: ArrayLike
) -> NDArray[np.float64]:
    """Return how far w stays above its balance while c3 falls, to first order.

    w relaxes to the balance at the rate lambda_w (1 + w_tr), while w_tr moves by w_tr/(1 + w_tr) of
    the rate of log c3, -d log c3/dt: tracking needs memorisation slower than the weight decay.
    Warns where the lag exceeds half of w_tr. Source: equation 44, linearised about 45 (beyond the
    paper).
    """
    w = w_tracking(c3, weight_decay)
    rate, decay = (
        finite("memorisation_rate", memorisation_rate),
        finite("weight_decay", weight_decay),
    )
    lag = rate / decay * w / (1 + w) ** 2
    warn_if(np.abs(lag) > w / 2, "w does not track its balance: c3 falls too fast")
    return lag


def iwl_loss_after_acquisition(icl_loss: ArrayLike) -> NDArray[np.float64]:
    """Return the IWL loss from the ICL loss (nat), after ICL is acquired and before it fades.

    Warns above a loss of 0.1. Source: equations 16 (first line) and 46.
    """
    return _half_minus_log("icl_loss", icl_loss)


def icl_loss_after_fading(iwl_loss: ArrayLike) -> NDArray[np.float64]:
    """Return the ICL loss from the IWL loss (nat), after ICL has faded.

    Warns above a loss of 0.1. Source: equations 16 (second line) and 47.
    """
    return _half_minus_log("iwl_loss", iwl_loss)


def _half_minus_log(name: str, loss: ArrayLike) -> NDArray[np.float64]:
    loss = positive(name, loss)
    if np.any(loss >= 1):
        raise ValueError(f"{name} must be below 1")
    warn_if(loss > SMALL_LOSS, f"equation 16 needs {name} << 1")
    return -np.log(loss) / 2


def other_loss_of_signed_logit(small_loss: ArrayLike) -> NDArray[np.float64]:
    """Return the other loss without equation 16's approximation, so for a loss of any size.

    A logit of fixed size w, always right on one kind of sequence and right half of the time on the
    other, costs softplus(-w) on the first, at most log 2, and on the second its mean with
    softplus(w). Source: the premises of A.5 (beyond the paper).
    """
    loss = positive("small_loss", small_loss)
    if np.any(loss > np.log(2) * (1 + 1e-12)):
        raise ValueError("small_loss must be at most log 2")
    return loss - np.log(np.expm1(loss)) / 2
