"""How often the intervals hold the truth, on synthetic data.

The tests run the parts that take seconds; `PYTHONPATH=scripts python tests/unit/coverage_study.py`
prints all of it, at more repeats (a quarter of an hour).
"""

from collections.abc import Iterator

import numpy as np
import synthetic
from icl import measurements
from icl.claims import Estimate, judge

OPTIONS = {
    "response": "final_accuracy",
    "acquired_above": 0.75,
    "floor": 0.5,
    "ceiling": [0.9, 1.0],
    "resolution": 0.05,
    "from": 0.6,
    "to": 0.9,
    "threshold": 0.95,
    "finest_spacing": 0.02,
    "confidence": 0.95,
    "resamples": 300,
    "seed": 1,
    "least_replicates": 4,
}
LENGTHS = np.array([16, 24, 32, 48, 64])
CURVED = 2.07  # N^2.07 has R^2 = 0.97 against these lengths


def measured(statistic: str, quantity: str, repeats: int, make, **options) -> Iterator[Estimate]:
    """Measure a quantity on so many independent datasets."""
    for repeat in range(repeats):
        data = make(generator=np.random.default_rng(repeat))
        data = {data.attrs["experiment"]: data}
        yield measurements.load(statistic)(data, {**OPTIONS, **options}).estimates[quantity]


def holds(estimates: Iterator[Estimate], truth: float) -> float:
    """Return the share of intervals that hold the truth."""
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))


def decided(estimates: Iterator[Estimate], band: list[float | None]) -> tuple[float, float]:
    """Return the shares of `reproduced` and of `not reproduced`."""
    verdicts = np.array([judge(e, band) for e in estimates])
    return float(np.mean(verdicts == "reproduced")), float(np.mean(verdicts == "not reproduced"))


def acquisition(**kwargs):
    """Make a function that makes one experiment at K = infinity."""
    return lambda generator: synthetic.acquisition(generator=generator, **kwargs)


def transition(low=1500, high=3000, **kwargs):
    """Make a function that makes one transition, K* anywhere between the two."""

    def make(generator):
        threshold = np.exp(generator.uniform(np.log(low), np.log(high)))
        data = synthetic.transition(threshold=threshold, generator=generator, every=200, **kwargs)
        return data.assign_attrs(threshold=threshold)

    return make


def threshold_coverage(repeats: int, **kwargs) -> float:
    """Coverage of K*, whose true value differs from dataset to dataset."""
    make, held = transition(**kwargs), []
    for repeat in range(repeats):
        data = make(np.random.default_rng(repeat))
        found = measurements.load("sharp_transition")({"transition": data}, OPTIONS)
        interval = found.estimates["threshold"]
        held.append(interval.low <= data.attrs["threshold"] <= interval.high)
    return float(np.mean(held))


def tails_found(repeats: int, looks: tuple[int, ...], **kwargs) -> np.ndarray:
    """Share of experiments at one N whose tail is decided by so many seeds, or by fewer before.

    As the laptop size's was: seeds were added until it was decided.
    """
    found = np.zeros((repeats, len(looks)), dtype=bool)
    for repeat in range(repeats):
        generator = np.random.default_rng(repeat)
        data = synthetic.acquisition(lengths=(8,), seeds=looks[-1], generator=generator, **kwargs)
        for look, seeds in enumerate(looks):
            some = {"acquisition": data.isel(run=np.flatnonzero(data["seed"] < seeds))}
            advantage = measurements.load("long_tail")(some, OPTIONS).estimates["aic_advantage"]
            found[repeat, look] = judge(advantage, [0, None]) == "reproduced"
            if found[repeat, look]:
                found[repeat, look:] = True
                break
    return found.mean(axis=0)


def main(repeats: int = 500) -> None:
    """Print the table."""
    for seeds in (16, 32):
        for spread in (0.3, 0.5):
            for exponent in (0.9, 1.2):
                make = acquisition(seeds=seeds, spread=spread, exponent=exponent)
                share = holds(measured("linear_ticl", "exponent", repeats, make), exponent)
                print(
                    f"exponent {exponent}, {seeds} seeds, spread {spread}: {share:.3f}", flush=True
                )
    for seeds in (16, 32, 64):
        for exponent, name in ((1.0, "straight"), (CURVED, "R^2 = 0.97")):
            make = acquisition(seeds=seeds, exponent=exponent)
            shares = decided(measured("linear_ticl", "r_squared", repeats, make), [0.97, None])
            print(f"R^2, truth {name}, {seeds} seeds, spread 0.3: (yes, no) = {shares}", flush=True)
    for seeds in (16, 32, 64, 128):
        for normal, spread in ((False, 0.3), (False, 0.5), (True, 0.25)):
            make = acquisition(seeds=seeds, normal=normal, spread=spread)
            for quantity in ("skewness", "aic_advantage"):
                found = measured("long_tail", quantity, repeats, make)
                kind = "normal" if normal else f"log-normal {spread}"
                print(f"{quantity}, {kind}, {seeds} seeds: {decided(found, [0, None])}", flush=True)
    for seeds in (8, 16):
        for width in (0.1, 0.2, 0.3, 0.45, 0.6):
            share = threshold_coverage(repeats, seeds=seeds, width=width)
            print(f"K*, width {width}, {seeds} seeds: {share:.3f}", end="; ")
            found = list(
                measured("sharp_transition", "width", repeats, transition(seeds=seeds, width=width))
            )
            # A width below the grid's spacing cannot be seen: only the upper end is tested there.
            share = np.mean([e.high >= width and e.low <= max(width, 0.145) for e in found])
            print(f"width: {share:.3f}, decided {decided(iter(found), [None, 0.5])}", flush=True)
    looks = (48, 144, 336)
    for normal in (True, False):
        shares = tails_found(repeats, looks, normal=normal, spread=0.17)
        kind = "normal" if normal else "log-normal"
        print(f"tail found, {kind} 0.17, {looks} seeds: {shares}", flush=True)
    for rise in (0.1, 0.3):
        make = transition(rise=rise)
        shares = decided(measured("abrupt_acquisition", "rise", repeats, make), [None, 0.25])
        print(f"rise {rise}: (yes, no) = {shares}", flush=True)


if __name__ == "__main__":
    main()
