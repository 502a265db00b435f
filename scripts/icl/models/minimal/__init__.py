"""The minimal model of eq. 3 and 17."""

from icl.job import Job
from icl.models.architecture import Architecture, Size

SCALARS = {"beta": "query-key strength beta", "w": "value strength w"}
OPERATIONS_PER_LOOKUP = 40  # a number looked up and multiplied by autograd's step, from memory


def _size(job: Job) -> Size:
    width, d, length = job.model.item_dim + 2, job.model.hidden_dim, job.context_length
    mlp = width * d + d**2 + 2 * d
    numbers = 8 * (d + width) + 3 * length * width  # the context's items and their gradient
    numbers += 6 * length  # indices, and the random words behind them: 64-bit
    return Size(mlp, 6 * mlp + OPERATIONS_PER_LOOKUP * length * width, numbers, tables=1)


ARCHITECTURE = Architecture(
    name="minimal",
    own_keys=("initial_beta", "initial_w"),
    size=_size,
    decays=("beta", "w"),
    order_parameters=lambda job: SCALARS,
    measures_items=lambda job: job.evaluation.order_parameters and not job.is_redrawn,
    follows_theory=True,
    has_fast_step=True,
    has_gpu_step=True,
)
