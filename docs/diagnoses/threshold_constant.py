"""How much of equation 12's constant is that ICL comes sooner at finite K than at infinity.

    python docs/diagnoses/threshold_constant.py

From the study's data, trains nothing. At each N, of the seeds that acquire ICL at the K nearest
above K*: t_ICL over that of the same seed at K = infinity, a geometric mean; and K* predicted by
I_K(inf) = t_ICL with the median t_ICL of infinity, without that factor and with it.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.statistics import curves
from icl.store import files

STUDY = ROOT / "docs/gallery/study"


def times(*names: str) -> dict[tuple[int, float, int], float]:
    """Read t_ICL of the runs that acquire, by N, K and seed."""
    found = {}
    for name in names:
        runs = xr.open_dataset(STUDY / f"collected/{name}.nc")
        passage = curves.acquisition_time(
            runs["icl_accuracy"].values, runs["theory_time"].values, 0.95
        )
        n, k, seed = (runs[key].values for key in ("context_length", "n_items", "seed"))
        for i in np.flatnonzero(passage.reached):
            found[int(n[i]), float(k[i]), int(seed[i])] = passage.time[i]
    return found


def main() -> None:
    """Print a row for each N."""
    judged = {entry["id"]: entry for entry in files.read_json(STUDY / "claims.json")}
    details = judged["threshold_constant"]["details"]
    names = ("memorisation_wide", "capacity")
    alone = [xr.open_dataset(STUDY / f"collected/{name}.nc") for name in names]
    items, total = (
        np.concatenate([runs[key].values for runs in alone]) for key in ("n_items", "i_recorded")
    )
    k = np.unique(items)
    log_total = np.log([total[items == value].mean() for value in k])
    infinite = times("acquisition", "acquisition_longest")
    finite = times("thresholds", "transition")
    print("N  K*  K  seeds  t_ICL over that at infinity  K* predicted: without  with")
    for row in details["by_length"]:
        n, star = row["context_length"], row["threshold"]
        at = [infinite[key] for key in infinite if key[0] == n]
        median = np.sort(at)[(len(at) - 1) // 2]
        above = min(key[1] for key in finite if key[0] == n and key[1] > star)
        seeds = [key[2] for key in finite if key[:2] == (n, above)]
        logs = np.log([finite[n, above, seed] / infinite[n, np.inf, seed] for seed in seeds])
        ratio, error = np.exp(logs.mean()), logs.std(ddof=1) / len(logs) ** 0.5
        predicted = np.exp(np.interp(np.log(median * np.array([1, ratio])), log_total, np.log(k)))
        print(
            f"{n}  {star:.0f}  {above:.0f}  {len(logs)}  {ratio:.2f} (1 +- {error:.2f})  "
            + "  ".join(f"{p:.0f} (log10 {np.log10(p / star):.2f})" for p in predicted)
        )


if __name__ == "__main__":
    main()
