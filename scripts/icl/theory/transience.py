"""After acquisition: the slow fall of w, when ICL fades, and the two losses (A.4, A.5)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import lambertw

from icl.theory.checks import finite, positive, warn_if
from icl.theory.flow import OfTime, integrate

SMALL_LOSS = 0.1  # nat; "<< 1": equation 16 is 6.5 % off here


def w_velocity(w: ArrayLike, c3: ArrayLike, weight_decay: ArrayLike) -> NDArray[np.float64]:
    """Return dw/dt after acquisition, under weight decay (eq. 44).

    Returns c3 e^-w - lambda_w w (logit per theory time). Warns `OutOfRangeWarning` where c3 e^-w >
    1/2, as the loss is then no longer the exponential it is taken for.
    """
    w, c3 = finite("w", w), positive("c3", c3)
    decay = finite("weight_decay", weight_decay)
    if np.any(decay < 0) or np.any(w < -700):
        raise ValueError("weight_decay must not be negative, and w at least -700")
    warn_if(c3 * np.exp(-w) > 0.5, "equation 44 needs c3 e^-w << 1")
    return c3 * np.exp(-w) - decay * w


def w_tracking(c3: ArrayLike, weight_decay: ArrayLike) -> NDArray[np.float64]:
    """Return the w at which growth and weight decay balance (eq. 15 and 45).

    Returns w_tr = W(c3/lambda_w) (logit), W the principal branch of Lambert's function.
    """
    ratio = positive("c3", c3) / positive("weight_decay", weight_decay)
    return lambertw(finite("c3 / weight_decay", ratio)).real


def tracking_lag(
    c3: ArrayLike, weight_decay: ArrayLike, memorisation_rate: ArrayLike
) -> NDArray[np.float64]:
    """Return how far w stays above its balance while c3 falls, to first order.

    w relaxes to the balance at the rate lambda_w (1 + w_tr), while w_tr moves by w_tr/(1 + w_tr) of
    the rate of log c3: tracking needs memorisation slower than the weight decay.

    Returns w - w_tr (logit). Warns `OutOfRangeWarning` where it exceeds half of w_tr. Source:
    equation 44, linearised about 45 (beyond the paper).

    Args:
        memorisation_rate: -d log c3/dt (1/theory time), broadcastable.
    """
    w = w_tracking(c3, weight_decay)
    lag = finite("memorisation_rate", memorisation_rate) / weight_decay * w / (1 + w) ** 2
    warn_if(np.abs(lag) > w / 2, "w does not track its balance: c3 falls too fast")
    return lag


def w_flow(w0: float, c3: OfTime, weight_decay: float, time: ArrayLike) -> NDArray[np.float64]:
    """Integrate w after acquisition (eq. 44).

    Returns w at each time (logit), shape (T,).

    Raises:
        FlowError: If the integrator fails.
    """
    time = finite("time", time)
    if time.ndim != 1 or time.size < 2 or time[0] != 0 or np.any(np.diff(time) <= 0):
        raise ValueError("time must be a vector that starts at 0 and increases")
    c3_of = c3 if callable(c3) else lambda _: c3

    def velocity(now, state):
        return [float(w_velocity(state[0], c3_of(now), weight_decay))]

    return integrate(velocity, [float(finite("w0", w0))], time[-1], times=time).y[0]


def fade_level(weight_decay: ArrayLike, w_faded: float = 1.0) -> NDArray[np.float64]:
    """Return the c3 below which ICL has faded.

    Returns c3 = lambda_w w e^w, which at w = 1 is e lambda_w. Source: section 3.7 and A.4, which
    print c3 = lambda_w for w of order one.

    Args:
        w_faded: The w that counts as faded (logit), above 0.
    """
    w = positive("w_faded", w_faded)
    return positive("weight_decay", weight_decay) * w * np.exp(w)


def fade_time(time: ArrayLike, c3: ArrayLike, weight_decay: float, w_faded: float = 1.0) -> float:
    """Return when ICL fades, given a measured c3(t) of the same run.

    Returns first theory time at which c3 is at or below `fade_level`, log c3 interpolated linearly;
    infinity if the record never gets there. Source: equation 45 with the criterion of A.4.

    Args:
        w_faded: The w that counts as faded (logit), above 0.
    """
    time, log_c3 = finite("time", time), np.log(positive("c3", c3))
    if time.ndim != 1 or time.shape != log_c3.shape or np.any(np.diff(time) <= 0):
        raise ValueError("time must increase and match c3")
    level = float(np.log(fade_level(weight_decay, w_faded)))
    below = np.flatnonzero(log_c3 <= level)
    if below.size == 0:
        return np.inf
    i = int(below[0])
    if i == 0:
        return float(time[0])
    share = (log_c3[i - 1] - level) / (log_c3[i - 1] - log_c3[i])
    return float(time[i - 1] + share * (time[i] - time[i - 1]))


def iwl_loss_after_acquisition(icl_loss: ArrayLike) -> NDArray[np.float64]:
    """Return the IWL loss from the ICL loss, after ICL is acquired and before it fades.

    Returns -log(icl_loss)/2 (nat). Warns `OutOfRangeWarning` above a loss of 0.1. Source: equations
    16 (first line) and 46.

    Args:
        icl_loss: ICL loss (nat), in (0, 1), any shape.
    """
    return _half_minus_log("icl_loss", icl_loss)


def icl_loss_after_fading(iwl_loss: ArrayLike) -> NDArray[np.float64]:
    """Return the ICL loss from the IWL loss, after ICL has faded.

    Returns -log(iwl_loss)/2 (nat). Warns `OutOfRangeWarning` above a loss of 0.1. Source: equations
    16 (second line) and 47.

    Args:
        iwl_loss: IWL loss (nat), in (0, 1), any shape.
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
    other, costs softplus(-w) on the first, and on the second its mean with softplus(w).

    Returns loss where its sign is a coin's (nat). Source: the premises of A.5 (beyond the paper).

    Args:
        small_loss: Loss where the logit is always right (nat), in (0, log 2], any shape.
    """
    loss = positive("small_loss", small_loss)
    if np.any(loss > np.log(2) * (1 + 1e-12)):
        raise ValueError("small_loss must be at most log 2")
    return loss - np.log(np.expm1(loss)) / 2
