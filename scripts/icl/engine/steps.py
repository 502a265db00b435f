"""Forward pass and SGD step of a batch of replicates, whichever way is fastest where they run."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from icl.job import Job, Model
from icl.kernels import products
from icl.models import MODELS, fast, loading
from icl.models.layers import Parameters
from icl.models.sgd import Descent, Descents, of_job
from icl.task import draws
from icl.task.draws import Dataset, Sequences, Tables
from icl.task.streams import Purpose, StepIndex

# (parameters, tables, sequences); the tables are those that the same code embedded.
Step = Callable[[Parameters, Any, Sequences], None]
Logits = Callable[[Parameters, Any, Sequences, Model], Tensor]
ItemLogits = Callable[[Parameters, Any, Tensor, Model], Tensor]
log = logging.getLogger(__name__)

SEQUENCES_OF_PLAIN_PASS = 250  # at once: bounds the memory of a forward pass
TRIAL_ITEMS = 64  # of the dataset on which a card's kernels are tried


def loss_and_gradients(
    job: Job, parameters: Parameters, tables: Tables, sequences: Sequences
) -> tuple[Tensor, Parameters]:
    """Compute each replicate's mean loss (R,) and its gradients by automatic differentiation.

    No replicate's loss depends on another's parameters, so the gradients of the sum of the losses
    are those of each.
    """
    model = loading.network(job.model.name)
    leaves = {name: p.detach().requires_grad_() for name, p in parameters.items()}
    labels = tables.labels.gather(1, sequences.target)
    margin = labels * model.logits(leaves, tables, sequences, job.model)
    losses = functional.softplus(-margin).mean(dim=1)  # -log sigma(l z), averaged over B: (R,)
    gradients = torch.autograd.grad(losses.sum(), list(leaves.values()))
    return losses.detach(), dict(zip(leaves, gradients, strict=True))


def _autograd_step(
    job: Job,
    sgd: Mapping[str, Descent],
    parameters: Parameters,
    tables: Tables,
    sequences: Sequences,
) -> None:
    """Do a step of plain SGD, that of each parameter, with gradients by autograd."""
    _, gradients = loss_and_gradients(job, parameters, tables, sequences)
    for name, parameter in parameters.items():
        sgd[name].add(parameter, gradients[name])


def _in_parts(
    logits: Logits, parameters: Parameters, tables: Tables, sequences: Sequences, model: Model
) -> Tensor:
    """Compute a forward pass, some sequences at once."""
    parts = zip(
        sequences.context.split(SEQUENCES_OF_PLAIN_PASS, dim=1),
        sequences.target.split(SEQUENCES_OF_PLAIN_PASS, dim=1),
        strict=True,
    )
    return torch.cat([logits(parameters, tables, Sequences(*p), model) for p in parts], dim=1)


@dataclass(frozen=True)
class Arithmetic:
    """The functions that compute a job on its device."""

    embed: Callable[[Dataset], Tables]  # as the model's own, but for the form of the tables
    step: Step  # in place
    logits: Logits  # as the model's own, on any number of sequences
    item_logits: ItemLogits | None  # as the model's own, if it has any
    # (seeds, step) -> tables of `draws.redrawn_dataset`, which the next draw overwrites
    redraw: Callable[[Tensor, StepIndex], Tables] | None = None
    unpack: Callable[[Any], Any] = lambda tables: tables  # to those of the model's own `embed`


def _at_precision(job: Job, step: Step) -> Step:
    """Take a step at the job's precision."""

    def rounding(parameters: Parameters, tables: Any, sequences: Sequences) -> None:
        with products.at(job.optimiser.precision):
            step(parameters, tables, sequences)

    return rounding


def plain(job: Job, sgd: Descents | None = None) -> Arithmetic:
    """Compute by the model's own forward pass and autograd: every model, every device.

    Args:
        sgd: the job's own if it is left out.
    """
    model, sgd = loading.network(job.model.name), sgd or of_job(job)
    of_each = {name: sgd(group) for name, group in model.GROUPS.items()}
    return Arithmetic(
        embed=model.embed,
        step=_at_precision(job, partial(_autograd_step, job, of_each)),
        logits=partial(_in_parts, model.logits),
        item_logits=getattr(model, "item_logits", None),
    )


