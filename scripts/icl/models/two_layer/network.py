"""The two-layer transformer of Figure A.5: attention, MLP, attention, MLP.

Tokens are normalised once, as in the one-layer model. Causal attention with a residual acts on all
tokens; an MLP of width d replaces each of them (no residual); a second attention acts for the
target alone, whose logit is all that is read.
"""

import torch

from icl.job import Model
from icl.models.layers import (
    MLP,
    Parameters,
    identity_affine,
    initialise_linear,
    linear,
    look_up,
    mlp,
    mlp_outputs,
    mlp_shapes,
)
from icl.models.one_layer.network import Tables, embed
from icl.task.draws import Sequences

__all__ = ["GROUPS", "embed", "initialise", "logits"]

TOKEN_MLP = "token_"  # prefix of the MLP between the layers
SQUARES = ("query1", "key1", "value1", "query2", "key2", "value2")
GROUPS = {
    **dict.fromkeys((*SQUARES, "gain", "bias"), "attention"),
    **dict.fromkeys((*(TOKEN_MLP + name for name in MLP), *MLP), "mlp"),
}


def initialise(seeds: torch.Tensor, model: Model) -> Parameters:
    """Draw the parameters: nn.Linear's default for all matrices, an identity affine."""
    width = model.item_dim + 2
    shapes = dict.fromkeys(SQUARES[:3], (width, width))
    shapes |= mlp_shapes(width, model.hidden_dim, n_out=width, prefix=TOKEN_MLP)
    shapes |= dict.fromkeys(SQUARES[3:], (width, width))
    shapes |= mlp_shapes(width, model.hidden_dim)
    return initialise_linear(seeds, shapes) | identity_affine(seeds, model)


def _forbidden(n_tokens: int, model: Model, device: torch.device) -> torch.Tensor:
    """Return which token (row) may not attend to which (column): those after it.

    A context token attends to itself, for the first has nothing else; `attend_to` is about the
    target.
    """
    after = torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=device).triu(1)
    if model.attend_to == "context":
        after[-1, -1].fill_(True)  # not an assignment, which copies from the CPU
    return after  # (N+1, N+1)


def _attention(
    parameters: Parameters, layer: int, tokens: torch.Tensor, forbidden: torch.Tensor
) -> torch.Tensor:
    """Apply attention with its residual for the last M tokens: (R, B, N+1, E) -> (R, B, M, E).

    `forbidden` is (M, N+1).
    """
    query, key, value = (parameters[f"{name}{layer}"] for name in ("query", "key", "value"))
    attending = tokens[:, :, -len(forbidden) :]  # (R, B, M, E)
    asked = linear(linear(attending.flatten(1, 2), query), key.mT).view_as(attending)  # K^T Q t'_i
    scores = torch.einsum("rbie,rbje->rbij", asked, tokens)
    weights = scores.masked_fill(forbidden, -torch.inf).softmax(dim=-1)
    read = torch.einsum("rbij,rbje->rbie", weights, tokens)
    return attending + linear(read.flatten(1, 2), value).view_as(attending)


def logits(
    parameters: Parameters, tables: Tables, sequences: Sequences, model: Model
) -> torch.Tensor:
    """Compute the logit of each sequence: (R, B)."""
    context = look_up(tables.labelled, sequences.context)
    target = look_up(tables.unlabelled, sequences.target)
    tokens = torch.cat((context, target[:, :, None]), dim=2)  # (R, B, N+1, E)
    if model.layernorm_affine:
        gain, bias = parameters["gain"], parameters["bias"]
        tokens = gain[:, None, None] * tokens + bias[:, None, None]
    forbidden = _forbidden(tokens.shape[2], model, tokens.device)
    tokens = _attention(parameters, 1, tokens, forbidden)
    tokens = mlp_outputs(parameters, tokens.flatten(1, 2), TOKEN_MLP).view_as(tokens)
    target = _attention(parameters, 2, tokens, forbidden[-1:])
    return mlp(parameters, target.squeeze(2))
