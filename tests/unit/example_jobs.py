"""Small jobs that several tests train, and the settings that they come from."""

import functools
from dataclasses import replace
from math import inf

import numpy as np
import reference_chain
import reference_minimal
import reference_multi_head
import reference_two_layer
from icl.experiment.grid import expand
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
from icl.models.metrics import METRICS
from icl.record import Record, StopReason

DEFAULTS = {
    "model": {
        "name": "one_layer",
        "item_dim": 7,
        "hidden_dim": 16,
        "attend_to": "context",
        "layernorm_affine": False,
    },
    "task": {"item_labels": "random", "redrawn_items": 64},
    "optimiser": {
        "learning_rate": 0.1,
        "batch_size": 16,
        "weight_decay": {"attention": 0.0, "mlp": 0.0},
    },
    "evaluation": {
        "schedule": "linear",
        "every": 10,
        "sequences": {"icl": 50, "iwl": 50, "train": 50},
        "novel_items": 64,
    },
    "stop": {"when": "never"},
    "seeds": {"first": 0, "count": 4},
    "steps": 100,
    "block_size": 2,
}


def experiment(*grid, **settings):
    return {"description": "a test", "grid": list(grid), **settings}


def job(**settings):
    return expand(DEFAULTS, experiment({"context_length": 4, "n_items": 16}, **settings))[0]


def job_and_record(n_items=16, context_length=4, every=10):
    grid = {"context_length": context_length, "n_items": n_items, "evaluation": {"every": every}}
    job = expand(DEFAULTS, experiment(grid))[0]
    steps = np.asarray(job.evaluation.at(job.steps))
    random = np.random.default_rng(n_items if isinstance(n_items, int) else 0)
    metrics = {name: random.random((2, len(steps))) for name in METRICS}
    metrics["icl_accuracy"][1, 3:] = np.nan
    reason = np.asarray([StopReason.LAST_STEP, StopReason.ACQUIRED], dtype=np.int8)
    return job, Record(steps, metrics, np.asarray([100, 2 * every]), reason)


SCALARS = {"initial_beta": Normal(0.1, 0.5), "initial_w": Normal(0.0, 0.0)}
TWO_LAYER = reference_two_layer.logit
CASES = {
    "minimal": (SCALARS, reference_minimal.minimal_logit),
    "mlp-raw": ({"mlp_input": "raw"}, reference_minimal.raw_mlp_logit),
    "mlp-normalised": ({"mlp_input": "normalised"}, reference_minimal.normalised_mlp_logit),
    **{
        f"two_layer-{attend_to}-{'affine' if affine else 'plain'}": (
            {"attend_to": attend_to, "layernorm_affine": affine},
            functools.partial(TWO_LAYER, attend_to=attend_to),
        )
        for attend_to in ("context", "context_and_self")
        for affine in (False, True)
    },
    **{
        f"chain-{attend_to}": (
            {"attend_to": attend_to},
            functools.partial(reference_chain.logit, attend_to=attend_to),
        )
        for attend_to in ("context", "context_and_self")
    },
    **{
        f"multi_head-{heads}": (
            {"attend_to": attend_to, "heads": heads},
            functools.partial(reference_multi_head.logit, attend_to=attend_to, heads=heads),
        )
        for heads, attend_to in ((2, "context"), (3, "context_and_self"))
    },
}


def make_job(case, sizes=(5, 16, 8, 16, 32, 2), **settings):
    item_dim, hidden_dim, length, n_items, batch_size, n_replicates = sizes
    defaults = {
        "model": Model(case.split("-")[0], item_dim, hidden_dim, **CASES[case][0]),
        "task": Task("random", 32),
        "optimiser": Optimiser(0.1, batch_size, WeightDecay(0.0, 0.0)),
        "evaluation": Evaluation("linear", 10, None, EvaluationSequences(50, 50, 50), 32),
        "stop": Stop("never", None, None, None),
        "steps": 20,
        "context_length": length,
        "n_items": n_items,
        "seeds": tuple(range(n_replicates)),
    }
    return Job(**{**defaults, **settings})


TASKS = {
    "standard": (Task("random", 32), 64),
    "balanced": (Task("random", 32, "balanced"), 64),
    "zipf": (Task("random", 32, zipf_exponent=1.0), 64),
    "copies": (Task("random", 32, copies=3), 64),
    "noise": (Task("random", 32, label_noise=0.25), 64),
    "zipf-copies-noise": (Task("random", 32, "random", 1.0, copies=2, label_noise=0.1), 64),
    "infinite-copies": (Task("random", 64, copies=2), inf),
    "infinite": (Task("random", 64), inf),
    "infinite-balanced": (Task("random", 64, "balanced"), inf),
    "sequence": (Task("random", 32, redraw="sequence"), inf),
    "sequence-balanced": (Task("random", 32, "balanced", redraw="sequence"), inf),
}


def with_order_parameters(job):
    return replace(job, evaluation=replace(job.evaluation, order_parameters=True))


def alone(job):
    """A job of the MLP alone, as the configuration makes it: it reads no novel items."""
    return replace(job, evaluation=replace(job.evaluation, novel_items=0))


EVERY = {
    **{case: make_job(case) for case in CASES},
    **{
        f"minimal-{name}": make_job("minimal", task=task, n_items=n_items)
        for name, (task, n_items) in TASKS.items()
    },
}

# Small, and it acquires ICL within 200 steps at K = infinity.
JOB = Job(
    model=Model("one_layer", 13, 32, "context", False),
    task=Task("random", 128),
    optimiser=Optimiser(0.3, 64, WeightDecay(1e-6, 1e-6)),
    evaluation=Evaluation("linear", 50, None, EvaluationSequences(1000, 500, 100), 200),
    stop=Stop("never", None, None, None),
    steps=400,
    context_length=4,
    n_items=inf,
    seeds=(3, 4),
)


def furthest(expected, got):
    """The largest relative distance between parameters' moves in a step, by their norms."""
    return max(
        ((got[name] - move).norm() / move.norm().clamp_min(1e-30)).item()
        for name, move in expected.items()
    )
