"""The one-layer transformer of eq. 1.

A token is an item with its one-hot label, E = D + 2 numbers, normalised (LayerNorm). Two facts make
it cheap. Only the target's logit is read, so attention is one row, not a matrix. And LayerNorm acts
on a token alone, so each item's token is normalised once per dataset, in a table, and a sequence is
looked up in it; a learnable affine t' = gain * t + bias folds into the query and into the weighted
sum, so that the table stays:

    t'_j . q = t_j . (gain * q) + bias . q       (the second term drops out of the softmax)
    sum_j a_j t'_j = gain * sum_j a_j t_j + bias (the weights a_j sum to 1)
"""

from dataclasses import dataclass
from itertools import product

import torch
from torch.nn import functional

from icl.job import Model
from icl.models.layers import (
    MLP,
    Parameters,
    identity_affine,
    initialise_linear,
    linear,
    look_up,
    mlp,
    mlp_shapes,
)
from icl.task.draws import Dataset, Sequences

LAYERNORM_EPSILON = 1e-5  # as in PyTorch's nn.LayerNorm
SEQUENCES_IN_FLOAT64 = 32  # at once, whose tokens the order parameters gather

GROUPS = {
    **dict.fromkeys(("query", "key", "value", "gain", "bias"), "attention"),
    **dict.fromkeys(MLP, "mlp"),
}


@dataclass(frozen=True)
class Tables:
    """Normalised tokens of a dataset's items."""

    labelled: torch.Tensor  # (R, K, E), items with their labels: those of a context
    unlabelled: torch.Tensor  # (R, K, E), items with an empty label: targets
    labels: torch.Tensor  # (R, K), +1 or -1

    def select(self, rows: torch.Tensor) -> "Tables":
        """Keep the replicates in rows."""
        return Tables(self.labelled[rows], self.unlabelled[rows], self.labels[rows])


def initialise(seeds: torch.Tensor, model: Model) -> Parameters:
    """Draw the parameters: nn.Linear's default for all matrices, an identity affine."""
    width = model.item_dim + 2
    shapes = dict.fromkeys(("query", "key", "value"), (width, width))
    shapes |= mlp_shapes(width, model.hidden_dim)
    drawn = initialise_linear(seeds, shapes) | identity_affine(seeds, model)
    return shifted(drawn, model) if model.beta_shift else drawn


def shifted(parameters: Parameters, model: Model) -> Parameters:
    """Raise beta, the mean of the diagonal of K^T Q on items, by `beta_shift`.

    To Q a multiple of K is added, so that K^T Q gains that multiple of K^T K. Of nn.Linear's K this
    is a number times the identity, and noise that is smaller in each element by about sqrt(E).
    """
    key = parameters["key"]
    on_items = key[:, :, : model.item_dim].square().sum(1).mean(1)  # of the diagonal of K^T K, (R,)
    multiple = (model.beta_shift / on_items)[:, None, None]
    return {**parameters, "query": parameters["query"] + multiple * key}


def normalise(tokens: torch.Tensor) -> torch.Tensor:
    """Apply LayerNorm without its affine."""
    return functional.layer_norm(tokens, tokens.shape[-1:], eps=LAYERNORM_EPSILON)


def embed(dataset: Dataset) -> Tables:
    """Normalise every item's token, with and without its label ((1, 0) meaning +1)."""
    items, labels = dataset.items, dataset.labels
    one_hot = torch.stack((labels > 0, labels < 0), dim=-1).to(items.dtype)
    labelled = torch.cat((items, one_hot), dim=-1)  # (R, K, E)
    unlabelled = torch.cat((items, torch.zeros_like(one_hot)), dim=-1)  # (R, K, E)
    return Tables(normalise(labelled), normalise(unlabelled), labels)


def attend(
    parameters: Parameters, context: torch.Tensor, target: torch.Tensor, model: Model
) -> tuple[torch.Tensor, torch.Tensor]:
    """Compute the tokens that a target attends to, (R, B, n, E), and their weights, (R, B, n).

    Tokens of the context (R, B, N, E) and of the target (R, B, E) are those before the affine, and
    so are those returned. n is N, or N + 1 where the target attends to itself.
    """
    p = parameters
    gain = p["gain"][:, None, :] if model.layernorm_affine else 1.0
    bias = p["bias"][:, None, :] if model.layernorm_affine else 0.0
    query = torch.bmm(linear(gain * target + bias, p["query"]), p["key"])  # K^T Q t'_{N+1}
    attended = context
    if model.attend_to == "context_and_self":
        attended = torch.cat((context, target[:, :, None, :]), dim=2)
    scores = torch.einsum("rbne,rbe->rbn", attended, gain * query)
    return attended, scores.softmax(dim=-1)


def attention(
    parameters: Parameters, context: torch.Tensor, target: torch.Tensor, model: Model
) -> torch.Tensor:
    """Compute u of eq. 1, (R, B, E): the target's token plus what its attention reads."""
    p = parameters
    gain = p["gain"][:, None, :] if model.layernorm_affine else 1.0
    bias = p["bias"][:, None, :] if model.layernorm_affine else 0.0
    attended, weights = attend(p, context, target, model)
    read = torch.einsum("rbn,rbne->rbe", weights, attended)
    return gain * target + bias + linear(gain * read + bias, p["value"])


def logits(
    parameters: Parameters, tables: Tables, sequences: Sequences, model: Model
) -> torch.Tensor:
    """Compute the logit phi(u) of each sequence: (R, B)."""
    context = look_up(tables.labelled, sequences.context)
    target = look_up(tables.unlabelled, sequences.target)
    return mlp(parameters, attention(parameters, context, target, model))


