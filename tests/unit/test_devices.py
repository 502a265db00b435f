"""The hot loop stays on its device: checked where there is none, and on a GPU if there is one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from example_jobs import CASES, TASKS, make_job
from icl.engine import steps, training
from icl.job import Model
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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", EVERY)
def test_cuda_gives_the_cpu_s_curves(name):
    job = EVERY[name]
    if job.model.name == "mlp":
        job = replace(job, evaluation=replace(job.evaluation, novel_items=0))
    here, there = training.train(job), training.train(job, "cuda")
    for metric, expected in here.metrics.items():
        tolerance = 0.021 if metric.endswith("accuracy") else 1e-3  # one sequence of 50
        np.testing.assert_allclose(there.metrics[metric], expected, atol=tolerance, err_msg=metric)
