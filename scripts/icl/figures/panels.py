"""Panels that several figures have: finals against K, curves in training, fading."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter

from icl import text
from icl.figures import annotations, style
from icl.measurements.base import final
from icl.record import StopReason
from icl.statistics import fits

TIME = "time (rate × step)"
# For words at a height of data, at the right end of the panel.
AT_RIGHT: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "ha": "right"}
FEW = 3  # values of K that each have a tick of their own
ACCURACY_RANGE = (0.42, 1.04)


def chance(ax: Axes) -> None:
    """Fix an axis of accuracies, and mark chance."""
    ax.set_ylim(*ACCURACY_RANGE)
    ax.axhline(0.5, color=style.NEUTRAL, lw=0.6, ls=":", zorder=0)


def slope(ax: Axes, x: np.ndarray, line: Mapping[str, float], colour: str, dashes: str) -> bool:
    """Draw a power law of a claim's details; tell whether there is one."""
    exponent, prefactor = line["exponent"], line["log_prefactor"]
    known = bool(np.isfinite([exponent, prefactor]).all())
    if known:
        ax.plot(x, np.exp(prefactor) * x**exponent, dashes, color=colour, lw=1, zorder=1)
    return known


def finals(ax: Axes, runs: xr.Dataset, name: str, colour: str) -> None:
    """Show every seed's last accuracy against K, spread a little in log K."""
    last = final(runs, name)
    n_items, diverged = runs["n_items"].values, runs["stop_reason"].values == StopReason.DIVERGED
    values = np.unique(n_items)
    spread = 0.18 * np.diff(np.log(values)).min() if len(values) > 1 else 0.02
    for value in values:
        own = np.flatnonzero((n_items == value) & ~diverged)
        x = value * np.exp(style.jitter(len(own), spread))
        ax.plot(x, last[own], "o", ms=2.4, mew=0, alpha=0.8, color=colour)
    if diverged.any():
        ax.plot(n_items[diverged], last[diverged], "x", ms=4, color=style.GAP)
        here = (n_items[diverged][0], np.nan_to_num(last[diverged][0], nan=0.5))
        style.label(ax, "diverged", here, style.GAP, (4, 0))
    for length, value in annotations.missing(runs):
        if length in runs["context_length"]:  # what other panels lack is theirs to show
            ax.axvline(value, color=style.GAP, lw=3, alpha=0.25, zorder=0)
    items_axis(ax, values)


def items_axis(ax: Axes, values: np.ndarray) -> None:
    """Make the horizontal axis one of K, logarithmic."""
    ax.set_xscale("log")
    label_items(ax.xaxis, values)
    ax.set_xlabel("number of items $K$")


def label_items(axis: Axis, values: np.ndarray) -> None:
    """Label an axis of K: where values are few by them, else by 1, 2, 5 of each decade.

    Where these are few too, by 1 to 9, and where they are many by decades.
    """
    # Matplotlib would label what is between decades wherever fewer than three of them are seen.
    axis.set_minor_formatter(NullFormatter())
    least, most = np.min(values), np.max(values)
    if len(np.unique(values)) <= FEW:
        axis.set_major_locator(FixedLocator(np.unique(values).tolist()))
    elif most > 100 * least:
        return
    else:
        axis.set_major_locator(LogLocator(subs=range(1, 10) if most <= 3 * least else (1, 2, 5)))
    axis.set_major_formatter(lambda x, _: short(x))


def short(n_items: float) -> str:
    """Write a number of items as an axis has it."""
    return f"{n_items / 1000:g}k" if n_items >= 1000 else f"{n_items:g}"


def over_seeds(
    runs: xr.Dataset, name: str, of: Callable[[np.ndarray], float] = np.median
) -> tuple[np.ndarray, np.ndarray]:
    """Return each K and the median, or something else, over its seeds of the last accuracy."""
    last = final(runs, name)
    kept = (runs["stop_reason"].values != StopReason.DIVERGED) & np.isfinite(last)
    n_items, last = runs["n_items"].values[kept], last[kept]
    values = np.unique(n_items)
    return values, np.array([of(last[n_items == value]) for value in values])


def fitted(
    ax: Axes, fit: dict[str, float] | None, interval: tuple[float, float] | list[float], name: str
) -> bool:
    """Draw a fitted logistic and K* at its midpoint with its interval; tell whether there is one.

    `name` is written beside K*.
    """
    if fit is None or np.isnan(fit["midpoint"]):
        return False
    limits = ax.get_xlim()
    log_items = np.linspace(np.log10(limits[0]), np.log10(limits[1]), 300)
    ax.plot(10**log_items, fits.logistic(log_items, **fit), color=style.FIT, lw=1, zorder=3)
    ends, middle = np.clip(interval, *limits), 10 ** fit["midpoint"]
    height = (fit["floor"] + fit["ceiling"]) / 2
    ax.plot(ends, [height, height], "|-", color=style.FIT, lw=1.4, ms=5, zorder=4)
    ax.plot(middle, height, "D", color=style.FIT, ms=3.5, zorder=4)
    ax.set_xlim(*limits)
    # On the side of the panel where there is more room.
    right = np.sqrt(limits[0] * limits[1]) > np.sqrt(ends[0] * ends[1])
    where = {"ha": "left" if right else "right"}
    style.label(ax, name, (ends[int(right)], height), offset=(4 if right else -4, 0), **where)
    return True


