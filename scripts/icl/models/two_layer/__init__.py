"""The two-layer transformer of Figure A.5."""

from icl.job import Job
from icl.models.architecture import Architecture, Size


def _size(job: Job) -> Size:
    width, d, tokens = job.model.item_dim + 2, job.model.hidden_dim, job.context_length + 1
    mlp = width * d + d**2 + 2 * d
    token_mlp = 2 * width * d + d**2
    operations = 6 * (tokens * (3 * width**2 + token_mlp) + 3 * width**2 + mlp)
    return Size(
        weights=6 * width**2 + token_mlp + mlp,
        operations=operations + 12 * tokens**2 * width,
        numbers=tokens * (14 * width + 8 * d) + 4 * tokens**2 + 8 * d,
        tables=3,
    )


ARCHITECTURE = Architecture(
    name="two_layer",
    own_keys=("attend_to", "layernorm_affine"),
    size=_size,
    reads_order=True,  # a token attends to those before it
    has_fast_step=True,
)
