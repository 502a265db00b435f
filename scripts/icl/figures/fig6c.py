"""Panel c of Figure 6: near K* a seed generalises early or never, as run and as predicted."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from icl import text
from icl.figures import panels, style
from icl.measurements import base, outcomes
from icl.verdicts import Verdict

BINS = np.linspace(0.4, 1, 13).tolist()


def draw_panel(ax: Axes, beside: Axes, data: dict[str, xr.Dataset], verdict: Verdict) -> None:
    """Draw the share of seeds that have acquired ICL by each time, at one K near K*.

    Beside it stands the histogram of their last ICL accuracies. Predicted: a seed acquires it when
    I_K(t) of the MLP alone reaches its t_ICL at K = infinity, and never if I_K(infinity) is less.
    """
    details, options = verdict.details, verdict.options
    runs = base.undiverged(data["bimodality"])
    n_items = details.get("n_items") or float(np.median(runs["n_items"].values))
    runs = base.where(runs, runs["n_items"] == n_items)
    budget = float(np.nanmax(runs["theory_time"].values))
    length = int(runs["context_length"][0])
    alone, infinite = data["memorisation"], data["acquisition"]
    race = outcomes.predicted_race(alone, infinite, n_items, length, budget, options)
    passage = base.acquisition_time(runs, options)
    _steps(ax, passage.time[passage.reached], len(passage.time), budget, style.ICL, "-")
    words = f"{passage.reached.sum()} of {len(passage.time)} seeds,\nthe rest not by the end"
    style.corner(ax, words, 0.03, 0.98, style.ICL)
    if race.seeds:
        times = race.predicted[race.predicted <= budget]
        _steps(ax, times, race.seeds, budget, style.PREDICTION, "--")
        style.corner(ax, "predicted", 0.98, 0.13, style.PREDICTION)
    ax.set_xlim(0, budget)
    ax.set_ylim(-0.12, 1.05)
    ax.set_xlabel(panels.TIME)
    ax.set_ylabel("share that has acquired ICL")
    where = f"$K$ = {text.count_text(n_items)}, $N$ = {length}"
    style.panel(ax, "c", f"early or never, {where}")
    beside.hist(base.final(runs, "icl_accuracy"), bins=BINS, color=style.ICL, alpha=0.5, lw=0)
    beside.set_xlim(BINS[0], BINS[-1])
    beside.set_xticks([0.5, 1])
    beside.set(xlabel="last ICL", ylabel="seeds")
    beside.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _steps(ax: Axes, times: np.ndarray, seeds: int, end: float, colour: str, dashes: str) -> None:
    """Draw the share of so many seeds that has got there by each time."""
    clock = np.concatenate([[0.0], np.sort(times), [end]])
    share = np.minimum(np.arange(len(clock)), len(times)) / seeds
    ax.step(clock, share, where="post", color=colour, ls=dashes, lw=1.2)
