"""AIC of four laws of a positive time, of many samples at once: (B, n) -> (B,).

Each law has two parameters. Its AIC is twice their number, less twice its greatest log-likelihood.
"""

import numpy as np
from scipy import special

NEWTON_STEPS = 8


def normal_aic(times: np.ndarray) -> np.ndarray:
    """Return the AIC of the normal law."""
    n = times.shape[1]
    return 4 + n * (np.log(2 * np.pi * times.var(axis=1)) + 1)


def log_normal_aic(times: np.ndarray) -> np.ndarray:
    """Return the AIC of the log-normal law."""
    logs = np.log(times)
    return normal_aic(logs) + 2 * logs.sum(axis=1)


def gamma_aic(times: np.ndarray) -> np.ndarray:
    """Return the AIC of the gamma law; its shape k solves log k - psi(k) = log <t> - <log t>."""
    n, mean, mean_log = times.shape[1], times.mean(axis=1), np.log(times).mean(axis=1)
    gap = np.log(mean) - mean_log
    shape = (3 - gap + np.sqrt((gap - 3) ** 2 + 24 * gap)) / (12 * gap)
    for _ in range(NEWTON_STEPS):
        wrong = np.log(shape) - special.digamma(shape) - gap
        shape = shape - wrong / (1 / shape - special.polygamma(1, shape))
    scale = mean / shape
    likelihood = (shape - 1) * mean_log - shape - shape * np.log(scale) - special.gammaln(shape)
    return 4 - 2 * n * likelihood


def inverse_gaussian_aic(times: np.ndarray) -> np.ndarray:
    """Return the AIC of the inverse Gaussian law, the time of a drifting walk to a level."""
    n, mean = times.shape[1], times.mean(axis=1)
    strength = 1 / ((1 / times).mean(axis=1) - 1 / mean)
    likelihood = (np.log(strength / (2 * np.pi)) - 3 * np.log(times).mean(axis=1) - 1) / 2
    return 4 - 2 * n * likelihood
