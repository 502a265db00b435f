"""Figure A.4: the distribution of t_ICL over seeds at each N, with log-normal and normal fits."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, style, times
from icl.measurements.base import acquisition_time, joined
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, verdict = joined(data, "acquisition", "more_seeds"), verdicts["long_tail"]
    details = verdict.details
    passage = acquisition_time(runs, verdict.options)
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    columns = 2 if len(values) in (2, 4) else 3
    figure, axes, shown = style.new_grid(len(values), columns, 1.7, 0.8)
    fits = {row["context_length"]: row for row in details.get("by_length", [])}
    missing = {length for length, _ in annotations.missing(runs)}
    for ax, length in zip(shown, values, strict=True):
        own = np.flatnonzero(lengths == length)
        times.histogram(ax, passage.time[own], passage.reached[own], fits.get(int(length)))
        censored = int((~passage.reached[own]).sum())
        words = f"$N$ = {length} ({len(own)} seeds"
        words += f", {censored} censored" if censored else ""
        words += ", a block missing" if int(length) in missing else ""
        colour = style.GAP if int(length) in missing else "black"
        ax.set_title(words + ")", loc="left", fontweight="bold", fontsize=7, color=colour)
    for ax in axes[:, 0]:
        ax.set_ylabel("number of seeds")
    for ax in shown[-columns:]:
        ax.set_xlabel(times.T_ICL)
    skewness = text.estimate_text(verdict.estimate("skewness"))
    advantage = text.estimate_text(verdict.estimate("aic_advantage"))
    summary = (
        rf"skewness of $t_{{\mathrm{{ICL}}}}$ over its median, all $N$: {skewness}; "
        f"ΔAIC = AIC of normal − of log-normal, least over $N$: {advantage}"
    )
    figure.suptitle(summary, fontsize=7.5)
    setting = annotations.setting(runs, 2), annotations.gap(runs, 2)
    top = style.footer(figure, *setting, room_inches=0.22)
    handles = {h.get_label(): h for ax in axes.flat for h in ax.get_legend_handles_labels()[0]}
    style.legend_above_footer(figure, list(handles.values()), top)
    return figure
