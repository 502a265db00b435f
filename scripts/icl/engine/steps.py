"""Forward pass and SGD step of a batch of replicates, whichever way is fastest where they run."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from icl.job import Job, Model
from icl.models import MODELS, fast, loading
from icl.models.layers import Parameters
from icl.task.draws import Dataset, Sequences

Step = Callable[[Parameters, object, Sequences], None]
SEQUENCES_OF_PLAIN_PASS = 250  # at once: bounds the memory of a forward pass


def loss_and_gradients(
    job: Job, parameters: Parameters, tables, sequences: Sequences
) -> tuple[torch.Tensor, Parameters]:
    """Compute each replicate's mean loss, and its gradients, by automatic differentiation.

    The losses are summed over replicates before they are differentiated, so that gradients do not
    mix: no replicate's loss depends on another's parameters.

    Returns the losses (R,) and the gradients, shaped as the parameters.
    """
    model = loading.network(job.model.name)
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    labels = tables.labels.gather(1, sequences.target)
    margin = labels * model.logits(leaves, tables, sequences, job.model)
    losses = functional.softplus(-margin).mean(dim=1)  # -log sigma(l z), averaged over B: (R,)
    gradients = torch.autograd.grad(losses.sum(), list(leaves.values()))
    return losses.detach(), dict(zip(leaves, gradients, strict=True))


def autograd_step(job: Job) -> Step:
    """Make the step that runs everywhere: gradients by autograd, then plain SGD."""
    groups = loading.network(job.model.name).GROUPS
    rate, decay = job.optimiser.learning_rate, job.optimiser.weight_decay

    def step(parameters: Parameters, tables, sequences: Sequences) -> None:
        _, gradients = loss_and_gradients(job, parameters, tables, sequences)
        for name, parameter in parameters.items():
            parameter.mul_(1 - rate * decay.of(groups[name]))
            parameter.add_(gradients[name], alpha=-rate)

    return step


def in_parts(logits: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Make a forward pass over any number of sequences, some at once."""

    def of_all(parameters: Parameters, tables, sequences: Sequences, model: Model) -> torch.Tensor:
        parts = zip(
            sequences.context.split(SEQUENCES_OF_PLAIN_PASS, dim=1),
            sequences.target.split(SEQUENCES_OF_PLAIN_PASS, dim=1),
            strict=True,
        )
        found = [logits(parameters, tables, Sequences(*part), model) for part in parts]
        return torch.cat(found, dim=1)

    return of_all


@dataclass(frozen=True)
class Arithmetic:
    """The functions that compute a job on its device.

    Attributes:
        embed: dataset -> tables, as the model's own `embed`.
        step: one step of SGD, in place.
        logits: the forward pass, as the model's own `logits`, on any number of sequences.
        item_logits: as the model's own, if it has any.
        redraw: (seeds, step) -> tables of `draws.redrawn_dataset`, good until the next are drawn;
            None: embed that dataset.
        unpack: tables -> those of the model's own `embed`.
    """

    embed: Callable[[Dataset], object]
    step: Step
    logits: Callable[..., torch.Tensor]
    item_logits: Callable[..., torch.Tensor] | None
    redraw: Callable[[torch.Tensor, int], object] | None = None
    unpack: Callable[[object], object] = lambda tables: tables


def plain(job: Job) -> Arithmetic:
    """Compute by the model's own forward pass and autograd: every model, every device."""
    model = loading.network(job.model.name)
    logits = in_parts(model.logits)
    return Arithmetic(model.embed, autograd_step(job), logits, getattr(model, "item_logits", None))


def _fast(job: Job) -> Arithmetic:
    """Compute by compiled loops and hand-written gradients, on a CPU."""
    code = loading.fast(job.model.name)
    parts = fast.InParts(partial(code.Step, job))

    def item_logits(parameters: Parameters, tables, index: torch.Tensor, model: Model):
        return of_items(parameters, tables, Sequences(index[..., None], index.contiguous()), model)

    of_items = None
    if hasattr(code, "ItemStep"):
        of_items = fast.InParts(partial(code.ItemStep, job))
    return Arithmetic(
        embed=partial(fast.embed, pack=code.pack),
        step=parts.train,
        logits=parts,
        item_logits=item_logits if of_items else None,
        redraw=fast.Redraw(job, code.pack),
        unpack=partial(code.unpack, item_dim=job.model.item_dim),
    )


def choose(job: Job, device: torch.device) -> Arithmetic:
    """Choose the fastest arithmetic for a job on a device."""
    fused_here = device.type == "cpu" and MODELS[job.model.name].has_fast_step
    return _fast(job) if fused_here else plain(job)
