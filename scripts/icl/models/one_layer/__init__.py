"""The one-layer transformer of eq. 1."""

from icl.job import Job
from icl.models.architecture import Architecture, Size

# Eq. 2; score: before the softmax, less its mean over the context.
HEAD = {
    "beta": "beta that best fits the item block of K^T Q to beta times the identity",
    "w": "w that best fits the label block of V to w times the identity",
    "item_overlap": "overlap of an item in the context with itself as target, mean over items",
    "icl_of_beta": "ICL accuracy with beta times the identity in the place of K^T Q",
    "icl_without_beta": "ICL accuracy with that part taken out of K^T Q",
    "icl_of_label": "ICL accuracy with V's answer to the label alone in the place of V",
    "icl_of_both": "ICL accuracy with both in the place of the whole",
    "icl_of_w": "ICL accuracy with w times the identity on labels in the place of V",
    "score_r2": "share of the variance of held-out scores that beta x'_j . x'_target explains",
    "score_correlation": "correlation of held-out scores with x'_j . x'_target",
    "value_label_pp": "V's label block: from the component of +1 to that of +1",
    "value_label_pm": "V's label block: from the component of -1 to that of +1",
    "value_label_mp": "V's label block: from the component of +1 to that of -1",
    "value_label_mm": "V's label block: from the component of -1 to that of -1",
}
SELF = {"self_weight": "attention of the target to itself on held-out sequences"}


SUBSTITUTIONS = {
    "uniform": "ICL accuracy with the same attention weight on all that is attended to",
    "vote": "ICL accuracy of the sign of sum_j a_j l_j, without V and without MLP",
}


def _order_parameters(job: Job) -> dict[str, str]:
    return HEAD | (SELF if job.model.attend_to == "context_and_self" else {})


def _size(job: Job) -> Size:
    width, d, length = job.model.item_dim + 2, job.model.hidden_dim, job.context_length
    weights = 3 * width**2 + width * d + d**2 + 2 * d
    gathered = 3 * length * width  # the context's tokens and their gradient
    return Size(weights, 6 * weights + 8 * length * width, gathered + 8 * (d + width), tables=3)


ARCHITECTURE = Architecture(
    name="one_layer",
    own_keys=("attend_to", "layernorm_affine"),
    optional_keys=("beta_shift",),
    size=_size,
    order_parameters=_order_parameters,
    substitutions=SUBSTITUTIONS,
    has_fast_step=True,
    has_gpu_step=True,
)
