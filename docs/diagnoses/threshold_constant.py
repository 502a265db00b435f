"""How much of equation 12's constant is that ICL comes sooner at finite K than at infinity.

    python docs/diagnoses/threshold_constant.py

From the study's data and verdict, trains nothing. At each N, at the K nearest above K* at which
half of the seeds acquire ICL, and at the largest: the median t_ICL over that at K = infinity, those
that never acquire counted as censored; and log10 of the K* that I_K(inf) = t_ICL predicts over the
measured one, without that factor and with it.
"""

import sys
from pathlib import Path

import numpy as np
import xarray as xr

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from icl.store import files
from icl.verdicts import Verdict

STUDY = ROOT / "docs/gallery/study"


def main() -> None:
    """Print two rows for each N."""
    judged = [Verdict.from_json(entry) for entry in files.read_json(STUDY / "claims.json")]
    (details,) = (v.details for v in judged if v.id == "threshold_constant")
    names = ("memorisation_wide", "capacity")
    alone = [xr.open_dataset(STUDY / f"collected/{name}.nc") for name in names]
    items, total = (
        np.concatenate([runs[key].values for runs in alone]) for key in ("n_items", "i_recorded")
    )
    k = np.unique(items)
    log_total = np.log([total[items == value].mean() for value in k])
    print("N  K*  K  acquire  t_ICL over that at infinity  log10 predicted/measured: without  with")
    for row, prediction in zip(details["by_length"], details["predicted_thresholds"], strict=True):
        n, star = row["context_length"], row["threshold"]
        known = [
            found
            for found in details["finite_over_infinite"]
            if found["context_length"] == n and found["n_items"] > star and found["ratio"] > 0
        ]
        for found in (known[0], known[-1]):
            times = prediction["median_t_icl"] * np.array([1, found["ratio"]])
            predicted = np.exp(np.interp(np.log(times), log_total, np.log(k)))
            left = "  ".join(f"{np.log10(p / star):.2f}" for p in predicted)
            low, high = found["interval"]
            at = f"{n}  {star:.0f}  {found['n_items']:.0f}"
            share = f"{found['acquired']}/{found['replicates']}"
            print(f"{at}  {share}  {found['ratio']:.2f} [{low:.2f}, {high:.2f}]  {left}")


if __name__ == "__main__":
    main()
