"""Figure A.6: when ICL fades against the weight decay of the attention."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from icl import text
from icl.figures import annotations, style
from icl.measurements.fading import fading
from icl.verdicts import Verdict

MOST_NAMED = 6  # decays that each have a tick of their own
NEVER = style.PALETTE[3]
LASTS = style.PALETTE[2]


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    verdict = verdicts["transience"]
    details, options = verdict.details, verdict.options
    found = fading(data["transience"], options)
    figure, ax = style.new_figure(1, 3.3)
    positive = np.unique(found.decay[found.decay > 0])
    few = len(positive) <= MOST_NAMED
    # Zero has no place on a logarithmic axis: it stands below the smallest.
    zero = positive.min() / (3 if few else 10)
    x = np.where(found.decay > 0, found.decay, zero)
    spread = min(0.22, 0.35 * np.diff(np.log(np.unique(x))).min())
    for value in np.unique(x):
        own = np.flatnonzero(x == value)
        x[own] *= np.exp(style.jitter(len(own), spread))
    kinds = (
        (found.faded, "o", style.ICL, {"ms": 3, "mew": 0, "alpha": 0.8}, "ICL fades"),
        (
            found.acquired & ~found.faded,
            "x",
            LASTS,
            {"ms": 4.5, "mew": 1.3},
            "acquired, not faded by the end of its run",
        ),
        (~found.acquired, "+", NEVER, {"ms": 6, "mew": 1.3}, "never acquires ICL"),
    )
    for own, marker, colour, look, label in kinds:
        if own.any():
            counted = f"{label} ({own.sum()})"
            ax.plot(x[own], found.t_faded[own], marker, color=colour, ls="", label=counted, **look)
    slope = verdict.estimate("fade_slope").value
    if np.isfinite(slope):
        seen = found.decay[found.faded & (found.decay > 0)]
        span = np.geomspace(seen.min(), seen.max(), 50)
        time = np.exp(details["trend"]["intercept"] + slope * np.log(span))
        label = f"fit: $\\lambda^{{{slope:.2f}}}$"
        ax.plot(span, time, color=style.FIT, lw=1, label=label)
    ax.set_xscale("log")
    ax.set_yscale("log")
    decades = 10.0 ** np.arange(np.ceil(np.log10(positive.min()) - 1e-9), 1)
    ticks = positive if few else decades[decades <= 1.5 * positive.max()]
    names = (f"{tick:g}" if few else text.power_text(tick) for tick in ticks)
    ax.set_xticks([zero, *ticks], ["0", *names], rotation=45 if few else 0)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter(lambda time, _: text.count_text(time))
    ax.yaxis.set_minor_formatter(NullFormatter())
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * (high / low) ** 0.5)  # room for the legend
    ax.set_xlabel(r"weight decay of the attention $\lambda$")
    ax.set_ylabel("time of fading (learning rate × step)")
    ax.legend(loc="upper left", borderaxespad=0.1)
    p = text.p_digits_text(verdict.estimate("log_rank_p").value)
    style.measured(
        ax,
        f"log-rank test, $\\lambda>0$ against 0: {p}\n"
        f"slope {text.estimate_text(verdict.estimate('fade_slope'))}",
    )
    runs = data["transience"]
    style.footer(figure, annotations.setting(runs, 1), annotations.gap(runs, 1))
    return figure
