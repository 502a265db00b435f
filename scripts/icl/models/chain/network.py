"""The chain: attention reads labels, and an MLP without ReLUs passes them on.

    z = 1/4 w3 . W2 W1 V r,    r = (1, -1) rho/2,    rho = sum_j a_j l'_j

a_j is the attention of eq. 1 with its whole K and Q, and l'_j the difference of a normalised
token's two label components. Of V two columns are left, which read those. The MLP acts on no item:
it can memorise nothing, and is linear. A factor 1/2 stands for each of its two ReLUs, which at the
start pass about one half of the units.

All weights start as those of the one-layer transformer of the same seed.
"""

import torch

from icl.job import Model
from icl.kernels import products
from icl.models.layers import Parameters, look_up
from icl.models.one_layer import network as whole
from icl.models.one_layer.network import Tables, embed
from icl.task.draws import Sequences

__all__ = ["GROUPS", "embed", "initialise", "logits"]

LAYERS = ("hidden1", "hidden2", "readout")
GROUPS = {
    **dict.fromkeys(("query", "key", "value"), "attention"),
    **dict.fromkeys(LAYERS, "mlp"),
}
PASSED = 0.5  # of a layer's units, by its ReLU


def initialise(seeds: torch.Tensor, model: Model) -> Parameters:
    """Draw the one-layer transformer's parameters and keep those of the chain."""
    drawn = whole.initialise(seeds, model)
    kept = {name: drawn[name] for name in GROUPS}
    return {**kept, "value": kept["value"][:, :, model.item_dim :].contiguous()}  # (R, E, 2)


def logits(
    parameters: Parameters, tables: Tables, sequences: Sequences, model: Model
) -> torch.Tensor:
    """Compute the logit z of each sequence: (R, B)."""
    p = parameters
    context = look_up(tables.labelled, sequences.context)
    target = look_up(tables.unlabelled, sequences.target)
    attended, weights = whole.attend(p, context, target, model)
    label = attended[..., model.item_dim] - attended[..., model.item_dim + 1]  # l', (R, B, N)
    gain = p["value"] @ p["value"].new_tensor([[0.5], [-0.5]])  # of r's rho, (R, E, 1)
    for name in LAYERS[:-1]:
        gain = products.differentiable(p[name], gain)
    gain = torch.bmm(p["readout"], gain)
    return PASSED ** (len(LAYERS) - 1) * gain[:, 0] * (weights * label).sum(-1)