def strips(
    strip: Sequence[Axes],
    runs: xr.Dataset,
    of: np.ndarray,
    name: Callable[[float], str],
    levels: Sequence[float] = (),
) -> None:
    """Draw ICL accuracy in training, a line for every run, in a strip for each value of a setting.

    `of` (R,) is the setting of each run; of more values than strips, some are shown (`spread`), and
    of more strips than values, the first are switched off. `name` writes a value; `levels` are
    marked.
    """
    shown = spread(np.unique(of), len(strip))
    clock, accuracy = runs["theory_time"].values, runs["icl_accuracy"].values
    first = len(strip) - len(shown)
    for ax, value in zip(strip[first:], shown, strict=True):
        for row in np.flatnonzero(of == value):
            ax.plot(clock[row, 1:], accuracy[row, 1:], color=style.ICL, lw=0.6, alpha=0.7)
            ended = np.isfinite(accuracy[row]).sum() - 1
            if 0 < ended < accuracy.shape[1] - 1:  # by a stop rule, or diverged
                ax.plot(clock[row, ended], accuracy[row, ended], ".", ms=3, color=style.ICL)
        for level in levels:
            ax.axhline(level, color=style.NEUTRAL, lw=0.5, ls="--", zorder=0)
        ax.set_xlim(0, np.nanmax(clock))
        accuracy_strip(ax)
        ax.set_title(name(value))
        ax.tick_params(labelbottom=False)
    for ax in strip[:first]:
        ax.axis("off")
    strip[-1].tick_params(labelbottom=True)
    strip[-1].set_xlabel(TIME)


def accuracy_strip(ax: Axes) -> None:
    """Fix a low axis of accuracies, and mark chance."""
    ax.set_ylim(0.4, 1.08)
    ax.set_yticks([0.5, 1])
    ax.axhline(0.5, color=style.NEUTRAL, lw=0.6, ls=":", zorder=0)


def of_items(n_items: float) -> str:
    """Name a number of items."""
    return f"$K$ = {text.count_text(n_items)}"


def of_decay(decay: float, row: Mapping[str, Any] | None) -> str:
    """Name a weight decay, and say what ICL does under it by the row of a claim's details."""
    name = rf"$\lambda$ = {decay:g}"
    if row is None:
        return name
    if not row["acquired"]:
        return f"{name}: never"
    if not row["faded"]:
        return f"{name}: lasts"
    return f"{name}: {'fades' if row['faded'] == row['acquired'] else 'some fade'}"


def head_strips(strip: Sequence[Axes], letter: str, subject: str) -> None:
    """Write a panel's letter and subject above the head of its first strip."""
    style.panel(strip[0], letter, f"{subject}\n{strip[0].get_title('left')}")


def spread(values: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many of sorted values, evenly spread and with both ends."""
    chosen = np.linspace(0, len(values) - 1, min(most, len(values)))
    return values[np.floor(chosen + 0.5).astype(int)]


def fractions(
    ax: Axes,
    x: np.ndarray,
    rows: Sequence[Mapping[str, Any]],
    value: str,
    interval: str,
    **look: Any,
) -> None:
    """Draw fractions of seeds with their intervals, joined by a line.

    `value` and `interval` are the keys of both in a row.
    """
    look = {"fmt": "o-", "ms": 4, "lw": 1, "elinewidth": 0.8, "capsize": 2, **look}
    y, ends = columns(rows, value, interval)
    with_intervals(ax, np.asarray(x), y, ends, **look)
    ax.set_ylim(-0.05, 1.05)


def columns(rows: Iterable[Mapping[str, Any]], *keys: str) -> list[np.ndarray]:
    """Return what rows have under each key, as arrays."""
    return [np.array([row[key] for row in rows]) for key in keys]


def with_intervals(
    ax: Axes, x: np.ndarray, y: np.ndarray, ends: np.ndarray | Sequence, **look: Any
) -> None:
    """Draw values with their intervals; an end that is not known is left out."""
    known = np.where(np.isfinite(ends), ends, y[:, None])
    ax.errorbar(x, y, yerr=np.abs(known - y[:, None]).T, **look)


def means_and_threshold(ax: Axes, runs: xr.Dataset, row: dict | None) -> None:
    """Draw the mean last ICL accuracy against K, and K* of a row with its interval."""
    ax.plot(*over_seeds(runs, "icl_accuracy", np.mean), "o-", ms=3, lw=1, color=style.ICL)
    if row is not None and np.isfinite(row["threshold"]):
        ax.plot(row["interval"], [0.75, 0.75], "|-", color=style.FIT, lw=1.4, ms=5)
        ax.plot(row["threshold"], 0.75, "D", ms=3.5, color=style.FIT)
    ax.set_xscale("log")