def _fast(job: Job) -> Arithmetic:
    """Compute by compiled loops and hand-written gradients, on a CPU."""
    code = loading.fast(job.model.name)
    parts = fast.InParts(partial(code.Step, job))
    item_logits = None
    if hasattr(code, "ItemStep"):
        of_items = fast.InParts(partial(code.ItemStep, job))

        def item_logits(p: Parameters, tables: fast.Rows, index: Tensor, model: Model) -> Tensor:
            items = Sequences(index[..., None], index.contiguous())
            return of_items(p, tables, items, model)

    return Arithmetic(
        embed=partial(fast.embed, pack=code.pack),
        step=_at_precision(job, parts.train),
        logits=parts,
        item_logits=item_logits,
        redraw=fast.Redraw(job, code.pack),
        unpack=partial(code.unpack, item_dim=job.model.item_dim),
    )


def on_gpu(job: Job, sgd: Descents | None = None) -> Arithmetic:
    """Compute by Triton kernels and hand-written gradients, on a GPU; `sgd` as `plain`'s."""
    from icl.models import gpu  # it needs Triton

    code, model = loading.gpu(job.model.name), loading.network(job.model.name)
    step = code.Step(job, sgd or of_job(job))
    item_logits = None
    if hasattr(model, "item_logits"):

        def item_logits(p: Parameters, tables: Any, index: Tensor, of: Model) -> Tensor:
            return model.item_logits(p, code.unpack(tables), index, of)

    return Arithmetic(
        embed=code.embed,
        step=_at_precision(job, step.step),
        logits=partial(gpu.in_parts, step),
        item_logits=item_logits,
        unpack=code.unpack,
    )


SLIP = 0.01  # of a parameter's move: rounding makes 1e-4 of it, a wrong kernel all


def moves(arithmetic: Arithmetic, job: Job, device: torch.device) -> Parameters:
    """Return how far a step moves each parameter of one replicate, on a small dataset.

    It starts from parameters that are not those of a run: there some have no gradient yet.
    """
    seeds = torch.tensor(job.seeds[:1], device=device)
    start = loading.network(job.model.name).initialise(seeds, job.model)
    generator = torch.Generator().manual_seed(0)
    parameters = {
        name: p + 0.2 * torch.randn(p.shape, generator=generator).to(device)
        for name, p in start.items()
    }
    dataset = draws.training_dataset(seeds, TRIAL_ITEMS, job.model.item_dim, job.task)
    sizes = (job.optimiser.batch_size, job.context_length, TRIAL_ITEMS)
    sequences = draws.draw_sequences(seeds, Purpose.TRAINING, 0, *sizes)
    before = {name: p.clone() for name, p in parameters.items()}
    arithmetic.step(parameters, arithmetic.embed(dataset), sequences)
    return {name: p - before[name] for name, p in parameters.items()}


def agrees_with_autograd(job: Job, device: torch.device) -> bool:
    """Take one step on this card both ways, at a rate of 1, and compare how parameters moved."""
    optimiser = replace(job.optimiser, learning_rate=1.0, mlp_learning_rate=None)
    fast = replace(job, optimiser=optimiser)
    got, expected = (moves(make(fast), fast, device) for make in (on_gpu, plain))
    slips = {
        name: ((got[name] - move).norm() / move.norm().clamp_min(1e-30)).item()
        for name, move in expected.items()
        if move.norm() > 0
    }
    wrong = {name: slip for name, slip in slips.items() if not slip < SLIP}
    if wrong:
        log.warning("the GPU's kernels are not used: they differ from autograd by %s", wrong)
    return not wrong


def way(job: Job, device: torch.device, together: bool = False) -> Callable[..., Arithmetic]:
    """Choose the fastest way to compute a job, alone or together with others, on a device.

    A GPU's kernels are used if, on this very card, they do what automatic differentiation does. On
    a CPU no job has a fast way to train together.
    """
    architecture = MODELS[job.model.name]
    if device.type == "cpu" and architecture.has_fast_step and not together:
        return _fast
    if device.type == "cuda" and architecture.has_gpu_step and find_spec("triton"):
        return on_gpu if agrees_with_autograd(job, device) else plain
    return plain


def choose(job: Job, device: torch.device) -> Arithmetic:
    """Choose the fastest arithmetic for a job on a device."""
    return way(job, device)(job)
