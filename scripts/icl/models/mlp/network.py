"""The MLP alone (section 3.6), which memorises the labels of the items that sequences end on.

It takes the item as the minimal model's MLP does (raw), or as the one-layer transformer's does
where attention reads nothing (LayerNorm of the item with an empty label). Contexts are drawn but
not read, so that targets are those of a model that reads them; initial weights are the same too.
"""

import torch
from torch.nn import functional

from icl.job import Model
from icl.models import layers
from icl.models.layers import Parameters
from icl.models.one_layer.network import normalise
from icl.task.draws import Dataset, Sequences

GROUPS = dict.fromkeys(layers.MLP, "mlp")
DRAWS_OF_ATTENTION = 3  # Q, K and V come before the MLP in the one-layer transformer


def initialise(seeds: torch.Tensor, model: Model) -> Parameters:
    """Draw the parameters that the MLP of the minimal model or the transformer would have."""
    raw = model.mlp_input == "raw"
    shapes = layers.mlp_shapes(model.item_dim + (0 if raw else 2), model.hidden_dim)
    return layers.initialise_linear(seeds, shapes, 0 if raw else DRAWS_OF_ATTENTION)


def embed(dataset: Dataset) -> Dataset:
    """Return the dataset: only the few items looked up are normalised."""
    return dataset


def item_logits(
    parameters: Parameters, tables: Dataset, index: torch.Tensor, model: Model
) -> torch.Tensor:
    """Compute the logits of items: index (R, B) -> (R, B)."""
    token = layers.look_up(tables.items, index)
    if model.mlp_input == "normalised":
        token = normalise(functional.pad(token, (0, 2)))  # an empty label
    return layers.mlp(parameters, token)


def logits(
    parameters: Parameters, tables: Dataset, sequences: Sequences, model: Model
) -> torch.Tensor:
    """Compute the logit of each sequence's target: (R, B)."""
    return item_logits(parameters, tables, sequences.target, model)
