"""Measurements: from collected data to the quantities that a claim's criteria judge.

Each takes `data` (a role -> the collected dataset of the experiment that plays it) and the
claim's `options`, and returns a `Measurement`.
"""

from icl.measurements.acquisition import linear_ticl, long_tail
from icl.measurements.theory import exponential_beta0
from icl.measurements.transition import abrupt_acquisition, sharp_transition

STATISTICS = {
    "sharp_transition": sharp_transition,
    "abrupt_acquisition": abrupt_acquisition,
    "linear_ticl": linear_ticl,
    "long_tail": long_tail,
    "exponential_beta0": exponential_beta0,
}
