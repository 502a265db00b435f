"""Figure A.4: the distribution of t_ICL over seeds at each N, with log-normal and normal fits."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl.figures import annotations, style, times
from icl.measurements.base import acquisition_time, joined
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, verdict = joined(data, "acquisition", "more_seeds", "longest"), verdicts["long_tail"]
    details = verdict.details
    passage = acquisition_time(runs, verdict.options)
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    columns = 2 if len(values) in (2, 4) else 3
    figure, axes, shown = style.new_grid(len(values), columns, 1.35, 0.6)
    fits = {row["context_length"]: row for row in details.get("by_length", [])}
    missing = {length for length, _ in annotations.missing(runs)}
    for ax, length in zip(shown, values, strict=True):
        own = np.flatnonzero(lengths == length)
        times.histogram(ax, passage.time[own], passage.reached[own], fits.get(int(length)))
        censored = int((~passage.reached[own]).sum())
        words = f"$N$ = {length}, {len(own)} seeds"
        words += f"\n({censored} censored)" if censored else ""
        gap = int(length) in missing
        ax.set_title(words, color=style.GAP if gap else style.FIT)
    for ax in axes[:, 0]:
        ax.set_ylabel("seeds")
    for ax in shown[-columns:]:
        ax.set_xlabel(times.T_ICL)
    handles = {h.get_label(): h for ax in axes.flat for h in ax.get_legend_handles_labels()[0]}
    style.legend_above(figure, list(handles.values()))
    style.mark_gap(figure, annotations.gap(runs, 2))
    return figure
