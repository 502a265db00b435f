"""Order parameters: what the theory says of a model, read off while it trains."""

import torch

from icl.experiment.cost import ITEMS_AT_ONCE
from icl.job import Model
from icl.models.layers import Parameters

Measured = dict[str, torch.Tensor]


def of_items(
    item_logits,
    parameters: Parameters,
    tables,
    model: Model,
    probabilities: torch.Tensor | None,
    n_clean: int,
) -> Measured:
    """Average over all items: c1, c2 and c3 of eq. 29, 30 and 15; accuracy and loss, (R,) each.

    `probabilities` say how likely each labelled item of `tables` is in training; None: all are
    alike. They weigh c1, c2 and c3, which stand for the training loss; accuracy and loss are means
    over the first `n_clean`, the items with their own labels.
    """
    n_replicates, n_items = tables.labels.shape
    sums: Measured = {}
    for first in range(0, n_items, ITEMS_AT_ONCE):
        last = min(first + ITEMS_AT_ONCE, n_items)
        index = torch.arange(first, last, device=tables.labels.device).expand(n_replicates, -1)
        logits = item_logits(parameters, tables, index, model)
        phi = (tables.labels[:, first:last] * logits).double()  # phi^+, (R, <= ITEMS_AT_ONCE)
        wrong = torch.sigmoid(-phi)
        clean = phi[:, : max(n_clean - first, 0)]
        weight = 1 / n_items if probabilities is None else probabilities[first:last]
        part = {
            "c1": (weight * wrong).sum(1),
            "squares": (weight * wrong.square()).sum(1),
            "c3": (weight * torch.exp(-phi)).sum(1),
            "item_accuracy": (clean > 0).double().sum(1) / n_clean,
            "item_loss": torch.nn.functional.softplus(-clean).sum(1) / n_clean,
        }
        sums = {name: sums.get(name, 0.0) + value for name, value in part.items()}
    c1 = sums["c1"]
    # Once c1 is below the smallest number, so are the squares: c2 is 1.
    c2 = 1 - sums.pop("squares") / c1.clamp_min(torch.finfo(c1.dtype).tiny)
    return {"c1": c1, "c2": c2, **sums}
