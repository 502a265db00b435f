"""How often the intervals of thresholds, fading and outcomes hold the truth, on synthetic data.

`PYTHONPATH=scripts:tests/unit python tests/unit/coverage_outcomes.py [repeats]` prints all of it
(some twenty minutes at 500 repeats). docs/choices.md holds what it printed.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import synthetic_outcomes
from icl.measurements import finite_k, intervals, memorisation, thresholds
from icl.measurements.base import Estimate
from icl.statistics import hypotheses
from scipy import stats
from synthetic_outcomes import NU

LEVEL = 0.95
OPTIONS = {
    "response": "final_accuracy",
    "acquired_above": 0.75,
    "floor": 0.5,
    "ceiling": [0.9, 1.0],
    "threshold": 0.95,
    "confidence": LEVEL,
    "resamples": 200,
    "seed": 1,
    "least_replicates": 4,
}


def coverage(found: Iterator[Estimate], truth: float) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and their median width."""
    ends = np.array([(e.low, e.high) for e in found])
    held = (ends[:, 0] <= truth) & (truth <= ends[:, 1])
    return float(held.mean()), float(np.median(ends[:, 1] - ends[:, 0]))


def exponents(repeats: int, **kwargs) -> Iterator[Estimate]:
    """Measure the exponent of K* against N, as threshold_exponent does."""
    for repeat in range(repeats):
        data = synthetic_outcomes.thresholds(generator=np.random.default_rng(repeat), **kwargs)
        found = thresholds.thresholds(data, OPTIONS)
        yield thresholds.exponent(found, OPTIONS)


def stars(repeats: int, **kwargs) -> Iterator[Estimate]:
    """Measure log10 K* over its true value at the largest N."""
    for repeat in range(repeats):
        data = synthetic_outcomes.thresholds(
            lengths=(64,), generator=np.random.default_rng(repeat), **kwargs
        )
        row = thresholds.thresholds(data, OPTIONS).rows[0]
        ends = np.log10(np.array(row["interval"]) / synthetic_outcomes.star(64))
        yield Estimate(0.0, *ends)


def nus(repeats: int, *, noise: float = 0.03, seeds: int) -> Iterator[Estimate]:
    """Measure nu, as threshold_exponent does."""
    for repeat in range(repeats):
        data = synthetic_outcomes.memorisation(
            generator=np.random.default_rng(repeat), noise=noise, seeds=seeds
        )
        yield intervals.mean(memorisation.growth(data, 3).trend.exponent, OPTIONS)


def exponent_differences(
    repeats: int, *, alone: int, noise: float = 0.03, **kwargs
) -> Iterator[Estimate]:
    """Measure the exponent of K* less 1/nu, whose truth is 0; `alone` seeds of the MLP alone."""
    found = (exponents(repeats, **kwargs), nus(repeats, noise=noise, seeds=alone))
    for exponent, nu in zip(*found, strict=True):
        yield intervals.difference(exponent, intervals.reciprocal(nu))


def slopes(repeats: int, *, seeds: int, spread: float, censored: bool) -> Iterator[Estimate]:
    """Measure the slope of log fading time on log lambda, censored at a budget or not."""
    decay = np.repeat(np.log([1e-3, 2e-3, 4e-3]), seeds)
    for repeat in range(repeats):
        noise = np.random.default_rng(repeat).standard_normal(len(decay))
        times = np.exp(-decay + spread * noise)
        budget = np.exp(-decay[0]) if censored else np.inf
        found = hypotheses.accelerated_times(
            np.minimum(times, budget), times < budget, decay, LEVEL
        )
        yield (
            Estimate(np.nan, -np.inf, np.inf)
            if found is None
            else Estimate(found.slope, found.low, found.high)
        )


def of_difference(shares: tuple[float, float], seeds: int) -> float:
    """Return the coverage of a difference of proportions, exact: each pair of counts weighed."""
    counts = range(seeds + 1)
    chances = [stats.binom.pmf(counts, seeds, share) for share in shares]
    ends = (
        hypotheses.difference_interval(pair, (seeds, seeds), LEVEL)
        for pair in product(counts, counts)
    )
    truth = shares[0] - shares[1]
    return float(np.outer(*chances).ravel() @ [low <= truth <= high for low, high in ends])


