"""How much of a transition's width is the spread of the seeds' own beta0.

    python docs/diagnoses/initial_beta.py          # trains nothing: reads docs/gallery/laptop

Whether a run acquires ICL is fitted by a logistic in log10 K, then in log10 K and the beta0 that
its seed starts from: the minimal model's own, and for the transformer the mean diagonal of K^T Q's
item block. Where several N are fitted at once each has its own threshold. Prints the 10 to 90 %
widths in decades of K, and the share of permutations of beta0 over seeds that help as much.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_expit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.job import job_from_identity
from icl.models.loading import network
from icl.statistics import curves
from icl.store import artifacts

ACQUIRED_ABOVE = 0.75
PERMUTATIONS = 499
EXPERIMENTS = ("minimal_transition", "thresholds", "transition")


def starts(jobs: list[dict]) -> dict[int, float]:
    """Return the beta0 of every seed of some jobs of one model."""
    known = [job_from_identity(job) for job in jobs]
    seeds, model = sorted({seed for job in known for seed in job.seeds}), known[0].model
    parameters = network(model.name).initialise(torch.tensor(seeds), model)
    if model.name == "minimal":
        beta = parameters["beta"]
    else:
        product = parameters["key"].transpose(1, 2) @ parameters["query"]  # K^T Q, (R, E, E)
        beta = product.diagonal(dim1=1, dim2=2)[:, : model.item_dim].mean(1)
    return dict(zip(seeds, beta.flatten().tolist(), strict=True))


def logistic(columns: list[np.ndarray], acquired: np.ndarray) -> tuple[np.ndarray, float]:
    """Fit a logistic by maximum likelihood; return its coefficients and log-likelihood."""
    x, sign = np.stack(columns, 1), np.where(acquired, 1, -1)
    found = minimize(lambda c: -log_expit(sign * (x @ c)).sum(), np.zeros(x.shape[1]))
    return found.x, -found.fun


def main() -> None:
    """Print a table."""
    print("| experiment | width: K alone | K and beta0 | p of beta0 |")
    print("|---|---|---|---|")
    for name in EXPERIMENTS:
        data = artifacts.read(ROOT / f"docs/gallery/laptop/collected/{name}.nc")
        beta0 = starts(json.loads(data.attrs["jobs"]))
        acquired = curves.last_value(data["icl_accuracy"].values) > ACQUIRED_ABOVE
        lengths = data["context_length"].values
        own = [(lengths == n).astype(float) for n in np.unique(lengths)]
        decades = np.log10(data["n_items"].values / 1000)
        values, seed_of = np.unique(data["seed"].values, return_inverse=True)
        of_seed = np.array([beta0[seed] for seed in values.tolist()])
        of_seed /= of_seed.std()
        alone, _ = logistic([decades, *own], acquired)
        both, likely = logistic([decades, *own, of_seed[seed_of]], acquired)
        # Not the likelihood ratio's p: runs of one seed are not independent.
        generator = np.random.default_rng(1)
        others = [
            logistic([decades, *own, generator.permutation(of_seed)[seed_of]], acquired)[1]
            for _ in range(PERMUTATIONS)
        ]
        p = (1 + sum(other >= likely for other in others)) / (1 + PERMUTATIONS)
        widths = [2 * np.log(9) / coefficients[0] for coefficients in (alone, both)]
        print(f"| {name} | {widths[0]:.2f} | {widths[1]:.2f} | {p:.1g} |")


if __name__ == "__main__":
    main()
