"""The share of networks that acquires ICL, against the step from which their MLP is held."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl.figures import annotations, panels, style
from icl.verdicts import Verdict

FREE = 2.5  # times the last step: where the free networks stand


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    verdict = verdicts["halted_memory"]
    every = verdict.details.get("by_length", [])
    few = verdict.details.get("few", [])
    letters = "abcdef"[: max(len(every), 1)]
    figure, axes = style.new_mosaic([letters], 2, 2.1, sharey=True)
    for letter, rows in zip(letters, every, strict=False):
        ax, length = axes[letter], rows[0]["context_length"]
        fewer = [of for of in few if of[0]["context_length"] == length]
        looks = [("s--", style.NEUTRAL)] * len(fewer) + [("o-", style.ICL)]
        for place, (of, (look, colour)) in enumerate(zip([*fewer, rows], looks, strict=True)):
            _shares(ax, of, look, colour)
            style.corner(ax, f"$K$ = {of[0]['n_items']:g}", 0.97, 0.84 + 0.11 * place, colour)
        style.panel(ax, letter, f"$N$ = {length}")
    axes["a"].set_ylabel("share with ICL")
    if not every:
        style.unmeasured(axes["a"])
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _shares(ax: Axes, rows: list[dict], look: str, colour: str) -> None:
    """Draw the share at each step, and of the free networks at the right."""
    steps, share, ends = panels.columns(rows, "held_from", "share", "interval")
    x = np.where(np.isfinite(steps), steps, FREE * steps[np.isfinite(steps)].max())
    held = np.isfinite(steps)
    shown = {"ms": 3.5, "lw": 1, "capsize": 2, "color": colour}
    panels.with_intervals(ax, x[held], share[held], ends[held], fmt=look, **shown)
    panels.with_intervals(ax, x[~held], share[~held], ends[~held], fmt=look[0], **shown)
    ax.set_xscale("log")
    ax.set_xlabel("MLP held from step")
    ax.set_ylim(-0.05, 1.05)
    ticks = x.tolist()
    names = [f"{step:g}" * (place % 2 == 0) for place, step in enumerate(steps[held])]
    ax.set_xticks(ticks, [*names, "free"], minor=False)
    ax.set_xticks([], minor=True)
