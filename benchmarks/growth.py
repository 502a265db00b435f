"""How the cost of a replicate-step grows with R, N, K and d, around two sizes.

    OMP_NUM_THREADS=1 python benchmarks/growth.py [--json benchmarks/results.json]

The values of one variable take turns, a few steps each. The first step of a turn is not counted,
for it finds the others' data in the caches; of the rest the median is taken, in processor time.
Sequences are drawn anew at each step and their drawing is counted.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import store
from throughput import SIZES, Engine, Problem, Size, machine

STEPS_PER_TURN = 3
BASES = ("N=64, d=128", "N=100, d=512")
VALUES = {
    "n_replicates": (1, 2, 4, 8, 16),
    "context_length": (16, 32, 64, 128, 256),
    "n_items": (500, 2_000, 8_000, 32_000),
    "hidden_dim": (32, 64, 128, 256, 512),
}


def measure(base: Size, variable: str, values: tuple[int, ...], turns: int) -> list[float]:
    """Return the median processor seconds of a replicate-step at each value of a variable."""
    sizes = [replace(base, **{variable: value}) for value in values]
    engines = [Engine(Problem(size), plain=False) for size in sizes]
    seconds = [[] for _ in sizes]
    for _ in range(turns):
        for engine, times in zip(engines, seconds, strict=True):
            engine.step(None)
            for _ in range(STEPS_PER_TURN):
                start = time.process_time()
                engine.step(None)
                times.append((time.process_time() - start) / engine.n_replicates)
    return [median(times) for times in seconds]


def line(base: str, variable: str, values: tuple[int, ...], seconds: list[float]) -> str:
    """Write one panel's numbers on a line, in microseconds per replicate-step."""
    pairs = zip(values, seconds, strict=True)
    return f"{base}, {variable}: " + ", ".join(f"{v}: {1e6 * s:.0f} us" for v, s in pairs)


def main() -> None:
    """Measure and print every panel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers into this file")
    parser.add_argument("--turns", type=int, default=8, help="turns of each value")
    parser.add_argument("--bases", nargs="*", choices=SIZES, default=list(BASES))
    arguments = parser.parse_args()
    machine.prepare(1)
    found = {}
    for base in arguments.bases:
        found[base] = {}
        for variable, values in VALUES.items():
            seconds = measure(SIZES[base], variable, values, arguments.turns)
            found[base][variable] = {"values": values, "seconds": seconds}
            print(line(base, variable, values, seconds), flush=True)
    if arguments.json:
        store.update(arguments.json, "growth", {"bases": found})


if __name__ == "__main__":
    main()
