"""K* against the MLP's own learning rate: a race moves it, a capacity does not."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from icl import text
from icl.figures import annotations, panels, style
from icl.measurements.kinetics import rate_ratio
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the figure."""
    runs, verdict = data["mlp_rates"], verdicts["kinetics_not_capacity"]
    ratios = rate_ratio(runs).values
    values = np.unique(ratios)
    layout = [[f"a{place}", "b"] for place in range(len(values))]
    figure, axes = style.new_mosaic(layout, 2, 0.5 * len(values) + 0.7)
    strips = [axes[f"a{place}"] for place in range(len(values))]
    found = {row["rate_ratio"]: row for row in verdict.details.get("by_rate", ())}
    for ax, ratio in zip(strips, values, strict=True):
        own = runs.isel(run=np.flatnonzero(ratios == ratio))
        _finals(ax, own, ratio, found.get(ratio))
        ax.set_xlim(runs["n_items"].values.min() / 1.2, runs["n_items"].values.max() * 1.2)
    strips[-1].tick_params(labelbottom=True)
    strips[-1].set_xlabel("number of items $K$")
    strips[len(strips) // 2].set_ylabel("ICL accuracy")
    thresholds(axes["b"], verdict)
    style.panel(strips[0], "a", "MLP slowed down, or sped up")
    style.panel(axes["b"], "b", "a race, not a capacity")
    style.mark_gap(figure, annotations.gap(data.values(), 2))
    return figure


def _finals(ax: Axes, runs: xr.Dataset, ratio: float, row: dict | None) -> None:
    """Draw the mean final ICL accuracy against K at one rate, and K* with its interval."""
    panels.means_and_threshold(ax, runs, row)
    style.plain_log(ax.xaxis)
    ax.tick_params(labelbottom=False)
    panels.accuracy_strip(ax)
    style.corner(ax, rf"$r$ = {ratio:g}", 0.02, 0.92)


def thresholds(ax: Axes, moved: Verdict, narrow: bool = False) -> None:
    """Draw K* against the rate, the fitted slope and those of a race and of a capacity.

    In a narrow panel there is no room for words at the race's end.
    """
    details = moved.details
    rows = [row for row in details.get("by_rate", ()) if np.isfinite(row["threshold"])]
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xlabel("rate of the MLP over attention's, $r$")
    ax.set_ylabel("threshold $K^*$ (items)")
    if not rows:
        style.corner(ax, "no threshold fitted", 0.03, 0.95)
        return
    x, y = (np.array([row[key] for row in rows]) for key in ("rate_ratio", "threshold"))
    ends = [row["interval"] for row in rows]
    panels.with_intervals(ax, x, y, ends, fmt="o", ms=4, lw=1, capsize=2, color=style.ICL)
    line = np.geomspace(x.min() / 1.2, x.max() * 1.2, 50)
    panels.slope(ax, line, details["power_law"], style.FIT, "-")
    fitted = text.digits_text(details["power_law"]["exponent"])
    style.corner(ax, f"line: fitted, {fitted}", 0.98, 0.03)
    race = details["predicted_line"]
    if panels.slope(ax, line, race, style.ALTERNATIVE_FIT, "--"):
        end = (line[-1], np.exp(race["log_prefactor"]) * line[-1] ** race["exponent"])
        words = rf"race: $1/\nu$ = {text.digits_text(race['exponent'])}"
        if narrow:
            style.corner(ax, words, 0.98, 0.13, style.ALTERNATIVE_FIT)
        else:
            style.label(ax, words, end, style.ALTERNATIVE_FIT, (-12, 2), ha="right")
    middle = np.exp(np.log(y).mean())
    ax.plot(line, np.full_like(line, middle), ":", color=style.NEUTRAL, lw=1)
    style.label(ax, "0" if narrow else "capacity: 0", (line[0], middle), style.NEUTRAL, (0, 7))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
