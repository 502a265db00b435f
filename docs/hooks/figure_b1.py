#!/usr/bin/env python3
"""Figure B.1 of the gallery, drawn from the last accuracies that its verdicts hold.

`python docs/hooks/figure_b1.py` writes docs/gallery/regime/figB1.pdf and .png. The gallery has no
collected data of the regime study, and the figure needs no more of them than is in claims.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
import xarray as xr
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from icl.experiment import grid
from icl.figures import figB1, style
from icl.record import StopReason
from icl.store import provenance
from icl.verdicts import Verdict

GALLERY = ROOT / "docs/gallery/regime"


def sources() -> tuple[dict[str, xr.Dataset], dict[str, Verdict], str]:
    """Read the runs of each variant, the verdicts of all, and the figure's title."""
    size, claims = (
        yaml.safe_load((ROOT / f"config/{name}.yaml").read_text(encoding="utf-8"))
        for name in ("regime", "regime_claims")
    )
    entries = json.loads((GALLERY / "claims.json").read_text(encoding="utf-8"))
    verdicts = {entry["id"]: Verdict.from_json(entry) for entry in entries}
    figure = claims["figures"]["figB1"]
    data = {}
    for variant in figure["experiments"]:
        jobs = grid.expand(size["defaults"], size["experiments"][variant])
        title = f"{variant}: {size['experiments'][variant]['description']}"
        data[variant] = runs(verdicts[f"{variant}_sharp"].details, jobs, title)
    return data, verdicts, figure["title"]


def runs(details: dict, jobs: list[grid.Job], title: str) -> xr.Dataset:
    """Put a variant's last accuracies in the form of collected data, one evaluation a run."""
    items = np.array(details["n_items"])
    same = {
        "context_length": np.full(len(items), details["context_length"]),
        "stop_reason": np.full(len(items), StopReason.LAST_STEP),
    }
    return xr.Dataset(
        {"icl_accuracy": (("run", "evaluation"), np.array(details["icl_accuracy"])[:, None])},
        coords={"n_items": ("run", items), **{name: ("run", of) for name, of in same.items()}},
        attrs={
            "title": title,
            "preset": "regime",
            "missing_blocks": "[]",
            "jobs": json.dumps([job.identity() for job in jobs]),
        },
    )


def main() -> None:
    """Draw the figure and say in both files what it was drawn from."""
    data, verdicts, title = sources()
    drawing = provenance.gather()
    facts = {
        "figure": "figB1",
        "preset": "regime",
        "claims": {name: verdict.verdict for name, verdict in verdicts.items()},
        "data": "the last accuracies in docs/gallery/regime/claims.json",
        "drawn": {"commit": provenance.commit(drawing), "versions": drawing["versions"]},
    }
    metadata = {
        "Title": f"figB1: {title}",
        "Subject": json.dumps(facts, sort_keys=True),
        "Keywords": [f"{name}.bands={found.band_digest}" for name, found in verdicts.items()],
    }
    style.save(figB1.draw(data, verdicts), GALLERY / "figB1.pdf", GALLERY / "figB1.png", metadata)


if __name__ == "__main__":
    main()
