"""How often the intervals of few replicates hold the truth, on synthetic data.

The tests run what takes seconds; `PYTHONPATH=scripts python tests/unit/coverage_kinetics.py` prints
all of it (docs/choices.md).
"""

import numpy as np
import synthetic_kinetics as made
from icl import measurements
from icl.measurements import intervals

OPTIONS = {"confidence": 0.95, "resamples": 400, "seed": 1, "least_replicates": 3}
LOSSES = {
    "threshold": 0.95,
    "faded_below": 0.9,
    "small_loss": 0.05,
    "least_evaluations": 3,
    **OPTIONS,
}


def held(estimates, truth: float) -> float:
    """Return the share of intervals that hold the truth."""
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))


def normal(generator, n):
    """A sample of mean and median 1."""
    return 1 + 0.2 * generator.standard_normal(n)


def log_normal(generator, n):
    """A skewed sample of median 1, and of mean e^(0.3^2 / 2)."""
    return np.exp(0.3 * generator.standard_normal(n))


def of_mean(repeats: int, n: int, draw=normal, truth: float = 1.0) -> float:
    """Coverage of a mean over n intervals."""
    generator = np.random.default_rng(n)
    return held((intervals.mean(draw(generator, n), OPTIONS) for _ in range(repeats)), truth)


def of_median(repeats: int, n: int, draw=log_normal) -> float:
    """Coverage of a median over n intervals, one run each."""
    generator = np.random.default_rng(n)
    options = {**OPTIONS, "least_replicates": 2}
    seeds = np.arange(n)
    found = (intervals.median(draw(generator, n), seeds, options) for _ in range(repeats))
    return held(found, 1.0)


def of_pooled_median(repeats: int, n: int, runs: int, shared: float) -> float:
    """Coverage of a median over the runs of n seeds, which share a part of their variance."""
    generator = np.random.default_rng(n)
    seeds = np.repeat(np.arange(n), runs)
    found = []
    for _ in range(repeats):
        own, of_seed = generator.standard_normal((2, n * runs))
        noise = np.sqrt(1 - shared) * own + np.sqrt(shared) * of_seed[seeds]
        found.append(intervals.median(np.exp(0.3 * noise), seeds, OPTIONS))
    return held(found, 1.0)


def of_variation(repeats: int, n: int, truth: float = 0.1) -> float:
    """Coverage of a coefficient of variation over n intervals."""
    generator = np.random.default_rng(n)
    spread = np.sqrt(np.log1p(truth**2))
    samples = np.exp(spread * generator.standard_normal((repeats, n)))
    return held((intervals.variation(sample, 0.95) for sample in samples), truth)


def of_worst(repeats: int, n: int, truths=(0.1,) * 6) -> float:
    """Coverage of the largest of several coefficients of variation."""
    generator = np.random.default_rng(n)
    found = []
    for _ in range(repeats):
        samples = [np.exp(np.sqrt(np.log1p(t**2)) * generator.standard_normal(n)) for t in truths]
        found.append(
            intervals.worst(
                [intervals.variation(sample, 0.95) for sample in samples],
                [intervals.variation(sample, 1 - 0.05 / len(truths)) for sample in samples],
            )
        )
    return held(found, max(truths))


def of_exponent(repeats: int, seeds: int, shared: float) -> float:
    """Coverage of nu, where the runs of a seed share a part of their noise."""
    base = made.memorisation(seeds=seeds)
    log_k = np.log(base["n_items"].values / 1000)
    of_seed = base["seed"].values
    generator = np.random.default_rng(seeds)
    estimates = []
    for _ in range(repeats):
        noise = 0.05 * generator.standard_normal(len(log_k))
        noise += shared * generator.standard_normal(seeds)[of_seed] * log_k
        data = base.assign(i_recorded=("run", np.exp(0.7 * log_k + noise)))
        found = measurements.load("memorisation_exponent")({"memorisation": data}, OPTIONS)
        estimates.append(found.estimates["exponent"])
    return held(estimates, 0.7)


def of_losses(repeats: int, seeds: int, quantity: str) -> float:
    """Coverage of the ratio to equation 16."""
    estimates = []
    for repeat in range(repeats):
        data = made.losses(seeds=seeds, spread=0.2, generator=np.random.default_rng(repeat))
        found = measurements.load("loss_relation")({"loss": data}, LOSSES)
        estimates.append(found.estimates[quantity])
    return held(estimates, 1.0)


def main(repeats: int = 1000) -> None:
    """Print the table."""
    for n in (3, 4, 8):
        print(f"mean of {n}, normal: {of_mean(repeats, n):.3f}")
    skewed = of_mean(repeats, 8, log_normal, np.exp(0.3**2 / 2))
    print(f"mean of 8, log-normal: {skewed:.3f}")
    for n in (4, 5, 6, 8, 16):
        print(f"median of {n}, log-normal: {of_median(repeats, n):.3f}")
    for n in (5, 8, 16):
        for runs in (2, 3):
            for shared in (0.0, 0.5, 1.0):
                share = of_pooled_median(repeats, n, runs, shared)
                print(f"median of {runs} runs of {n} seeds, shared {shared}: {share:.3f}")
    for n in (8, 16):
        print(f"variation of {n}: {of_variation(repeats, n):.3f}")
    print(f"largest of six equal variations of 8: {of_worst(repeats, 8):.3f}")
    unequal = of_worst(repeats, 8, (0.02, 0.02, 0.03, 0.03, 0.04, 0.1))
    print(f"largest of six unequal variations of 8: {unequal:.3f}")
    for seeds in (3, 8):
        for shared in (0.0, 0.05):
            share = of_exponent(repeats, seeds, shared)
            print(f"nu, {seeds} seeds, shared {shared}: {share:.3f}")
    for seeds in (5, 8, 16):
        for quantity in ("ratio_acquired", "ratio_faded"):
            share = of_losses(repeats // 2, seeds, quantity)
            print(f"{quantity}, {seeds} seeds: {share:.3f}")


if __name__ == "__main__":
    main()
