"""Panel d of Figure 6: the ICL loss against the IWL loss after acquisition, with equation 16."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

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
    for mask, colour, size in (
        (between, style.NEUTRAL, 1.2),
        (found.acquired, style.ICL, 2.2),
        (found.faded, style.IWL, 2.2),
    ):
        x, y = (_thinned(loss[mask & (icl > 0) & (iwl > 0)]) for loss in (icl, iwl))
        axes.plot(x, y, "o", ms=size, mew=0, alpha=0.6, color=colour)
    _law(axes, options["small_loss"], "" if found.faded.any() else ": no run")
    axes.set(xscale="log", yscale="log", xlabel="ICL loss (nat)", ylabel="IWL loss (nat)")


def _thinned(values: np.ndarray) -> np.ndarray:
    return values[:: -(-len(values) // MOST_POINTS)] if len(values) else values


def _law(axes: Axes, small: float, none_faded: str) -> None:
    """Draw eq. 16 where its loss is small, and what it approximates up to where both are one.

    Each branch is named below, or left of, its end of small loss, where no run is.
    """
    drawn = [np.asarray(line.get_xydata()) for line in axes.get_lines()]
    lowest = [points.min() for points in drawn if points.size]
    low = min([small / 10, 1e-3, *lowest]) / 1.5
    loss = np.geomspace(low, small, 100)
    acquired = transience.iwl_loss_after_acquisition(loss)
    axes.plot(loss, acquired, color=style.FIT)
    axes.plot(transience.icl_loss_after_fading(loss), loss, color=style.FIT)
    whole = np.geomspace(low, np.log(2), 200)
    other = transience.other_loss_of_signed_logit(whole)
    for x, y in ((whole, other), (other, whole)):
        axes.plot(x, y, color=style.ALTERNATIVE_FIT, lw=0.9, ls="--")
    axes.set(xlim=(low, 40), ylim=(low, 40))
    style.label(axes, "equation 16", (low, acquired[0]), offset=(4, 9))
    here = (loss[40], acquired[40])
    style.label(axes, "ICL acquired", here, style.ICL, (0, -12), va="top")
    here = (other[110], whole[110])
    style.label(axes, f"ICL faded{none_faded}", here, style.IWL, (-8, 0), ha="right")
    style.corner(axes, "dashed: its premises,\nany loss", 0.03, 0.04, style.ALTERNATIVE_FIT)
