"""From curves to numbers: passage times, censored medians, tails, stratified bootstrap intervals.

Arrays in, arrays out. Where a function takes a batch of B resamples it works on all at once, so
that the estimate and its bootstrap are the same code. What cannot be computed is NaN, never an
exception and never dropped: `interval` makes a resample that failed count against both ends.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special, stats


@dataclass(frozen=True)
class Passage:
    """The time at which each run first passed a level."""

    time: np.ndarray  # (R,) its clock there, or, where it never did, at its last evaluation
    reached: np.ndarray  # (R,) whether it did; where not, the time is censored
    index: np.ndarray  # (R,) the evaluation of that time

    @property
    def censored(self) -> int:
        """The number of runs that never passed it."""
        return int((~self.reached).sum())

    def median(self, runs: np.ndarray) -> np.ndarray:
        """Take the Kaplan-Meier median over runs (..., n) of the time."""
        return censored_median(self.time[runs], self.reached[runs])


def first_passage(values: np.ndarray, clock: np.ndarray, level: float) -> Passage:
    """Find the first evaluation above a level that the next evaluation confirms.

    One evaluation alone may be noise. So a run whose last evaluation is its first above the level
    is censored there. Values and clock, steps or theory time, are (R, T), NaN-padded.
    """
    observed = np.isfinite(values) & np.isfinite(clock)
    above = observed & (values > level)
    confirmed = above[:, :-1] & above[:, 1:]
    reached = confirmed.any(axis=1)
    last = np.maximum(values.shape[1] - 1 - observed[:, ::-1].argmax(axis=1), 0)
    index = np.where(reached, confirmed.argmax(axis=1), np.where(observed.any(axis=1), last, 0))
    return Passage(clock[np.arange(len(clock)), index], reached, index)


def acquisition_time(icl_accuracy: np.ndarray, clock: np.ndarray, threshold: float) -> Passage:
    """Measure t_ICL of each run: the first passage of ICL accuracy above the threshold.

    Source: section 4 ("the epoch at which ICL accuracy exceeds 95%"); the confirmation is ours.
    """
    return first_passage(icl_accuracy, clock, threshold)


def last_value(values: np.ndarray) -> np.ndarray:
    """Take each run's last finite value, NaN if it has none: (R, T) -> (R,)."""
    observed = np.isfinite(values)
    last = values.shape[1] - 1 - observed[:, ::-1].argmax(axis=1)
    return np.where(observed.any(axis=1), values[np.arange(len(values)), last], np.nan)


