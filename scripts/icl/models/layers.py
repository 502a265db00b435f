"""Pieces that the models share; R replicates lead every parameter and every activation."""

import torch

from icl.task import streams
from icl.task.streams import Purpose

Parameters = dict[str, torch.Tensor]


def initialise_linear(
    seeds: torch.Tensor, shapes: dict[str, tuple[int, ...]], first_draw: int = 0
) -> Parameters:
    """Initialise linear layers as PyTorch's nn.Linear does.

    Returns name -> (R, out, in) or (R, out) float32.

    Args:
        shapes: name -> (out, in) of a weight or (out, in) of the layer a bias belongs to; a bias is
            named `*_bias` and has `out` entries. Both are uniform within 1 / sqrt(in).
        first_draw: number of the first of these parameters' draws.
    """
    parameters = {}
    for draw, (name, (n_out, n_in)) in enumerate(shapes.items(), first_draw):
        shape = (n_out,) if name.endswith("_bias") else (n_out, n_in)
        unit = streams.uniform(seeds, Purpose.INITIALISATION, draw, shape)
        parameters[name] = (2 * unit - 1) / n_in**0.5
    return parameters


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
    hidden = torch.relu(linear(u, w1, b1))
    return linear(torch.relu(linear(hidden, w2, b2)), w3, b3)


def mlp(parameters: Parameters, u: torch.Tensor) -> torch.Tensor:
    """Apply the MLP phi of section 3.1, of one output: (R, B, in) -> (R, B)."""
    return mlp_outputs(parameters, u).squeeze(-1)
