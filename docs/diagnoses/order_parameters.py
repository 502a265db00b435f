"""Why one number beta says only part of the attention's scores: how K and Q start.

    OMP_NUM_THREADS=1 python docs/diagnoses/order_parameters.py     # minutes, on one core

To first order SGD adds K0^T K0 G + G Q0^T Q0 to the K^T Q that it starts from, G being its negative
gradient there, on average a multiple of the identity in the items' block. Two things then spoil the
multiple of the identity that equation 2 assumes: K0^T Q0 itself, and that K0^T K0 and Q0^T Q0 of
square random matrices are far from the identity. Q = 0 takes the first away, orthogonal matrices
(as long as the random ones) the second. Prints the median R^2 of held-out scores over seeds, as
`score_r2` is recorded.
"""

import sys
from pathlib import Path

import numpy as np
import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.engine import machine, training
from icl.experiment import grid
from icl.models.one_layer import network as one_layer

SEEDS = {"first": 60000, "count": 8}  # of no claim
INITIALISE = one_layer.initialise


def orthogonal(p: torch.Tensor) -> torch.Tensor:
    """Return the orthogonal factor of each matrix, as long as the matrix was: (R, E, E)."""
    factor = torch.linalg.qr(p.double())[0]
    return (factor * p.double().norm(dim=(1, 2), keepdim=True) / p.shape[-1] ** 0.5).to(p.dtype)


STARTS = {
    "K and Q as nn.Linear starts them": lambda key, query: (key, query),
    "K as nn.Linear starts it, Q = 0": lambda key, query: (key, 0 * query),
    "K and Q orthogonal": lambda key, query: (orthogonal(key), orthogonal(query)),
    "K orthogonal, Q = 0": lambda key, query: (orthogonal(key), 0 * query),
}


def main() -> None:
    """Train the laptop's experiment from each start and print a table."""
    machine.prepare(1)
    preset = yaml.safe_load((ROOT / "config/laptop.yaml").read_text())
    experiment = {**preset["experiments"]["order_parameters"], "seeds": SEEDS}
    (job,) = grid.expand(preset["defaults"], experiment)
    print("| start | R^2 at step 0 | at t_ICL | at the last step | ICL accuracy then |")
    print("|---|---|---|---|---|")
    for name, start in STARTS.items():

        def initialise(seeds, model, start=start):
            parameters = INITIALISE(seeds, model)
            parameters["key"], parameters["query"] = start(parameters["key"], parameters["query"])
            return parameters

        one_layer.initialise = initialise
        metrics = training.train(job).metrics
        accuracy, r2 = metrics["icl_accuracy"], metrics["score_r2"]
        acquired = np.argmax(accuracy > 0.95, axis=1)
        at = r2[np.arange(len(r2)), acquired]
        numbers = [np.median(values) for values in (r2[:, 0], at, r2[:, -1], accuracy[:, -1])]
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in numbers) + " |", flush=True)


if __name__ == "__main__":
    main()