def of_proportion(share: float, seeds: int) -> float:
    """Return the coverage of a proportion, exact likewise."""
    counts = range(seeds + 1)
    ends = (hypotheses.proportion_interval(count, seeds, LEVEL) for count in counts)
    return float(
        stats.binom.pmf(counts, seeds, share) @ [low <= share <= high for low, high in ends]
    )


def ratios(repeats: int, seeds: int) -> Iterator[Estimate]:
    """Measure the ratio of median times at finite and infinite K, whose truth is 1.1."""
    for repeat in range(repeats):
        generator = np.random.default_rng(repeat)
        t_icl = 100 * np.exp(0.3 * generator.standard_normal(seeds))
        parts = []
        for name, items, factor in (("finite", 2000.0, 1.1), ("infinite", np.inf, 1.0)):
            own = factor * t_icl * np.exp(0.1 * generator.standard_normal(seeds))
            parts.append(
                synthetic_outcomes.outcomes(
                    name,
                    np.full(seeds, 64),
                    np.full(seeds, items),
                    np.arange(seeds),
                    np.ones(seeds, dtype=bool),
                    generator=generator,
                    t_icl=own,
                    every=20,
                )
            )
        row = finite_k.largest_ratio(finite_k.finite_over_infinite(*parts, OPTIONS))
        yield Estimate(row["ratio"], *row["interval"])


def rejections(repeats: int, p_of: Callable[[np.random.Generator], float], level: float) -> float:
    """Return how often a test rejects."""
    return float(np.mean([p_of(np.random.default_rng(r)) < level for r in range(repeats)]))


def null_log_rank(seeds: int) -> Callable[[np.random.Generator], float]:
    """Make the p of runs that fade alike with and without decay, half of them censored."""

    def p_of(generator: np.random.Generator) -> float:
        times = generator.exponential(size=4 * seeds)
        limit = np.log(2)
        exposed = np.arange(4 * seeds) >= seeds
        p, sign = hypotheses.log_rank(np.minimum(times, limit), times < limit, exposed)
        return p if sign > 0 else 1.0

    return p_of


def main(repeats: int = 500) -> None:
    """Print the table."""
    for seeds in (8, 16):
        for own, shared in ((0.11, 0.0), (0.08, 0.08), (0.0, 0.11)):
            kwargs = {"seeds": seeds, "own": own, "shared": shared}
            name = f"{seeds} seeds, spread of a seed's K* in decades: own {own}, shared {shared}"
            print(f"K*, {name}:", *coverage(stars(repeats, **kwargs), 0.0), flush=True)
            print(f"exponent, {name}:", *coverage(exponents(repeats, **kwargs), 1 / NU), flush=True)
    for seeds in (3, 8, 16):
        print(f"nu, {seeds} seeds:", *coverage(nus(repeats, seeds=seeds), NU), flush=True)
    for seeds, alone in ((12, 3), (8, 8), (12, 16)):
        for noise in (0.03, 0.3):  # of I_K(inf): a small part of the error, and a large one
            found = exponent_differences(repeats, seeds=seeds, alone=alone, noise=noise)
            name = f"{seeds} seeds less 1/nu of {alone}, noise {noise}"
            print(f"exponent of {name}:", *coverage(found, 0.0), flush=True)
    for seeds in (4, 8):
        for censored in (False, True):
            found = slopes(repeats, seeds=seeds, spread=0.2, censored=censored)
            name = f"{seeds} seeds, {'some' if censored else 'none'} censored"
            print(f"fade_slope, {name}:", *coverage(found, -1.0), flush=True)
    for seeds in (16, 80):
        for shares in ((0.1, 0.95), (0.5, 0.95), (0.75, 0.95)):
            share = of_difference(shares, seeds)
            print(f"difference of {shares}, {seeds} seeds: {share:.3f}", flush=True)
    for share in (0.05, 0.15, 0.5, 0.95):
        print(f"proportion {share}, 64 seeds: {of_proportion(share, 64):.3f}", flush=True)
    for seeds in (8, 32):
        print(f"ratio of times, {seeds} seeds:", *coverage(ratios(repeats, seeds), 1.1), flush=True)
    for seeds in (8, 16):
        rate = rejections(repeats, null_log_rank(seeds), 0.01)
        print(f"log-rank at 0.01, nothing to find, {seeds} seeds: {rate}", flush=True)
    rate = rejections(repeats, lambda g: hypotheses.dip(g.normal(size=64))[1], 0.05)
    print(f"dip at 0.05, one mode, 64 seeds: {rate}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
