"""Figure A.6: when ICL fades against the weight decay of the attention."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from icl import text
from icl.figures import annotations, style
from icl.measurements.fading import fading
from icl.verdicts import Verdict

MOST_NAMED = 8  # decays that each have a tick of their own
LASTS, NEVER = style.PREDICTION, style.IWL
KINDS = ("ICL lasts", "no ICL")
BREAK = {"ha": "center", "va": "center", "bbox": {"fc": "w", "ec": "none", "pad": 0}}


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    verdict = verdicts["transience"]
    details, options = verdict.details, verdict.options
    for_good = verdict.statistic == "lasting_transience"
    found = fading(data["transience"], options, for_good=for_good)
    figure, (strip, ax) = style.new_figure(
        1, 3.2, 2, 1, sharex=True, height_ratios=(1, 2.6), gridspec_kw={"hspace": 0.06}
    )
    positive = np.unique(found.decay[found.decay > 0])
    few = len(positive) <= MOST_NAMED
    # Zero has no place on a logarithmic axis: it stands below the smallest, beyond a break.
    zero = positive.min() / (3 if few else 10)
    x = np.where(found.decay > 0, found.decay, zero)
    spread = min(0.22, 0.35 * np.diff(np.log(np.unique(x))).min())
    for value in np.unique(x):
        own = np.flatnonzero(x == value)
        x[own] *= np.exp(style.jitter(len(own), spread))
    ax.plot(x[found.faded], found.t_faded[found.faded], "o", ms=3, mew=0, color=style.ICL)
    kinds = ((found.acquired & ~found.faded, "x", LASTS), (~found.acquired, "+", NEVER))
    for height, (own, marker, colour) in enumerate(kinds):
        strip.plot(x[own], np.full(own.sum(), height), marker, ms=5, mew=1.1, color=colour)
    words = [f"{name} ({own.sum()})" for (own, *_), name in zip(kinds, KINDS, strict=True)]
    strip.set_yticks(range(len(kinds)), words)
    strip.set_ylim(-0.6, 1.6)
    strip.tick_params(axis="x", bottom=False, labelbottom=False)
    strip.spines["bottom"].set_visible(False)
    slope = verdict.estimate("fade_slope").value
    if np.isfinite(slope):
        seen = found.decay[found.faded & (found.decay > 0)]
        span = np.geomspace(seen.min(), seen.max(), 50)
        time = np.exp(details["trend"]["intercept"] + slope * np.log(span))
        ax.plot(span, time, color=style.FIT, lw=1)
        style.label(
            ax, rf"$\lambda^{{{slope:.2f}}}$".replace("-", "−"), (span[-1], time[-1]), offset=(6, 0)
        )
    ax.set(xscale="log", yscale="log" if found.faded.any() else "linear")
    decades = 10.0 ** np.arange(np.ceil(np.log10(positive.min()) - 1e-9), 1)
    ticks = positive if few else decades[decades <= 1.5 * positive.max()]
    names = (f"{tick:g}" if few else text.power_text(tick) for tick in ticks)
    ax.set_xticks([zero, *ticks], ["0", *names], rotation=90 if few else 0)
    ax.xaxis.set_minor_locator(NullLocator())
    middle = np.sqrt(zero * positive.min())
    ax.text(middle, 0, "//", transform=ax.get_xaxis_transform(), **BREAK)
    ax.yaxis.set_major_locator(
        LogLocator(subs=(1, 2, 3, 4, 5, 7)) if found.faded.any() else NullLocator()
    )
    ax.yaxis.set_major_formatter(lambda time, _: text.count_text(time))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel=r"weight decay of the attention $\lambda$", ylabel="time of fading")
    style.mark_gap(figure, annotations.gap(data["transience"], 1))
    return figure
