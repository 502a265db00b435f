"""The one-layer transformer of eq. 1 with several heads."""

from icl.job import Job
from icl.models.architecture import Architecture, Size


def _size(job: Job) -> Size:
    width, d, length = job.model.item_dim + 2, job.model.hidden_dim, job.context_length
    heads = job.model.heads
    weights = 3 * heads * width**2 + width * d + d**2 + 2 * d
    numbers = heads * 3 * length * width + 8 * (d + width)
    return Size(weights, 6 * weights + 8 * heads * length * width, numbers, tables=3)


ARCHITECTURE = Architecture(
    name="multi_head", own_keys=("attend_to", "heads"), size=_size, has_fast_step=True
)
