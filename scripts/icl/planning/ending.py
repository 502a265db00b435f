"""Say at a run's end what came of it: how many claims held, what to open, what a figure shows."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import xarray as xr

from icl.statistics import curves
from icl.text import count_text, digits_text, estimate_text
from icl.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Verdict

PAGES = ("report.html", "claims.md", "explorer.html")
MOST_NAMED = 3  # missing jobs


def tally(verdicts: Iterable[Verdict], results: Path, about: str = "") -> str:
    """Count the verdicts, say what is missing, and name the files to open."""
    verdicts = list(verdicts)
    counts = Counter(verdict.verdict for verdict in verdicts)
    counted = [f"{counts[v]} {v}" for v in (REPRODUCED, NOT_REPRODUCED, UNDECIDED)]
    lines = [f"Of {len(verdicts)} claims {counted[0]}, {counted[1]}, {counted[2]}."]
    if missing := sorted({block for verdict in verdicts for block in verdict.missing_blocks}):
        named = [*missing[:MOST_NAMED], *(["..."] if len(missing) > MOST_NAMED else [])]
        lines.append(
            f"Missing, and marked as gaps: {len(missing)} of the training jobs "
            f"({', '.join(named)}). {results / 'logs/train'} says why; then type the same again."
        )
    lines += [about.strip()] if about else []
    return "\n".join([*lines, "Open", *(f"    {results / page}" for page in PAGES)])


def race(verdicts: Iterable[Verdict], runs: xr.Dataset, picture: Path) -> str:
    """Name the picture of the race (Figure 2), and say in one sentence what it shows."""
    of = {verdict.id: verdict for verdict in verdicts}
    above = of["sharp_transition"].options["acquired_above"]
    n_items = runs["n_items"].values
    icl, iwl = (curves.last_value(runs[f"{name}_accuracy"].values) for name in ("icl", "iwl"))

    def at(items: float) -> tuple[str, str]:
        own = n_items == items
        new, kept = (digits_text(float(np.median(finals[own])), 2, 2) for finals in (icl, iwl))
        return (
            f"{(icl[own] > above).sum()} of {own.sum()}",
            f"{new} on new items, {kept} from memory",
        )

    few, many = n_items.min(), n_items.max()
    sentence = (
        f"With {count_text(few)} items {at(few)[0]} models look labels up in the context (median "
        f"accuracy {at(few)[1]}), with {count_text(many)} items {at(many)[0]} do ({at(many)[1]}); "
        f"the change comes at K* = {estimate_text(of['sharp_transition'].estimate('threshold'))} "
        "items, and abruptly: accuracy on new items rises from 0.6 to 0.9 in "
        f"{estimate_text(of['abrupt_acquisition'].estimate('rise'))} of the time until it is there."
    )
    return f"{sentence}\nA look, not a verdict. The picture:\n    {picture}"
