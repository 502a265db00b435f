"""Jobs of every model and states far from their start, on which fast steps are tried."""

from dataclasses import replace

import torch
from icl.job import (
    Evaluation,
    EvaluationSequences,
    Job,
    Model,
    Normal,
    Optimiser,
    Stop,
    Task,
    WeightDecay,
)
from icl.models.loading import network
from icl.task import draws
from icl.task.streams import Purpose

ONE_LAYER = {
    f"{attend_to}-{'affine' if affine else 'plain'}": Model("one_layer", 13, 24, attend_to, affine)
    for attend_to in ("context", "context_and_self")
    for affine in (False, True)
}
MODEL = {
    **ONE_LAYER,
    "minimal": Model("minimal", 13, 24, initial_beta=Normal(0.5, 0.5), initial_w=Normal(0.2, 0.2)),
    **{f"two_layer-{name}": replace(model, name="two_layer") for name, model in ONE_LAYER.items()},
    "whole-vectors": Model("one_layer", 15, 16, "context", False),
    "mlp-raw": Model("mlp", 13, 24, mlp_input="raw"),
    "mlp-normalised": Model("mlp", 13, 24, mlp_input="normalised"),
    "multi_head-context": Model("multi_head", 13, 24, "context", heads=2),
    "multi_head-context_and_self": Model("multi_head", 13, 24, "context_and_self", heads=3),
    "chain-context": Model("chain", 13, 24, "context"),
    "chain-context_and_self": Model("chain", 13, 24, "context_and_self"),
}


def make_job(model, n_seeds, context_length=10, rate=0.1):
    of_mlp = None if model.startswith("mlp") else 0.7 * rate
    return Job(
        model=MODEL[model],
        task=Task("random", 64),
        optimiser=Optimiser(rate, 32, WeightDecay(3e-3, 1e-3, beta=1e-2, w=2e-2), of_mlp),
        evaluation=Evaluation("linear", 20, None, EvaluationSequences(300, 100, 100), 100),
        stop=Stop("never", None, None, None),
        steps=200,
        context_length=context_length,
        n_items=64,
        seeds=tuple(range(7, 7 + n_seeds)),
    )


def make_state(job):
    """Parameters far from their start (no zero bias, no unit gain), a dataset and a batch."""
    seeds = torch.tensor(job.seeds)
    generator = torch.Generator().manual_seed(1)
    # Of two layers the second takes what the first makes larger.
    scale, noise = (1, 0.1) if job.model.name == "two_layer" else (2, 0.3)
    parameters = {
        name: scale * p + noise * torch.randn(p.shape, generator=generator)
        for name, p in network(job.model.name).initialise(seeds, job.model).items()
    }
    dataset = draws.training_dataset(seeds, job.n_items, job.model.item_dim, job.task)
    sizes = (job.optimiser.batch_size, job.context_length, job.n_items)
    sequences = draws.draw_sequences(seeds, Purpose.TRAINING, 3, *sizes)
    return parameters, dataset, sequences
