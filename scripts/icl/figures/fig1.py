"""Figure 1: two ways in which more items favour ICL, drawn from the theory's ODEs."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from icl import text
from icl.figures import style
from icl.verdicts import Verdict

ROWS = (
    ("c1", "MLP's $c_1=\\langle\\sigma(-\\phi^+)\\rangle$", (0, 0.54)),
    ("iwl_accuracy", "IWL accuracy", (0.44, 1.04)),
    ("icl_accuracy", "ICL accuracy", (0.44, 1.04)),
)


def draw(data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> Figure:
    """Draw c1, IWL and ICL against time for the two mechanisms."""
    kinetics = data["kinetics"].isel(time=slice(1, None))  # time 0 has no place on a log axis
    colours = style.sequence_colours(kinetics.sizes["n_items"])
    figure, axes = style.new_figure(
        2, 4.7, len(ROWS), kinetics.sizes["mechanism"], sharex=True, sharey="row"
    )
    for column, mechanism in enumerate(kinetics.mechanism.values):
        chosen = kinetics.sel(mechanism=mechanism)
        for row, (name, axis_label, limits) in enumerate(ROWS):
            ax = axes[row, column]
            for colour, n_items in zip(colours, chosen.n_items.values, strict=True):
                curve = chosen.sel(n_items=n_items)
                limit = float(curve.i_infinity)
                limit_text = text.count_text(limit) if np.isfinite(limit) else "infinite"
                label = f"K = {text.power_text(n_items)}: {limit_text}"
                ax.plot(curve.time, curve[name], color=colour, label=label)
            ax.axvline(float(kinetics.t_icl), color=style.NEUTRAL, linewidth=0.8, linestyle=":")
            ax.set_ylim(*limits)
            if name != "c1":
                ax.axhline(0.5, color=style.NEUTRAL, linewidth=0.6, zorder=0)
            if column == 0:
                ax.set_ylabel(axis_label)
        style.panel_label(axes[0, column], "ab"[column])
        axes[0, column].set_title(f"{mechanism}", fontsize=8)
        axes[2, column].legend(
            title="$I_K(\\infty)$, MLP alone", loc="center", bbox_to_anchor=(0.58, 0.5)
        )
        axes[-1, column].set_xlabel("theory time (learning rate × step)")
    axes[0, 0].set_xscale("log")
    axes[0, 0].set_xlim(*kinetics.time.values[[0, -1]])
    axes[0, 0].annotate(
        f"$t_{{\\rm ICL}}$ = {float(kinetics.t_icl):.0f} (eq. 11)",
        (float(kinetics.t_icl), 0.15),
        xytext=(4, 0),
        textcoords="offset points",
        fontsize=7,
        color=style.NEUTRAL,
    )
    attributes = kinetics.attrs
    style.footer(
        figure,
        f"Flow of eq. 20 with eq. 43: N = {attributes['context_length']},"
        f" $\\beta_0$ = {attributes['beta0']:g}, $\\lambda_w$ = {attributes['weight_decay']:g};"
        f" MLP law of docs/theory.md.  a: room for"
        f" {text.power_text(attributes['critical_n_items'])} items."
        f"  b: $\\nu$ = {attributes['memorisation_exponent']:g}",
    )
    return figure
