"""Panel d of Figure 6: the ICL loss against the IWL loss after acquisition, with equation 16."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from icl import text
from icl.figures import style
from icl.measurements import losses
from icl.measurements.base import sorted_runs, undiverged
from icl.theory import transience
from icl.verdicts import Verdict

MOST_POINTS = 1500  # of one kind: more only thicken the file


def draw_panel(axes: Axes, data: dict[str, xr.Dataset], verdicts: dict[str, Verdict]) -> None:
    """Draw every evaluation after acquisition, and equation 16 on its two branches."""
    verdict = verdicts["loss_relation"]
    options = verdict.options
    runs = undiverged(sorted_runs(data["loss"]))
    found = losses.branches(runs, options)
    icl, iwl = runs["icl_loss"].values, runs["iwl_loss"].values
    between = found.after & ~found.acquired & ~found.faded
    for mask, colour, label, size in (
        (between, "0.75", "between", 1.6),
        (found.acquired, style.ICL, "ICL acquired, its loss small", 2.4),
        (found.faded, style.IWL, "ICL faded, IWL loss small", 2.4),
    ):
        x, y = (_thinned(loss[mask & (icl > 0) & (iwl > 0)]) for loss in (icl, iwl))
        if len(x):
            axes.plot(x, y, "o", ms=size, mew=0, alpha=0.5, color=colour, label=label)
    _law(axes, options["small_loss"])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("ICL loss (nat)")
    axes.set_ylabel("IWL loss (nat)")
    axes.legend(loc="lower left", handletextpad=0.4, borderaxespad=0.2)
    style.measured(axes, "\n".join(_quoted(verdict)))


def _thinned(values: np.ndarray) -> np.ndarray:
    return values[:: -(-len(values) // MOST_POINTS)] if len(values) else values


def _law(axes: Axes, small: float) -> None:
    """Draw eq. 16 where its loss is small, and what it approximates up to where both are one."""
    lowest = [np.min(line.get_xydata()) for line in axes.get_lines()]
    low = min([small / 10, 1e-3, *lowest]) / 1.5
    loss = np.geomspace(low, small, 100)
    axes.plot(loss, transience.iwl_loss_after_acquisition(loss), color=style.FIT, label="eq. 16")
    axes.plot(transience.icl_loss_after_fading(loss), loss, color=style.FIT)
    whole = np.geomspace(low, np.log(2), 200)
    other = transience.other_loss_of_signed_logit(whole)
    for x, y, label in ((whole, other, "its premises, any loss"), (other, whole, None)):
        axes.plot(x, y, color=style.ALTERNATIVE_FIT, lw=0.9, ls="--", label=label)
    axes.set_xlim(low, 12)
    axes.set_ylim(low, 12)


def _quoted(verdict: Verdict) -> list[str]:
    return [
        f"loss / eq. 16, ICL {name}: {text.estimate_text(verdict.estimate(f'ratio_{name}'))}"
        for name in ("acquired", "faded")
    ]
