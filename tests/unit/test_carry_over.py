"""Figure B.10: each way of training in a panel of its own."""

import numpy as np
import synthetic_outcomes as made
from committed import BEYOND
from icl import claims
from icl.figures import figB10


def judged(name, exponent):
    data = {
        "thresholds": made.thresholds(lengths=(16, 32, 64), exponent=exponent, seeds=12),
        "memorisation": made.memorisation(),
    }
    claim = BEYOND[name]
    claim = {**claim, "options": {**claim["options"], "resamples": 200}}
    return claims.evaluate(claim, name, data, "beyond")


def test_each_panel_has_the_thresholds_of_its_claim():
    verdicts = {
        name: judged(name, exponent)
        for name, exponent in zip(figB10.PANELS, (0.8, 1.2, 1.6), strict=True)
    }
    figure = figB10.draw({}, verdicts)
    for ax, verdict in zip(figure.axes, verdicts.values(), strict=True):
        measured = next(line for line in ax.get_lines() if line.get_marker() == "o")
        rows = verdict.details["by_length"]
        np.testing.assert_allclose(measured.get_ydata(), [row["threshold"] for row in rows])
