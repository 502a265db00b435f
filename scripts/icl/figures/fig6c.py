"""Panel c of Figure 6: near K* a seed generalises early or never, as run and as predicted."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from icl import text
from icl.figures import panels, style
from icl.measurements import outcomes
from icl.measurements.base import acquisition_time, undiverged
from icl.verdicts import Verdict

CLOSE = 0.2  # shares whose words would meet


def draw_panel(ax: Axes, data: dict[str, xr.Dataset], verdict: Verdict) -> None:
    """Draw the share of seeds that have acquired ICL by each time, at one K near K*.

    Predicted: a seed acquires it when I_K(t) of the MLP alone reaches its t_ICL at K = infinity,
    and never if I_K(infinity) is less.
    """
    details, options = verdict.details, verdict.options
    runs = undiverged(data["bimodality"])
    n_items = details.get("n_items") or float(np.median(runs["n_items"].values))
    runs = runs.isel(run=np.flatnonzero(runs["n_items"] == n_items))
    budget = float(np.nanmax(runs["theory_time"].values))
    length = int(runs["context_length"][0])
    alone, infinite = data["memorisation"], data["acquisition"]
    race = outcomes.predicted_race(alone, infinite, n_items, length, budget, options)
    passage = acquisition_time(runs, options)
    _steps(ax, passage.time[passage.reached], len(passage.time), budget, style.ICL, "-")
    words = f"{passage.reached.sum()} of {len(passage.time)} seeds, the rest never"
    style.label(ax, words, (budget, passage.reached.mean()), style.ICL, (-2, 7), ha="right")
    if race.seeds:
        times = race.predicted[race.predicted <= budget]
        share = _steps(ax, times, race.seeds, budget, style.PREDICTION, "--")
        height = -8 if abs(share - passage.reached.mean()) < CLOSE else 7
        style.label(ax, "predicted", (budget, share), style.PREDICTION, (-2, height), ha="right")
    ax.set_xlim(0, budget)
    ax.set_ylim(-0.12, 1.05)
    ax.set_xlabel(panels.TIME)
    ax.set_ylabel("share that has acquired ICL")
    style.corner(ax, f"$K$ = {text.count_text(n_items)}, $N$ = {length}", 0.03, 0.97)


def _steps(ax: Axes, times: np.ndarray, seeds: int, end: float, colour: str, dashes: str) -> float:
    """Draw the share of so many seeds that has got there by each time; return the last share."""
    clock = np.concatenate([[0.0], np.sort(times), [end]])
    share = np.minimum(np.arange(len(clock)), len(times)) / seeds
    ax.step(clock, share, where="post", color=colour, ls=dashes, lw=1.2)
    return len(times) / seeds
