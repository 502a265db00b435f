"""The one-layer transformer of eq. 1 with several heads, each with a Q, K and V of its own.

u = t'_{N+1} + sum_h V_h sum_j softmax_j(t'_j . K_h^T Q_h t'_{N+1}) t'_j

With one head it is the model of `one_layer` without its affine, to the bit.
"""

from collections.abc import Iterator

import torch

from icl.job import Model
from icl.models.layers import MLP, Parameters, initialise_linear, look_up, mlp, mlp_shapes
from icl.models.one_layer.network import Tables, attention, embed
from icl.task.draws import Sequences

__all__ = ["GROUPS", "embed", "initialise", "logits", "of_heads"]

SQUARES = ("query", "key", "value")
GROUPS = {**dict.fromkeys(SQUARES, "attention"), **dict.fromkeys(MLP, "mlp")}


def initialise(seeds: torch.Tensor, model: Model) -> Parameters:
    """Draw the parameters: nn.Linear's default, heads one above the other in (R, H E, E)."""
    width = model.item_dim + 2
    shapes = dict.fromkeys(SQUARES, (model.heads * width, width))
    return initialise_linear(seeds, shapes | mlp_shapes(width, model.hidden_dim))


def of_heads(parameters: Parameters, heads: int) -> Iterator[Parameters]:
    """Give each head its parameters, as those of the one-layer model: views of (R, E, E)."""
    for squares in zip(*(parameters[name].chunk(heads, dim=1) for name in SQUARES), strict=True):
        yield {**parameters, **dict(zip(SQUARES, squares, strict=True))}


def logits(
    parameters: Parameters, tables: Tables, sequences: Sequences, model: Model
) -> torch.Tensor:
    """Compute the logit of each sequence: (R, B)."""
    context = look_up(tables.labelled, sequences.context)
    target = look_up(tables.unlabelled, sequences.target)
    first, *others = (
        attention(head, context, target, model) for head in of_heads(parameters, model.heads)
    )
    return mlp(parameters, sum((u - target for u in others), first))
