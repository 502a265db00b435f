"""The hot loop stays on its device: checked where there is none, and on a GPU if there is one."""

from dataclasses import replace
from math import inf

import numpy as np
import pytest
import torch
from checkout import ROOT
from example_jobs import CASES, TASKS, furthest, make_job
from icl.engine import order_parameters, steps, training
from icl.experiment.grid import expand
from icl.experiment.validation import load_yaml
from icl.job import Held, Hold, Model, Optimiser, Stop, WeightDecay
from icl.task import draws
from torch.utils._python_dispatch import TorchDispatchMode

META = torch.device("meta")
# What waits for the device, or depends on its data.
SYNCHRONISING = {"_local_scalar_dense", "item", "is_nonzero", "nonzero", "masked_select", "equal"}
EVERY = {
    **{case: make_job(case) for case in CASES},
    "one_layer": make_job("minimal", model=Model("one_layer", 5, 16, "context_and_self", True)),
    **{
        f"minimal-{name}": make_job("minimal", task=task, n_items=n_items)
        for name, (task, n_items) in TASKS.items()
    },
    "mlp-zipf": make_job("mlp-raw", task=TASKS["zipf"][0]),
    "one_layer-held": make_job(
        "minimal",
        model=Model("one_layer", 5, 16, "context_and_self", True),
        optimiser=Optimiser(0.1, 32, WeightDecay(0.1, 0.1), hold=Hold(mlp=Held(7))),
    ),
    "one_layer-adam": make_job(
        "minimal",
        model=Model("one_layer", 5, 16, "context_and_self", True),
        optimiser=Optimiser(0.001, 32, WeightDecay(0.1, 0.1), method="adam"),
    ),
    **{
        f"one_layer-{precision}": make_job(
            "minimal",
            model=Model("one_layer", 5, 16, "context_and_self", True),
            optimiser=Optimiser(0.1, 32, WeightDecay(0.1, 0.1), precision=precision),
        )
        for precision in ("tf32x3", "bfloat16")
    },
    "minimal-clamped": make_job(
        "minimal",
        optimiser=Optimiser(0.1, 32, WeightDecay(0.1, 0.1), hold=Hold(beta=Held(1, 2.0))),
    ),
    "mlp-noise": make_job("mlp-raw", task=TASKS["zipf-copies-noise"][0]),
}


class OnDeviceOnly(TorchDispatchMode):
    """Refuses to wait for the device, and tensors elsewhere."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        assert func.overloadpacket.__name__ not in SYNCHRONISING, func
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, tuple | list) else (out,):
            if isinstance(value, torch.Tensor):
                assert value.device == META, f"{func} made a tensor on {value.device}"
        return out


def train_on_meta(job):
    ensemble = training.Ensemble(job, META)
    shapes = {name: p.shape for name, p in ensemble.parameters.items()}
    with OnDeviceOnly():
        for step in range(3):
            ensemble.train_step(step)
    return ensemble, shapes


@pytest.mark.parametrize("name", EVERY)
def test_a_chunk_of_training_never_leaves_its_device(name):
    ensemble, shapes = train_on_meta(EVERY[name])
    assert ensemble.parameters.keys() == shapes.keys()
    for parameter, value in ensemble.parameters.items():
        assert value.device == META
        assert value.shape == shapes[parameter]


def shapes_of_presets():
    """Every job of every preset, one of those alike: K matters by its parity and by being large."""
    found = {}
    alike = {"steps": 1, "stop": Stop("never", None, None, None)}
    for path in sorted((ROOT / "config").glob("*.yaml")):
        config = load_yaml(path)
        for experiment in config.get("experiments", {}).values() if "preset" in config else ():
            for job in expand(config["defaults"], experiment):
                optimiser = replace(
                    job.optimiser, learning_rate=0.1, weight_decay=WeightDecay(0, 0)
                )
                seeds = tuple(range(min(3, len(job.seeds))))
                same = replace(job, optimiser=optimiser, seeds=seeds, **alike)
                large = job.dataset_size > draws.MANY_ITEMS
                key = replace(same, n_items=(job.n_items == inf, job.dataset_size % 2, large))
                found.setdefault(key, same)
    return list(found.values())


def test_every_job_of_every_preset_takes_a_step_and_an_evaluation():
    """On a device that computes nothing, but on which shapes and memory layouts must fit."""
    jobs = shapes_of_presets()
    assert len(jobs) > 80
    assert any(job.dataset_size % 2 for job in jobs)  # an odd K once had a layout of its own
    for job in jobs:
        ensemble = training.Ensemble(job, META)
        ensemble.train_step(0)
        with torch.no_grad():
            if ensemble.model.reads_context:
                ensemble._of_sequences(0)
            if ensemble.model.measures_items(job):
                items = ensemble.arithmetic.item_logits
                given = ensemble.parameters, ensemble.data.tables, job.model
                of_training = ensemble.data.probabilities(), job.dataset_size
                order_parameters.of_items(items, *given, *of_training)


@pytest.mark.parametrize(
    ("slip", "caught"),
    [
        (lambda z: z * float(z.sum()), (AssertionError, RuntimeError)),
        (lambda z: z + torch.zeros(z.shape), (AssertionError, RuntimeError)),
        (lambda z: z[z > 0].sum() + z, (AssertionError, RuntimeError)),
        (lambda z: z.cpu().to(META), (AssertionError, NotImplementedError)),
    ],
    ids=["reads", "mixes", "selects", "copies"],
)
def test_a_slip_would_be_seen(slip, caught, monkeypatch):
    """The check above can fail."""
    plain = steps.plain

    def slipping(job):
        arithmetic = plain(job)

        def step(parameters, tables, sequences):
            slip(arithmetic.logits(parameters, tables, sequences, job.model))

        return replace(arithmetic, step=step)

    monkeypatch.setattr(steps, "plain", slipping)
    with pytest.raises(caught):
        train_on_meta(make_job("minimal"))


def furthest_after_a_step(job):
    """How far a parameter's first move on a card is from the CPU's, by its norm."""
    job = replace(job, optimiser=replace(job.optimiser, learning_rate=1.0))
    moved = []
    for device in ("cpu", "cuda"):
        ensemble = training.Ensemble(job, torch.device(device))
        before = {name: p.clone() for name, p in ensemble.parameters.items()}
        ensemble.train_step(0)
        moved.append({name: (p - before[name]).cpu() for name, p in ensemble.parameters.items()})
    return furthest(*moved)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", EVERY)
def test_cuda_gives_the_cpu_s_curves(name):
    job = EVERY[name]
    if job.model.name == "mlp":
        job = replace(job, evaluation=replace(job.evaluation, novel_items=0))
    here, there = training.train(job), training.train(job, "cuda")
    # Of two layers, the first moves so little that rounding of its parameters is seen.
    assert furthest_after_a_step(job) < (1e-3 if job.model.name == "two_layer" else 1e-5)
    for metric, expected in here.metrics.items():
        tolerance = 0.021 if metric.endswith("accuracy") else 1e-3  # one sequence of 50
        np.testing.assert_allclose(there.metrics[metric], expected, atol=tolerance, err_msg=metric)
