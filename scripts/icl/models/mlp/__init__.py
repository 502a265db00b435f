"""The MLP alone, which memorises the labels of items (section 3.6)."""

from icl.job import Job
from icl.models.architecture import Architecture, Size


def _size(job: Job) -> Size:
    width, d = job.model.item_dim + 2, job.model.hidden_dim
    weights = width * d + d**2 + 2 * d
    indices = 6 * job.context_length  # and the random words behind them: 64-bit
    return Size(weights, 6 * weights, 8 * (d + width) + indices, tables=1)


ARCHITECTURE = Architecture(
    name="mlp",
    own_keys=("mlp_input",),
    size=_size,
    reads_context=False,
    measures_items=lambda job: True,
    has_fast_step=True,
    has_gpu_step=True,
)
