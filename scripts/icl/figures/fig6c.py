"""Panel c of Figure 6: why a seed near K* generalises early or never, and that it does."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from icl import text
from icl.figures import panels, style
from icl.measurements import outcomes
from icl.measurements.base import acquisition_time, undiverged
from icl.verdicts import Verdict

GENERALISES, MEMORISES = style.PALETTE[2], style.PALETTE[3]


def draw_panel(top: Axes, bottom: Axes, data: dict[str, xr.Dataset], verdict: Verdict) -> None:
    """Draw I_K(t) of the MLP alone with seeds on it, and the histogram of t_ICL below.

    Top: each seed's t_ICL at K = infinity, where it crosses I_K(t), is when the theory has it
    acquire ICL at this K; a seed above I_K(infinity) never does. Bottom: when seeds did, at K.

    Args:
        top: axes of I_K(t).
        bottom: axes of the histogram, of the same time.
    """
    details, options = verdict.details, verdict.options
    runs = undiverged(data["bimodality"])
    n_items = details.get("n_items") or float(np.median(runs["n_items"].values))
    runs = runs.isel(run=np.flatnonzero(runs["n_items"] == n_items))
    budget = float(np.nanmax(runs["theory_time"].values))
    length = int(runs["context_length"][0])
    alone, infinite = data["memorisation"], data["acquisition"]
    race = outcomes.predicted_race(alone, infinite, n_items, length, budget, options)
    _integral(top, race, budget, length)
    passage = acquisition_time(runs, options)
    edges = np.linspace(0, budget, 31).tolist()
    bottom.hist(passage.time[passage.reached], bins=edges, color=GENERALISES, lw=0)
    never = int((~passage.reached).sum())
    bottom.bar(1.06 * budget, never, width=0.05 * budget, color=MEMORISES, lw=0)
    bottom.set_xlim(0, 1.12 * budget)
    ticks = [tick for tick in MaxNLocator(4).tick_values(0, budget) if tick < 0.9 * budget]
    bottom.set_xticks([*ticks, 1.06 * budget], [*(f"{tick:g}" for tick in ticks), "never"])
    bottom.set_xlabel(panels.TIME)
    bottom.set_ylabel("seeds")
    bottom.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    low, high = bottom.get_ylim()
    bottom.set_ylim(low, 1.6 * high)  # room for the text
    style.note(
        bottom,
        rf"$t_{{\mathrm{{ICL}}}}$ of {len(passage.time)} seeds, $K$ = {text.count_text(n_items)}"
        f"\ndip test {text.p_digits_text(verdict.estimate('dip_p').value)}"
        f"\nfinals {options['intermediate'][0]:g} to {options['intermediate'][1]:g}: "
        f"{text.estimate_text(verdict.estimate('intermediates'))}",
        0.03,
        0.97,
    )


def _integral(ax: Axes, race: outcomes.Race, budget: float, length: int) -> None:
    for clock, integral in race.curves:
        ax.plot(clock, integral, color=style.FIT, lw=0.6, alpha=0.6)
        if clock[-1] < budget:  # c1 is all but 0 where its record ends
            ax.hlines(integral[-1], clock[-1], budget, color=style.FIT, lw=0.6, alpha=0.6)
    ax.axhline(race.total, color=style.NEUTRAL, lw=0.6, ls="--")
    on = race.predicted <= budget
    look: dict[str, Any] = {"ms": 2.6, "mew": 0}
    ax.plot(race.predicted[on], race.t_icl[on], "o", color=GENERALISES, **look)
    never = race.t_icl[~on]
    ax.plot(np.full(len(never), 1.06 * budget), never, "o", color=MEMORISES, **look)
    highest = max([race.total, *race.t_icl])
    ax.set_xlim(0, 1.12 * budget)
    ax.set_ylim(0, 1.15 * highest)
    ax.set_xticklabels([])
    ax.set_ylabel("$I_K(t)$")
    # The curves rise from the lower left and stay near their totals.
    is_low = race.total < 0.5 * highest
    dots = rf"dots: $t_{{\mathrm{{ICL}}}}$ at $K=\infty$, $N$ = {length}"
    words = dots if race.seeds else f"no run at $K=\\infty$, $N$ = {length}"
    corner = (0.03, 0.95) if is_low else (0.97, 0.06)
    style.note(ax, f"MLP alone, $K$ = {text.count_text(race.n_items)}\n{words}", *corner)
