"""The time it takes to acquire ICL: closed forms, the integrated flow, and its distribution."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import erfc
from scipy.stats import norm

from icl.theory.checks import context_length_of, finite, positive, warn_if
from icl.theory.flow import FlowError, early_flow, loss_flow

ORIGIN = 0.5  # "|beta0|, |w0| << 1"
NULLCLINE = -2.0  # "-beta0 >> 1"
CURVE_POINTS = 33
CURVE_REACH = 6.0  # standard deviations


def t_icl_near_origin(
    beta0: ArrayLike, context_length: int, w0: ArrayLike = 0.0
) -> NDArray[np.float64]:
    """Return the time to acquire ICL when the pull of w on itself is ignored.

    Gamma(1/2, w0^2/2) is sqrt(pi) erfc(|w0|/sqrt 2); without the modulus it holds for w0 of either
    sign, as w then first climbs back to 0.

    This is I_K(tau_K), which is t_ICL itself while c1 = 1/2. Its relative error at w0 = 0 is (1 -
    pi/4) sqrt(2/pi) c2 e^-beta0 to first order. Warns where beta0 < -1/2, |w0| > 1/2 or e^beta0 >
    N/2. Source: equations 10, 11 and 35 at w0 = 0, 34 otherwise.
    """
    n = context_length_of(context_length)
    beta0, w0 = finite("beta0", beta0), finite("w0", w0)
    warn_if(
        (beta0 < -ORIGIN) | (np.abs(w0) > ORIGIN) | (beta0 > np.log(n / 2)),
        "equation 34 needs beta0 and w0 near 0 and e^beta0 << N",
    )
    exponent = w0**2 / 2 - beta0
    if np.any(exponent > 600):
        raise ValueError("t_icl overflows")
    return n * np.sqrt(2 * np.pi) * np.exp(exponent) * erfc(w0 / np.sqrt(2))


def t_icl_along_nullcline(
    beta0: ArrayLike, context_length: int, c2: float = 0.5
) -> NDArray[np.float64]:
    """Return the time to acquire ICL from a very negative beta0, where w follows its nullcline.

    This is I_K(tau_K), which is t_ICL itself while c1 = 1/2. It is c2 N e^(-2 beta0), which at c2 =
    1/2 is half of what section 3.5 prints: the integral of e^(-2 beta) from beta0 is e^(-2
    beta0)/2. Warns where beta0 > -2. Source: equation 37, with its missing factor 1/2; I'_K =
    I_K/(2 c2) for constant c2.
    """
    n = context_length_of(context_length)
    beta0 = finite("beta0", beta0)
    if not 0 < c2 <= 1:
        raise ValueError("c2 must lie in (0, 1]")
    warn_if(beta0 > NULLCLINE, "equation 37 needs -beta0 >> 1")
    if np.any(beta0 < -300):
        raise ValueError("t_icl overflows")
    return c2 * n * np.exp(-2 * beta0)


def t_icl_integrated(
    beta0: ArrayLike,
    context_length: int,
    c2: float = 0.5,
    *,
    flow: str = "early",
    accuracy: float = 0.95,
) -> NDArray[np.float64]:
    """Return the time to acquire ICL by integrating the flow at c1 = 1/2 from w0 = 0.

    `flow` is "early" for equations 31 and 32, until they diverge, or "loss" for the flow of
    equation 5 with no MLP, until this accuracy is reached. Raises `FlowError` where the latter
    takes far longer than the former. Source: figure A.1.
    """
    n = context_length_of(context_length)
    beta0 = finite("beta0", beta0)
    if flow not in ("early", "loss"):
        raise ValueError(f"unknown flow: {flow}")
    times = []
    for start in beta0.ravel():
        time = early_flow(start, 0.0, n, 0.5, c2).acquisition_time
        if flow == "loss":
            path = loss_flow(start, 0.0, n, 100 * time, accuracy=accuracy, stop_when_acquired=True)
            time = path.acquisition_time
            if not path.acquired:
                raise FlowError(f"ICL is not acquired from beta0 = {start}, w0 = 0")
        times.append(time)
    return np.reshape(times, beta0.shape)


@dataclass(frozen=True)
class AcquisitionTimeDistribution:
    """The distribution of t_ICL over seeds whose beta0 is normal.

    The time falls monotonically with beta0, so quantiles of the one are quantiles of the other. It
    is log-normal only as far as d log t_ICL / d beta0 is constant, and that goes from -1 near the
    origin to -2 far below.
    """

    beta0_mean: float  # mean of beta0 (dimensionless)
    beta0_sd: float  # standard deviation of beta0 (dimensionless)
    beta0: NDArray[np.float64]  # points of the curve, increasing, (P,)
    log_time: NDArray[np.float64]  # log t_ICL there (log theory time), decreasing, (P,)

    def time_of(self, beta0: ArrayLike) -> NDArray[np.float64]:
        """Return t_ICL at a beta0."""
        beta0 = finite("beta0", beta0)
        slack = 1e-9 * self.beta0_sd
        if np.any((beta0 < self.beta0[0] - slack) | (beta0 > self.beta0[-1] + slack)):
            raise ValueError("beta0 is more than six standard deviations from its mean")
        return np.exp(PchipInterpolator(self.beta0, self.log_time)(beta0))

    def quantile(self, probability: ArrayLike) -> NDArray[np.float64]:
        """Return the quantiles of t_ICL at probabilities in [1e-9, 1 - 1e-9]."""
        p = finite("probability", probability)
        if np.any((p < 1e-9) | (p > 1 - 1e-9)):
            raise ValueError("probability must lie in [1e-9, 1 - 1e-9]")
        return self.time_of(norm.isf(p, self.beta0_mean, self.beta0_sd))

    def log_normal_tangent(self) -> tuple[float, float]:
        """Return mean and deviation of log t_ICL by the log-normal tangent at the median."""
        curve = PchipInterpolator(self.beta0, self.log_time)
        slope = float(curve.derivative()(self.beta0_mean))
        return float(curve(self.beta0_mean)), abs(slope) * self.beta0_sd


def acquisition_time_distribution(
    beta0_mean: float, beta0_sd: float, context_length: int
) -> AcquisitionTimeDistribution:
    """Return the distribution of t_ICL for normal beta0 and w0 = 0, through the integrated flow.

    Warns if e^beta0 exceeds N/2 within six standard deviations. Source: section
    3.5 (beyond the paper, which shows a histogram).
    """
    mean, sd = float(finite("beta0_mean", beta0_mean)), float(positive("beta0_sd", beta0_sd))
    n = context_length_of(context_length)
    highest = mean + CURVE_REACH * sd
    warn_if(highest > np.log(n / 2), "the early flow needs e^beta0 << N")
    beta0 = np.linspace(mean - CURVE_REACH * sd, highest, CURVE_POINTS)
    time = t_icl_integrated(beta0, n)
    return AcquisitionTimeDistribution(mean, sd, beta0, np.log(positive("t_icl", time)))
