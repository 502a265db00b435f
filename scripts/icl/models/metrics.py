"""The metrics of a job; free of torch, so that analysis can read them."""

from icl.job import Job
from icl.models import MODELS

# Of every model that reads a context.
METRICS = {
    "icl_accuracy": "accuracy on sequences of novel items",
    "iwl_accuracy": "accuracy on training items without a copy of the target in the context",
    "icl_loss": "binary cross-entropy on sequences of novel items",
    "iwl_loss": "binary cross-entropy on training items without a copy in the context",
    "train_loss": "binary cross-entropy on sequences drawn as in training",
}

# Of an MLP that acts on items by themselves: over all K items, phi^+ its logit signed by the label.
ITEM_METRICS = {
    "c1": "<sigma(-phi+)>, weighted as in training",
    "c2": "1 - <sigma(-phi+)^2> / c1, weighted as in training",
    "c3": "<exp(-phi+)>, weighted as in training",
    "i_k": "I_K(t), twice the integral of c1 over theory time",
    "item_accuracy": "accuracy of the MLP over all items",
    "item_loss": "binary cross-entropy of the MLP over all items",
}


def metrics_of(job: Job) -> dict[str, str]:
    """List the metrics that a job measures at every evaluation: name -> long name."""
    model = MODELS[job.model.name]
    metrics = dict(METRICS) if model.reads_context else {}
    if model.measures_items(job):
        metrics |= ITEM_METRICS
    if job.evaluation.order_parameters and model.order_parameters:
        metrics |= model.order_parameters(job)
    asked = job.evaluation.substitutions
    metrics |= {f"icl_of_{word}": model.substitutions[word] for word in asked}
    return metrics
