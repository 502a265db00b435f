"""Pieces that the models share; R replicates lead every parameter and every activation."""

from collections.abc import Mapping

import torch

from icl.job import Model
from icl.kernels import products
from icl.task import streams
from icl.task.streams import Purpose

Parameters = dict[str, torch.Tensor]


def initialise_linear(
    seeds: torch.Tensor, shapes: Mapping[str, tuple[int, int]], first_draw: int = 0
) -> Parameters:
    """Initialise linear layers as PyTorch's nn.Linear does: uniform within 1 / sqrt(in).

    Shapes are (out, in) by name; `first_draw` is the number of the first parameter's draw. Returns
    name -> (R, out, in), or (R, out) of a bias: a name that ends with `_bias`.
    """
    parameters = {}
    for draw, (name, (n_out, n_in)) in enumerate(shapes.items(), first_draw):
        shape = (n_out,) if name.endswith("_bias") else (n_out, n_in)
        unit = streams.uniform(seeds, Purpose.INITIALISATION, draw, shape)
        parameters[name] = (2 * unit - 1) / n_in**0.5
    return parameters


def identity_affine(seeds: torch.Tensor, model: Model) -> Parameters:
    """Make LayerNorm's gain and bias, (R, E) each, if the model learns them."""
    shape = len(seeds), model.item_dim + 2
    if not model.layernorm_affine:
        return {}
    return {
        "gain": torch.ones(shape, device=seeds.device),
        "bias": torch.zeros(shape, device=seeds.device),
    }


def look_up(table: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Look rows up in each replicate's table: (R, K, E), (R, ...) -> (R, ..., E)."""
    n_replicates, n_items, width = table.shape
    first_rows = torch.arange(n_replicates, device=table.device) * n_items
    flat = index + first_rows.view(-1, *[1] * (index.ndim - 1))
    rows = table.view(-1, width).index_select(0, flat.flatten())
    return rows.view(*index.shape, width)


MLP = ("hidden1", "hidden1_bias", "hidden2", "hidden2_bias", "readout", "readout_bias")


def mlp_shapes(
    width: int, hidden_dim: int, n_out: int = 1, prefix: str = ""
) -> dict[str, tuple[int, int]]:
    """Shapes of the three-layer MLP, for `initialise_linear`."""
    layers = ((hidden_dim, width), (hidden_dim, hidden_dim), (n_out, hidden_dim))
    # A weight and its bias have the same entry: see `initialise_linear`.
    return {prefix + name: layers[i // 2] for i, name in enumerate(MLP)}


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Apply each replicate's linear layer: x (R, B, in), weight (R, out, in), bias (R, out)."""
    if bias is None:
        return torch.bmm(x, weight.mT)
    return torch.baddbmm(bias[:, None, :], x, weight.mT)


def mlp_outputs(parameters: Parameters, u: torch.Tensor, prefix: str = "") -> torch.Tensor:
    """Apply three linear layers with ReLU between: (R, B, in) -> (R, B, out)."""
    w1, b1, w2, b2, w3, b3 = (parameters[prefix + name] for name in MLP)
    hidden = torch.relu(products.differentiable(u, w1.mT) + b1[:, None, :])
    hidden = torch.relu(products.differentiable(hidden, w2.mT) + b2[:, None, :])
    return linear(hidden, w3, b3)


def mlp(parameters: Parameters, u: torch.Tensor) -> torch.Tensor:
    """Apply the MLP phi of section 3.1, of one output: (R, B, in) -> (R, B)."""
    return mlp_outputs(parameters, u).squeeze(-1)
