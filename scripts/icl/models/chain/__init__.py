"""The chain: the one-layer transformer less all that its ICL does without (docs/beyond.md)."""

from icl.job import Job
from icl.models.architecture import Architecture, Size


def _size(job: Job) -> Size:
    width, d, length = job.model.item_dim + 2, job.model.hidden_dim, job.context_length
    attention = 2 * width**2 + 2 * width
    return Size(
        weights=attention + width * d + d**2 + d,
        operations=6 * attention + 8 * length * width,  # the chain itself is of no sequence
        numbers=6 * length * width,
        tables=3,
    )


ARCHITECTURE = Architecture(
    name="chain",
    own_keys=("attend_to",),
    optional_keys=("beta_shift",),
    size=_size,
    has_fast_step=True,
)
