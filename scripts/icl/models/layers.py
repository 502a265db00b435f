"""Pieces that the models share; R replicates lead every parameter and every activation."""

import torch

from icl import streams
from icl.streams import Purpose

Parameters = dict[str, torch.Tensor]


def initialise_linear(seeds: torch.Tensor, shapes: dict[str, tuple[int, ...]]) -> Parameters:
    """Initialise linear layers as PyTorch's nn.Linear does.

    Args:
        seeds: (R,) int64.
        shapes: name -> (out, in) of a weight or (out, in) of the layer a bias belongs to; a bias
            is named `*_bias` and has `out` entries. Both are uniform within 1 / sqrt(in).

    Returns:
        name -> (R, out, in) or (R, out) float32.
    """
    parameters = {}
    for draw, (name, (n_out, n_in)) in enumerate(shapes.items()):
        shape = (n_out,) if name.endswith("_bias") else (n_out, n_in)
        unit = streams.uniform(seeds, Purpose.INITIALISATION, draw, shape)
        parameters[name] = (2 * unit - 1) / n_in**0.5
    return parameters


def mlp_shapes(width: int, hidden_dim: int) -> dict[str, tuple[int, int]]:
    """Shapes of the three-layer MLP, for `initialise_linear`."""
    return {
        "hidden1": (hidden_dim, width),
        "hidden1_bias": (hidden_dim, width),
        "hidden2": (hidden_dim, hidden_dim),
        "hidden2_bias": (hidden_dim, hidden_dim),
        "readout": (1, hidden_dim),
        "readout_bias": (1, hidden_dim),
    }


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """Apply each replicate's linear layer: x (R, B, in), weight (R, out, in), bias (R, out)."""
    if bias is None:
        return torch.bmm(x, weight.mT)
    return torch.baddbmm(bias[:, None, :], x, weight.mT)


def mlp(parameters: Parameters, u: torch.Tensor) -> torch.Tensor:
    """Apply the MLP phi of section 3.1, three layers with ReLU between: (R, B, in) -> (R, B)."""
    p = parameters
    hidden = torch.relu(linear(u, p["hidden1"], p["hidden1_bias"]))
    hidden = torch.relu(linear(hidden, p["hidden2"], p["hidden2_bias"]))
    return linear(hidden, p["readout"], p["readout_bias"]).squeeze(-1)
