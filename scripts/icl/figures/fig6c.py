"""Panel c of Figure 6: why a seed near K* generalises early or never, and that it does."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from icl import text
from icl.figures import panels, style
from icl.measurements.base import undiverged
from icl.statistics import curves
from icl.theory.memorisation import MemorisationRecord
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
    clock = runs["theory_time"].values
    budget = float(np.nanmax(clock))
    length = int(runs["context_length"][0])
    _integral(top, data, n_items, length, budget, options["threshold"])
    passage = curves.acquisition_time(runs["icl_accuracy"].values, clock, options["threshold"])
    edges = np.linspace(0, budget, 31)
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
    bottom.text(
        0.03,
        0.97,
        rf"$t_{{\mathrm{{ICL}}}}$ of {len(passage.time)} seeds, $K$ = {text.count_text(n_items)}"
        f"\ndip test {text.p_digits_text(verdict.estimate('dip_p').value)}"
        f"\nfinals {options['intermediate'][0]:g} to {options['intermediate'][1]:g}: "
        f"{text.estimate_text(verdict.estimate('intermediates'))}",
        transform=bottom.transAxes,
        ha="left",
        va="top",
        fontsize=6,
    )


def _integral(
    ax: Axes,
    data: dict[str, xr.Dataset],
    n_items: float,
    length: int,
    budget: float,
    threshold: float,
) -> None:
    alone = undiverged(data["memorisation"])
    values = np.unique(alone["n_items"].values)
    nearest = values[np.abs(np.log(values / n_items)).argmin()]
    rows = np.flatnonzero(alone["n_items"].values == nearest)
    records = []
    for row in rows:
        time, c1 = alone["theory_time"].values[row], alone["c1"].values[row]
        seen = np.isfinite(time) & np.isfinite(c1)
        records.append(MemorisationRecord(time[seen], np.clip(c1[seen], 0, 1)))
        end = min(budget, time[seen][-1])
        clock = np.linspace(0, end, 200)
        ax.plot(clock, records[-1].integral(clock), color=style.FIT, lw=0.6, alpha=0.6)
        if end < budget:  # c1 is all but 0 where its record ends
            ax.hlines(records[-1].integral(end), end, budget, color=style.FIT, lw=0.6, alpha=0.6)
    totals = [float(record.integral(record.time[-1])) for record in records]
    ax.axhline(np.mean(totals), color=style.NEUTRAL, lw=0.6, ls="--")
    infinite = undiverged(data["acquisition"])
    own = np.isinf(infinite["n_items"].values) & (infinite["context_length"].values == length)
    seeds = infinite.isel(run=np.flatnonzero(own))
    top_value = np.mean(totals)
    if own.any():
        passage = curves.acquisition_time(
            seeds["icl_accuracy"].values, seeds["theory_time"].values, threshold
        )
        target = np.sort(passage.time[passage.reached])
        tau = records[0].acquisition_time(target, beyond="inf")
        on = np.isfinite(tau) & (tau <= budget)
        ax.plot(tau[on], target[on], "o", ms=2.6, mew=0, color=GENERALISES)
        ax.plot(
            np.full((~on).sum(), 1.06 * budget), target[~on], "o", ms=2.6, mew=0, color=MEMORISES
        )
        top_value = max(top_value, target.max())
    ax.set_xlim(0, 1.12 * budget)
    ax.set_ylim(0, 1.15 * top_value)
    ax.set_xticklabels([])
    ax.set_ylabel("$I_K(t)$")
    # The curves rise from the lower left and stay near their totals.
    is_low = np.mean(totals) < 0.5 * top_value
    ax.text(
        0.03 if is_low else 0.97,
        0.95 if is_low else 0.06,
        f"MLP alone, $K$ = {text.count_text(nearest)}\n"
        + (
            rf"dots: $t_{{\mathrm{{ICL}}}}$ at $K=\infty$, $N$ = {length}"
            if own.any()
            else f"no run at $K=\\infty$, $N$ = {length}"
        ),
        transform=ax.transAxes,
        ha="left" if is_low else "right",
        va="top" if is_low else "bottom",
        fontsize=6,
    )
