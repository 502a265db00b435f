"""Order parameters: what the theory says of a model, read off while it trains."""

import torch

from icl.config import Model
from icl.cost import ITEMS_AT_ONCE
from icl.models.layers import Parameters
from icl.models.one_layer import Tables, look_up
from icl.tasks import Sequences

Measured = dict[str, torch.Tensor]

SEQUENCES_AT_ONCE = 32  # their tokens are gathered in float64


def of_items(
    item_logits, parameters: Parameters, tables, model: Model, probabilities: torch.Tensor | None
) -> Measured:
    """Average over all items: c1, c2 and c3 of eq. 29, 30 and 15; accuracy and loss.

    Args:
        item_logits: the model's.
        parameters: of the model.
        tables: of the dataset.
        model: its configuration.
        probabilities: (K,), how likely each item is in training, where they are not all alike. They
            weigh c1, c2 and c3, which stand for the training loss; accuracy and loss are of items.

    Returns:
        Each metric: (R,) float64.
    """
    n_replicates, n_items = tables.labels.shape
    sums: Measured = {}
    for first in range(0, n_items, ITEMS_AT_ONCE):
        last = min(first + ITEMS_AT_ONCE, n_items)
        index = torch.arange(first, last, device=tables.labels.device).expand(n_replicates, -1)
        logits = item_logits(parameters, tables, index, model)
        phi = (tables.labels[:, first:last] * logits).double()  # phi^+, (R, <= ITEMS_AT_ONCE)
        wrong = torch.sigmoid(-phi)
        weight = 1 / n_items if probabilities is None else probabilities[first:last]
        part = {
            "c1": (weight * wrong).sum(1),
            "squares": (weight * wrong.square()).sum(1),
            "c3": (weight * torch.exp(-phi)).sum(1),
            "item_accuracy": (phi > 0).double().sum(1) / n_items,
            "item_loss": torch.nn.functional.softplus(-phi).sum(1) / n_items,
        }
        sums = {name: sums.get(name, 0.0) + value for name, value in part.items()}
    c1 = sums["c1"]
    # Once c1 is below the smallest number, so are the squares: c2 is 1.
    c2 = 1 - sums.pop("squares") / c1.clamp_min(torch.finfo(c1.dtype).tiny)
    return {"c1": c1, "c2": c2, **sums}


def of_head(parameters: Parameters, tables: Tables, sequences: Sequences, model: Model) -> Measured:
    """Read the one-layer transformer's attention as eq. 2 has it.

    The item block of K^T Q is fitted by beta I and the label block of V by w I, which in least
    squares is the mean of its diagonal: labels are one-hot, so that w I stands for eq. 2's scalar.
    How far one number is enough is measured on scores t'_j . K^T Q t'_target of sequences of novel
    items, less their mean over the context, which the softmax does not see.

    Args:
        parameters: of the model.
        tables: of novel items.
        sequences: on them.
        model: its configuration.

    Returns:
        Each metric: (R,) float64.

    Source:
        Equation 2.
    """
    p = {name: value.double() for name, value in parameters.items()}
    dim = model.item_dim
    key_query = p["key"].mT @ p["query"]  # K^T Q, (R, E, E)
    beta = key_query[:, :dim, :dim].diagonal(dim1=1, dim2=2).mean(1)
    block = p["value"][:, dim:, dim:]  # (R, 2, 2), to and from the components of +1 and -1
    n_sequences = sequences.target.shape[1]
    sums: Measured = {}
    for first in range(0, n_sequences, SEQUENCES_AT_ONCE):
        part = slice(first, first + SEQUENCES_AT_ONCE)
        context = look_up(tables.labelled, sequences.context[:, part]).double()
        target = look_up(tables.unlabelled, sequences.target[:, part]).double()
        if model.layernorm_affine:
            context = p["gain"][:, None, None] * context + p["bias"][:, None, None]
            target = p["gain"][:, None] * target + p["bias"][:, None]
        asked = torch.einsum("ref,rbf->rbe", key_query, target)
        scores = torch.einsum("rbne,rbe->rbn", context, asked)
        own = torch.einsum("rbe,rbe->rb", target, asked)[..., None]
        weights = torch.cat((scores, own), dim=-1).softmax(dim=-1)
        overlaps = torch.einsum("rbne,rbe->rbn", context[..., :dim], target[..., :dim])
        scores = (scores - scores.mean(-1, keepdim=True)).flatten(1)
        overlaps = (overlaps - overlaps.mean(-1, keepdim=True)).flatten(1)
        of_part = {
            "total": scores.square().sum(1),
            "residual": (scores - beta[:, None] * overlaps).square().sum(1),
            "product": (scores * overlaps).sum(1),
            "overlap": overlaps.square().sum(1),
            "self_weight": weights[..., -1].sum(1) / n_sequences,
        }
        sums = {name: sums.get(name, 0.0) + value for name, value in of_part.items()}
    fitted = {
        "beta": beta,
        "w": block.diagonal(dim1=1, dim2=2).mean(1),
        # NaN where the context is one token, so that its score differs from no other.
        "score_r2": 1 - sums["residual"] / sums["total"],
        "score_correlation": sums["product"] / (sums["total"] * sums["overlap"]).sqrt(),
        "value_label_pp": block[:, 0, 0],
        "value_label_pm": block[:, 0, 1],
        "value_label_mp": block[:, 1, 0],
        "value_label_mm": block[:, 1, 1],
    }
    if model.attend_to == "context_and_self":
        fitted["self_weight"] = sums["self_weight"]
    return fitted