def replacements(
    parameters: Parameters, key_query: torch.Tensor, beta: torch.Tensor, item_dim: int
) -> dict[str, Parameters]:
    """Put a part of K^T Q or of V in the place of the whole: metric -> parameters.

    - `icl_of_beta`: K^T Q is beta times the identity on items, and 0 elsewhere.
    - `icl_without_beta`: K^T Q less that.
    - `icl_of_label`: V of rank one; it answers to the difference of a token's two label components
      as V does, and to all else with 0.
    - `icl_of_both`: that V with that beta.
    - `icl_of_w`: eq. 2's V to the letter, w times the identity on labels, and 0 elsewhere.

    Args:
        key_query: K^T Q, (R, E, E); beta: (R,).
    """
    width = key_query.shape[-1]
    identity = torch.eye(width, dtype=key_query.dtype, device=key_query.device)
    on_items = identity.clone()
    on_items[item_dim:] = 0
    of_beta = beta[:, None, None] * on_items
    difference = identity[item_dim] - identity[item_dim + 1]  # (E,)
    answer = parameters["value"] @ difference / 2  # (R, E)
    w = parameters["value"].diagonal(dim1=1, dim2=2)[:, item_dim:].mean(1)
    scalar = {"query": of_beta, "key": identity.expand_as(key_query)}
    label = {"value": answer[:, :, None] * difference}
    return {
        "icl_of_beta": {**parameters, **scalar},
        "icl_without_beta": {**parameters, **scalar, "query": key_query - of_beta},
        "icl_of_label": {**parameters, **label},
        "icl_of_both": {**parameters, **scalar, **label},
        "icl_of_w": {**parameters, "value": w[:, None, None] * (identity - on_items)},
    }


def substituted(
    parameters: Parameters, tables: Tables, sequences: Sequences, model: Model
) -> dict[str, torch.Tensor]:
    """Measure ICL accuracy with a part replaced: word of `substitutions` -> (R,) float64.

    - `uniform`: every attention weight is 1 / n, as of a Q that is 0.
    - `vote`: the answer is the sign of sum_j a_j l_j over the context, l_j = +-1 the labels.
    """
    p = {name: value.double() for name, value in parameters.items()}
    labels = tables.labels.gather(1, sequences.target)
    margins: dict[str, list[torch.Tensor]] = {"uniform": [], "vote": []}
    parts = (x.split(SEQUENCES_IN_FLOAT64, dim=1) for x in (sequences.context, sequences.target))
    for rows, last in zip(*parts, strict=True):
        context = look_up(tables.labelled, rows).double()
        target = look_up(tables.unlabelled, last).double()
        u = attention({**p, "query": torch.zeros_like(p["query"])}, context, target, model)
        margins["uniform"].append(mlp(p, u))
        weights = attend(p, context, target, model)[1][..., : rows.shape[-1]]
        of_context = tables.labels.gather(1, rows.flatten(1)).view(rows.shape)
        margins["vote"].append((weights * of_context).sum(-1))
    return {
        word: (labels * torch.cat(found, dim=1) > 0).double().mean(1)
        for word, found in margins.items()
    }


def order_parameters(
    parameters: Parameters, tables: Tables, sequences: Sequences, model: Model
) -> dict[str, torch.Tensor]:
    """Fit the attention by eq. 2: each metric (R,) float64.

    The item block of K^T Q is fitted by beta I and the label block of V by w I, which in least
    squares is the mean of its diagonal: labels are one-hot, so that w I stands for eq. 2's scalar.
    How far one number is enough is measured on scores t'_j . K^T Q t'_target of sequences of novel
    items, less their mean over the context, which the softmax does not see.

    How far each part does the work is measured by putting it in the place of the whole: ICL
    accuracy, on the same sequences, of the model with a part of K^T Q or of V (`replacements`).
    """
    p = {name: value.double() for name, value in parameters.items()}
    dim = model.item_dim
    key_query = p["key"].mT @ p["query"]  # K^T Q, (R, E, E)
    beta = key_query[:, :dim, :dim].diagonal(dim1=1, dim2=2).mean(1)
    block = p["value"][:, dim:, dim:]  # (R, 2, 2), to and from the components of +1 and -1
    item_overlap = (tables.labelled[..., :dim] * tables.unlabelled[..., :dim]).double().sum(-1)
    n_sequences = sequences.target.shape[1]
    sums: dict[str, torch.Tensor] = {}
    replaced = replacements(p, key_query, beta, dim)
    labels = tables.labels.gather(1, sequences.target)
    for first in range(0, n_sequences, SEQUENCES_IN_FLOAT64):
        part = slice(first, first + SEQUENCES_IN_FLOAT64)
        context = look_up(tables.labelled, sequences.context[:, part]).double()
        target = look_up(tables.unlabelled, sequences.target[:, part]).double()
        of_part = {
            name: (labels[:, part] * mlp(q, attention(q, context, target, model)) > 0)
            .double()
            .sum(1)
            for name, q in replaced.items()
        }
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
        of_part |= {
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
        "item_overlap": item_overlap.mean(1),
        # NaN where the context is one token, so that its score differs from no other.
        "score_r2": 1 - sums["residual"] / sums["total"],
        "score_correlation": sums["product"] / (sums["total"] * sums["overlap"]).sqrt(),
    }
    fitted |= {name: sums[name] / n_sequences for name in replaced}
    pairs = product(range(2), repeat=2)
    fitted |= {f"value_label_{'pm'[i]}{'pm'[j]}": block[:, i, j] for i, j in pairs}
    if model.attend_to == "context_and_self":
        fitted["self_weight"] = sums["self_weight"]
    return fitted
