"""A verdict is worth something only if a fault that should change it does: tiny runs."""

import dataclasses

import pytest
import torch
from committed import CLAIMS
from icl import claims
from icl.claims import REPRODUCED
from icl.engine import steps, training
from icl.experiment.grid import expand
from icl.models.one_layer import network as one_layer
from icl.store import artifacts

SETTINGS = {
    "model": {
        "name": "one_layer",
        "item_dim": 15,
        "hidden_dim": 32,
        "attend_to": "context",
        "layernorm_affine": False,
    },
    "task": {"item_labels": "random", "redrawn_items": 128},
    "optimiser": {
        "learning_rate": 0.3,
        "batch_size": 64,
        "weight_decay": {"attention": 0, "mlp": 0},
    },
    "evaluation": {
        "schedule": "linear",
        "every": 4,
        "sequences": {"icl": 1000, "iwl": 100, "train": 50},
        "novel_items": 512,
    },
    "stop": {"when": "never"},
    "seeds": {"first": 0, "count": 6},
    "block_size": 6,
    "steps": 300,
}


def measured(n_items="infinity", lengths=(6,), **settings):
    """Train runs and collect them, as the workflow does."""
    own = {"context_length": list(lengths), "n_items": n_items, **settings}
    parts = []
    for job in expand(SETTINGS, {"description": "", "grid": [own]}):
        dataset = artifacts.job_dataset(training.train(job), job, {})
        parts.append(dataset)
    joined = artifacts.collect(parts, {"experiment": "x", "preset": "smoke"})
    return joined.assign_attrs(missing_blocks="[]", data_digest="0" * 64)


def verdict_of(name, **data):
    """Judge a claim at few resamples."""
    options = dict(CLAIMS[name]["options"])
    if "resamples" in options:
        options["resamples"] = 200
    claim = {**CLAIMS[name], "options": options}
    return claims.evaluate(claim, name, data, "smoke").to_json()


def labels_shuffled(monkeypatch):
    """Give every target the label of another item than its copy in the context."""
    plain = steps.plain

    def wrong(job, *_):
        right = plain(job)

        def embed(dataset):
            tables = right.embed(dataset)
            return dataclasses.replace(tables, labels=tables.labels.roll(1, dims=1))

        return dataclasses.replace(right, embed=embed)

    monkeypatch.setattr(steps, "choose", wrong)


def attention_removed(monkeypatch):
    """Start K and Q at zero, which they never leave: attention stays uniform."""
    initialise = one_layer.initialise

    def flat(seeds, model):
        parameters = initialise(seeds, model)
        return {
            n: torch.zeros_like(p) if n in ("query", "key") else p for n, p in parameters.items()
        }

    monkeypatch.setattr(one_layer, "initialise", flat)


@pytest.mark.parametrize("fault", [None, labels_shuffled, attention_removed])
def test_the_rise_is_there_only_without_a_fault(fault, monkeypatch):
    if fault:
        fault(monkeypatch)
    verdict = verdict_of("abrupt_acquisition", transition=measured(lengths=(16,), steps=900))
    assert (verdict["verdict"] == REPRODUCED) == (fault is None), verdict["criteria"]
