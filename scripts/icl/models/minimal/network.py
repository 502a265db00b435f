"""The minimal model of eq. 3 and 17: a head of two scalars beside an MLP, their logits added.

    z = phi(x_{N+1}) + w sum_j softmax_j(beta x_j . x_{N+1}) l_j,    l_j = +-1

Items are raw: no LayerNorm. The sum runs over the context alone.
"""

import torch

from icl.job import Model, Normal
from icl.models.layers import MLP, Parameters, initialise_linear, look_up, mlp_shapes
from icl.models.mlp.network import embed, item_logits
from icl.task import streams
from icl.task.draws import Dataset, Sequences
from icl.task.streams import Purpose

__all__ = ["GROUPS", "embed", "initialise", "item_logits", "logits", "order_parameters"]

GROUPS = {"beta": "beta", "w": "w", **dict.fromkeys(MLP, "mlp")}


def initialise(seeds: torch.Tensor, model: Model) -> Parameters:
    """Draw the parameters: beta0 and w0 normal over seeds, nn.Linear's default for the MLP."""

    def scalar(purpose: Purpose, over_seeds: Normal | None) -> torch.Tensor:
        assert over_seeds is not None  # the configuration of this model has it
        return over_seeds.mean + over_seeds.sd * streams.normal(seeds, purpose, 0, ())

    return {
        "beta": scalar(Purpose.INITIAL_BETA, model.initial_beta),
        "w": scalar(Purpose.INITIAL_W, model.initial_w),
        **initialise_linear(seeds, mlp_shapes(model.item_dim, model.hidden_dim)),
    }


def attention_logits(parameters: Parameters, tables: Dataset, sequences: Sequences) -> torch.Tensor:
    """Compute z_ATT of each sequence: (R, B)."""
    context = look_up(tables.items, sequences.context)  # (R, B, N, D)
    target = look_up(tables.items, sequences.target)  # (R, B, D)
    overlaps = torch.einsum("rbnd,rbd->rbn", context, target)
    weights = (parameters["beta"][:, None, None] * overlaps).softmax(dim=-1)
    labels = tables.labels.gather(1, sequences.context.flatten(1)).view_as(weights)
    return parameters["w"][:, None] * (weights * labels).sum(-1)


def logits(
    parameters: Parameters, tables: Dataset, sequences: Sequences, model: Model
) -> torch.Tensor:
    """Compute the logit z_MLP + z_ATT of each sequence: (R, B)."""
    z_mlp = item_logits(parameters, tables, sequences.target, model)
    return z_mlp + attention_logits(parameters, tables, sequences)


def order_parameters(
    parameters: Parameters, tables: Dataset, sequences: Sequences, model: Model
) -> dict[str, torch.Tensor]:
    """Return beta and w: (R,) float64 each."""
    return {name: parameters[name].double() for name in ("beta", "w")}