def censored_median(times: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """Kaplan-Meier median: the first time by which half have passed, inf if they never have.

    Returns (...) medians.
    """
    late = np.where(reached, times, np.inf)
    medians = np.array(np.quantile(late, 0.5, axis=-1, method="inverted_cdf"))
    # Up to the first censored time Kaplan-Meier is the empirical distribution; beyond it is not.
    beyond = (~reached & (times < medians[..., None])).any(axis=-1)
    for row in np.argwhere(beyond):
        medians[tuple(row)] = _kaplan_meier_median(times[tuple(row)], reached[tuple(row)])
    return medians[()]


def _kaplan_meier_median(times: np.ndarray, reached: np.ndarray) -> float:
    survival = stats.ecdf(stats.CensoredData.right_censored(times, ~reached)).sf
    half = np.flatnonzero(survival.probabilities <= 0.5 + 1e-12)
    return survival.quantiles[half[0]] if len(half) else np.inf


def stratified_resamples(strata: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Draw bootstrap samples of the runs, with replacement within each stratum, a label (R,).

    Returns (B, R) indices of runs; position r holds a run of the stratum of run r.
    """
    generator = np.random.default_rng(seed)
    drawn = np.empty((resamples, len(strata)), dtype=np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        drawn[:, members] = generator.choice(members, size=(resamples, len(members)))
    return drawn


def seed_resamples(
    strata: np.ndarray,
    seeds: np.ndarray,
    resamples: int,
    seed: int,
    groups: np.ndarray | None = None,
) -> np.ndarray:
    """Draw bootstrap samples of the seeds, each with its runs in every stratum.

    A seed starts from the same weights at every N and K, so that what it does at one it tends to do
    at others: its runs are one replicate, and drawing them apart would make an interval too sure.

    Returns (B, R) indices of runs; position r holds a run of the stratum of run r: that of the seed
    drawn in place of its own, or, where that has none (it diverged or is missing), any.

    Args:
        strata: (R,) a label for each run, as of its N and K.
        seeds: (R,) of each run; at most one run of a seed in a stratum.
        groups: (R,) a label for each run's seed, within which seeds are drawn; None: one group.
            Where some seeds were run in fewer strata than others, theirs would be missed too often.
    """
    generator = np.random.default_rng(seed)
    values, first, of_run = np.unique(seeds, return_index=True, return_inverse=True)
    of_seed = np.zeros(len(values)) if groups is None else groups[first]
    replaced = np.empty((resamples, len(values)), dtype=np.int64)  # (B, S)
    for group in np.unique(of_seed):
        alike = np.flatnonzero(of_seed == group)
        replaced[:, alike] = alike[generator.integers(len(alike), size=(resamples, len(alike)))]
    drawn = np.empty((resamples, len(strata)), dtype=np.int64)
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        run_of = np.full(len(values), -1)
        run_of[of_run[members]] = members
        found = run_of[replaced[:, of_run[members]]]
        others = generator.choice(members, size=found.shape)
        drawn[:, members] = np.where(found < 0, others, found)
    return drawn


def interval(values: np.ndarray, level: float) -> tuple[float, float]:
    """Percentile interval of bootstrapped values, wide enough for resamples that failed.

    A resample without a value (NaN) could have lain anywhere, so it counts as -inf for the lower
    end and as +inf for the upper. A few widen the interval, more than (1 - level)/2 of them make it
    infinite, and no claim can be decided by leaving them out.
    """
    failed = np.isnan(values)
    tail = (1 - level) / 2
    low = np.quantile(np.where(failed, -np.inf, values), tail, method="lower")
    high = np.quantile(np.where(failed, np.inf, values), 1 - tail, method="higher")
    return float(low), float(high)


def expanded_level(level: float, replicates: int) -> float:
    """Return the level at which a percentile interval from few replicates holds its truth.

    A bootstrap of n replicates finds a variance (n - 1)/n too small, and takes a normal's quantile
    where Student's is due. The expanded percentile interval makes up for both.

    Source: Hesterberg 2015, The American Statistician 69:371, section 5.3.
    """
    if replicates < 2:
        return 1.0
    student = stats.t.ppf((1 + level) / 2, replicates - 1)
    return float(1 - 2 * stats.norm.cdf(-np.sqrt(replicates / (replicates - 1)) * student))


def bca_interval(
    samples: Sequence[np.ndarray],
    statistic: Callable[..., np.ndarray],
    resamples: int,
    seed: int,
    level: float,
    *,
    paired: bool = False,
) -> tuple[float, float]:
    """Bootstrap interval, bias-corrected and accelerated, resampled within each sample.

    For a statistic that noise shifts one way, as R^2, whose percentile interval counts the noise
    of the data twice. Where it is degenerate, the percentile interval is returned.

    Args:
        samples: one array for each stratum, at least two values each.
        statistic: takes the resampled arrays, (B, n) each, and returns (B,).
        paired: whether values in the same place belong together and are drawn together.
    """

    def shaped(*drawn: np.ndarray, axis: int) -> np.ndarray:
        rows = (values.reshape(-1, values.shape[-1]) for values in drawn)
        return statistic(*rows).reshape(drawn[0].shape[:-1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        warnings.simplefilter("ignore", RuntimeWarning)  # 0/0 in the acceleration likewise
        found = stats.bootstrap(
            samples,
            shaped,
            n_resamples=resamples,
            vectorized=True,
            confidence_level=level,
            method="BCa",
            paired=paired,
            rng=np.random.default_rng(seed),
        )
    ends = float(found.confidence_interval.low), float(found.confidence_interval.high)
    return ends if np.isfinite(ends).all() else interval(found.bootstrap_distribution, level)


def normal_log_likelihood(
    values: np.ndarray, reached: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Maximise a normal distribution's likelihood, right-censored values by their survival.

    Returns the log-likelihood, the mean and the standard deviation, (B,) each; NaN where fewer than
    two different values were reached, for which it has no maximum.
    """
    mean, sd = values.mean(axis=1), values.std(axis=1)
    spread = np.where(sd > 0, sd, np.nan)
    best = -0.5 * values.shape[1] * (np.log(2 * np.pi * spread**2) + 1)
    for row in np.flatnonzero(~reached.all(axis=1)):
        best[row], mean[row], spread[row] = _censored_normal(values[row], reached[row])
    return best, mean, spread


def _censored_normal(values: np.ndarray, reached: np.ndarray) -> tuple[float, float, float]:
    if len(np.unique(values[reached])) < 2:
        return np.nan, np.nan, np.nan
    centre, scale = values.mean(), values.std()
    z = (values - centre) / scale

    def loss(parameters: np.ndarray) -> float:
        u = (z - parameters[0]) * np.exp(-parameters[1])
        density = -0.5 * u[reached] ** 2 - parameters[1]
        return -density.sum() - special.log_ndtr(-u[~reached]).sum()

    found = optimize.minimize(loss, np.zeros(2), method="BFGS")
    constant = reached.sum() * (0.5 * np.log(2 * np.pi) + np.log(scale))
    mean, log_sd = found.x
    return -found.fun - constant, centre + scale * mean, scale * np.exp(log_sd)


def aic_advantage(times: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """AIC of a normal minus AIC of a log-normal, (B, R) -> (B,): above 0 the log-normal is better.

    Both have two parameters. The density of t itself is compared, hence the Jacobian sum of log t.
    """
    normal, *_ = normal_log_likelihood(times, reached)
    log_normal, *_ = normal_log_likelihood(np.log(times), reached)
    jacobian = np.where(reached, np.log(times), 0.0).sum(axis=1)
    return 2 * (log_normal - jacobian - normal)


def skewness(values: np.ndarray) -> np.ndarray:
    """Sample skewness, corrected for bias, (B, R) -> (B,); NaN where all values are equal."""
    varied = np.ptp(values, axis=1) > 0
    filled = np.where(varied[:, None], values, np.arange(values.shape[1]))
    return np.where(varied, stats.skew(filled, axis=1, bias=False), np.nan)


def spearman(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation, (B, R) each -> (B,); NaN where one of them is constant."""
    varied = (np.ptp(x, axis=1) > 0) & (np.ptp(y, axis=1) > 0)
    correlation = np.full(len(x), np.nan)
    if varied.any():
        ranks = (stats.rankdata(values[varied], axis=1) for values in (x, y))
        correlation[varied] = stats.pearsonr(*ranks, axis=1).statistic
    return correlation
