"""Figure A.4: the distribution of t_ICL over seeds at each N, with log-normal and normal fits."""

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from scipy import stats

from icl import statistics
from icl.figures import annotations, style


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, dict[str, Any]]) -> Figure:
    """Draw the figure.

    Args:
        data: role "acquisition", several N at K = infinity.
        verdicts: of long_tail.
    """
    runs, verdict = data["acquisition"], verdicts["long_tail"]
    details = verdict["details"]
    passage = statistics.acquisition_time(
        runs["icl_accuracy"].values, runs["theory_time"].values, details["options"]["threshold"]
    )
    lengths = runs["context_length"].values
    values = np.unique(lengths)
    columns = 2 if len(values) in (2, 4) else 3
    rows = -(-len(values) // columns)
    figure, axes = style.new_figure(2, 1.7 * rows + 0.8, rows, columns, squeeze=False)
    fits = {row["context_length"]: row for row in details.get("by_length", [])}
    missing = {length for length, _ in annotations.missing(runs)}
    for ax, length in zip(axes.flat, values, strict=False):
        own = np.flatnonzero(lengths == length)
        _histogram(ax, passage.time[own], passage.reached[own], fits.get(int(length)))
        censored = int((~passage.reached[own]).sum())
        words = f"$N$ = {length} ({len(own)} seeds"
        words += f", {censored} censored" if censored else ""
        words += ", a block missing" if int(length) in missing else ""
        colour = style.GAP if int(length) in missing else "black"
        ax.set_title(words + ")", loc="left", fontweight="bold", fontsize=7, color=colour)
    for ax in axes[:, 0]:
        ax.set_ylabel("number of seeds")
    for ax in axes.flat[max(len(values) - columns, 0) : len(values)]:
        ax.set_xlabel(r"$t_{\mathrm{ICL}}$ (learning rate × step)")
    for ax in axes.flat[len(values) :]:
        ax.axis("off")
    skewness = annotations.quote(verdict, "skewness")
    advantage = annotations.quote(verdict, "aic_advantage")
    summary = (
        rf"skewness of $t_{{\mathrm{{ICL}}}}$ over its median, all $N$: {skewness}; "
        f"ΔAIC = AIC of normal − of log-normal, least over $N$: {advantage}"
    )
    figure.suptitle(summary, fontsize=7.5)
    text = annotations.setting(runs, 2), annotations.gap(runs, 2)
    top = style.footer(figure, *text, room_inches=0.22)
    handles = {h.get_label(): h for ax in axes.flat for h in ax.get_legend_handles_labels()[0]}
    figure.legend(
        handles=list(handles.values()),
        loc="lower center",
        bbox_to_anchor=(0.5, top),
        ncols=len(handles),
        borderaxespad=0.1,
    )
    return figure


def _histogram(
    ax: Axes, times: np.ndarray, reached: np.ndarray, fit: dict[str, Any] | None
) -> None:
    """Draw the histogram, a tick for every seed, and the two fits scaled to counts."""
    events = times[reached]
    top = np.nanmax(times) * 1.1 or 1.0
    ax.set_xlim(0, top)
    edges = np.linspace(0, top, 16)
    counts, *_ = ax.hist(events, bins=edges, color=style.ICL, alpha=0.45, lw=0)
    ax.set_ylim(0, 1.5 * max(counts.max(), 1))  # room for the numbers
    ax.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    marks = {"ls": "", "mew": 0.7, "clip_on": False, "transform": ax.get_xaxis_transform()}
    # A mark that may leave the axes must not move them: an empty one would, to nowhere.
    marks["in_layout"] = False
    zero = np.zeros(len(times))
    ax.plot(events, zero[reached], marker="|", ms=7, color=style.ICL, label="a seed", **marks)
    if not reached.all():
        own = {"marker": ">", "ms": 4, "mfc": "w", "color": style.GAP}
        label = "a seed not acquired by then"
        ax.plot(times[~reached], zero[~reached] + 0.04, label=label, **own, **marks)
    if fit is not None:
        _fits(ax, fit, np.linspace(top / 400, top, 400), len(times) * (edges[1] - edges[0]))


def _fits(ax: Axes, fit: dict[str, Any], x: np.ndarray, scale: float) -> None:
    normal = {key: annotations.number(value) for key, value in fit["normal"].items()}
    log_normal = {key: annotations.number(value) for key, value in fit["log_normal"].items()}
    curves = (
        (
            stats.lognorm(log_normal["log_sd"], scale=np.exp(log_normal["log_mean"])),
            "log-normal",
            style.FIT,
            "-",
        ),
        (stats.norm(normal["mean"], normal["sd"]), "normal", style.ALTERNATIVE_FIT, "--"),
    )
    for distribution, label, colour, dashes in curves:
        ax.plot(x, scale * distribution.pdf(x), color=colour, lw=1, ls=dashes, label=label)
    low, high = (annotations.show(end) for end in fit["aic_advantage_interval"])
    ax.text(
        0.98,
        0.97,
        f"skewness {annotations.show(fit['skewness'], most_places=2)}\n"
        f"ΔAIC {annotations.show(fit['aic_advantage'])} [{low}, {high}]",
        transform=ax.transAxes,
        ha="right",
        va="top",
        fontsize=6.5,
    )
