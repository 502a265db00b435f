"""Figure A.1: t_ICL against the initial beta, and over seeds whose initial beta is normal."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl.figures import style
from icl.verdicts import Verdict


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw the integrated t_ICL with both asymptotes, and its histogram for normal beta0."""
    initial = data["initial_conditions"]
    n = initial.attrs["context_length"]
    figure, (curve, histogram) = style.new_figure(2, 2.6, 1, 2)
    _draw_curve(curve, initial, n)
    _draw_histogram(histogram, initial, n)
    style.head((curve, histogram), ("against the initial $\\beta$", "over seeds"))
    return figure


def _draw_curve(ax, initial: xr.Dataset, n: int) -> None:
    beta0, t_icl = initial.beta0.values, initial.t_icl.values / n
    near, far = (initial[f"t_icl_{name}"].values / n for name in initial.regime.values)
    ax.semilogy(beta0, near, "--", color=style.FIT, label="eq. 35")
    ax.semilogy(beta0, far, ":", color=style.ALTERNATIVE_FIT, linewidth=1.6, label="eq. 37, halved")
    ax.semilogy(beta0, t_icl, color=style.ICL, linewidth=2, zorder=0, label="integrated")
    for fit in range(initial.sizes["regime"]):
        low, high = initial.fit_range.values[fit]
        ax.axvspan(low, high, color=style.NEUTRAL, alpha=0.12, linewidth=0)
        middle = (low + high) / 2
        ax.annotate(
            f"slope {float(initial.slope[fit]):.3f}".replace("-", "−"),
            (middle, np.interp(middle, beta0, t_icl)),
            xytext=(0, 22) if middle > 0 else (4, 4),
            textcoords="offset points",
            ha="center" if middle > 0 else "left",
        )
    ax.set_ylim(t_icl.min() / 3, t_icl.max() * 3)
    ax.set_xlim(beta0[0], beta0[-1])
    ax.set_xlabel("initial strength $\\beta_0$")
    ax.set_ylabel("$t_{\\rm ICL}/N$")
    ax.legend(loc="lower left")


def _draw_histogram(ax, initial: xr.Dataset, n: int) -> None:
    edges = np.append(initial.bin_left.values, initial.bin_right.values[-1]) / n
    ax.stairs(initial.density.values * n, edges, fill=True, color=style.ICL, alpha=0.55)
    mean, sd = float(initial.log_normal_mean) - np.log(n), float(initial.log_normal_sd)
    time = np.linspace(edges[0], edges[-1], 500)[1:]
    density = np.exp(-(((np.log(time) - mean) / sd) ** 2) / 2) / (time * sd * np.sqrt(2 * np.pi))
    ax.plot(time, density, color=style.FIT, label="log-normal")
    sample = initial.t_icl_sample.values / n
    for value, name, line in ((np.median(sample), "median", "-"), (sample.mean(), "mean", "--")):
        ax.axvline(value, color=style.GAP, linewidth=1, linestyle=line, label=f"{name} {value:.2f}")
    beyond = (sample > edges[-1]).mean()
    ax.set_xlim(0, edges[-1])
    ax.set_ylim(bottom=0)
    ax.set(xlabel="$t_{\\rm ICL}/N$", ylabel="density over seeds")
    ax.legend(loc="upper right", title=f"{beyond:.1%} lie beyond")
