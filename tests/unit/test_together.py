"""Jobs that train together end as they do alone, to rounding, however they are put together."""

import json
import logging
import math
import runpy
import signal
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import xarray as xr
from example_jobs import make_job
from icl import entry
from icl.engine import blocks, checkpoint, machine, steps, together, training
from icl.engine.checkpoint import Interrupted
from icl.experiment.batches import batches, kind
from icl.job import Held, Hold, Model, Optimiser, Stop, WeightDecay
from icl.models import loading, sgd
from icl.models.sgd import Descent
from icl.store import artifacts
from safetensors import safe_open
from safetensors.numpy import load_file

CPU = torch.device("cpu")
ONE_LAYER = Model("one_layer", 5, 16, "context_and_self", True)


def optimiser(rate, decay, of_mlp=None):
    return Optimiser(rate, 32, WeightDecay(decay, 2 * decay), mlp_learning_rate=of_mlp)


def unlike(model, **more):
    """Jobs that differ in all that jobs which train together may differ in."""
    base = make_job("mlp-raw" if model.name == "mlp" else "minimal", model=model, **more)
    every = replace(base.evaluation, every=7)
    early = Stop("acquired", 0.5, None, 1) if model.name != "mlp" else base.stop
    return [
        replace(base, n_items=40, steps=20, optimiser=optimiser(0.3, 1e-2), seeds=(1, 2, 3)),
        replace(base, n_items=61, steps=33, optimiser=optimiser(0.1, 0.0, 0.2), seeds=(4,)),
        replace(base, n_items=23, steps=20, evaluation=every, stop=early, seeds=(3, 1, 5, 4)),
    ]


def infinite(redraw):
    """Jobs at K = infinity, with as many items redrawn or more."""
    task = replace(make_job("minimal").task, redraw=redraw)
    return [
        replace(
            job,
            n_items=math.inf,
            task=replace(task, redrawn_items=40 + 8 * i),
        )
        for i, job in enumerate(unlike(ONE_LAYER))
    ]


MODELS = {
    "one_layer": ONE_LAYER,
    "minimal": make_job("minimal").model,
    "mlp": make_job("mlp-raw").model,
    "two_layer": replace(ONE_LAYER, name="two_layer"),
}


def on_disk(folder, name):
    folder = folder / "train" / "e"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}.nc"


def trained(folder, jobs, minutes=60.0, weights=()):
    paths = [on_disk(folder, i) for i in range(len(jobs))]
    weights = weights or [()] * len(jobs)
    blocks.train_together_to(paths, jobs, CPU, {}, lambda done, left: None, minutes, weights)
    return [xr.load_dataset(path) for path in paths]


def each_alone(folder, jobs):
    paths = [on_disk(folder, i) for i in range(len(jobs))]
    for path, job in zip(paths, jobs, strict=True):
        blocks.train_to(path, job, CPU, {}, lambda done, left: None)
    return [xr.load_dataset(path) for path in paths]


def signal_after(n, monkeypatch):
    """Ask the process to end after n joint steps; the list that is returned has one for each."""
    step, done = together.Together.step, []

    def step_and_signal(self):
        step(self)
        done.append(1)
        if len(done) == n:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(together.Together, "step", step_and_signal)
    return done


def agree(found, expected, tolerance=1e-5):
    for here, there in zip(found, expected, strict=True):
        assert set(here.data_vars) == set(there.data_vars)
        for name, values in there.data_vars.items():
            np.testing.assert_allclose(here[name], values, rtol=tolerance, atol=tolerance)


JOBS = {
    **{name: unlike(model) for name, model in MODELS.items()},
    **{f"redrawn each {redraw}": infinite(redraw) for redraw in ("step", "sequence")},
}


@pytest.mark.parametrize("name", JOBS)
def test_each_job_ends_as_it_does_alone(tmp_path, name):
    jobs = JOBS[name]
    alone = each_alone(tmp_path / "alone", jobs)
    found = trained(tmp_path / "together", jobs)
    agree(found, alone)
    assert {each.attrs["replicates_together"] for each in found} == {8}
    left = alone[2]["stop_step"] < jobs[2].steps
    assert name == "mlp" or (left.any() and not left.all())  # some, while the others go on


def test_jobs_of_unlike_tasks_train_together(tmp_path):
    base = unlike(ONE_LAYER)[0]
    changes = (
        {"label_noise": 0.2},  # 2 K rows
        {"zipf_exponent": 1.0},
        {"context_labels": "balanced"},
        {"copies": 2},
        {"item_labels": "balanced"},
    )
    jobs = [
        replace(base, task=replace(base.task, **change), n_items=40 + 9 * i, seeds=(i, i + 7))
        for i, change in enumerate(changes)
    ]
    assert len(batches({str(i): job for i, job in enumerate(jobs)}, 10)) == 1
    alone = each_alone(tmp_path / "alone", jobs)
    agree(trained(tmp_path / "together", jobs), alone)


@pytest.mark.parametrize("cut", [[[0], [1, 2]], [[2, 0, 1]]])
def test_results_do_not_hang_on_how_jobs_are_put_together(tmp_path, cut):
    jobs = unlike(ONE_LAYER)
    whole = trained(tmp_path / "whole", jobs)
    for part in cut:
        found = trained(tmp_path / f"part{part[0]}", [jobs[i] for i in part])
        agree(found, [whole[i] for i in part])


def rates(job, **changes):
    return replace(job, optimiser=replace(job.optimiser, **changes))


@pytest.mark.parametrize("slip", [lambda job: rates(job, mlp_learning_rate=0.204), None])
def test_a_rate_that_is_a_little_off_would_be_seen(tmp_path, slip):
    jobs = unlike(ONE_LAYER)
    whole = trained(tmp_path / "whole", jobs)
    other = [jobs[0], slip(jobs[1]) if slip else jobs[1], jobs[2]]
    if slip:
        with pytest.raises(AssertionError):
            agree(trained(tmp_path / "slip", other), whole)
    else:
        agree(trained(tmp_path / "same", other), whole, 1e-7)


def test_an_interrupted_batch_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    jobs = unlike(ONE_LAYER)
    whole = trained(tmp_path / "whole", jobs)
    done = signal_after(12, monkeypatch)
    with pytest.raises(Interrupted):
        trained(tmp_path / "cut", jobs)
    folders = [checkpoint.folder_of(on_disk(tmp_path / "cut", i)) for i in range(3)]
    assert all(list(folder.glob("*12.checkpoint")) for folder in folders)
    # One of them lost its checkpoint, and has to catch up.
    for path in folders[1].iterdir():
        path.unlink()
    found = trained(tmp_path / "cut", jobs)
    agree(found, whole, 1e-7)
    assert len(done) < 12 + 33


@pytest.mark.parametrize("last", [0, 1, 2])
def test_a_signal_is_heard_whichever_jobs_have_ended(tmp_path, monkeypatch, last):
    """The last job of a batch, whose handler a signal meets, is mostly the first to end."""
    jobs = unlike(ONE_LAYER)
    jobs.append(jobs.pop(last))
    done = signal_after(25, monkeypatch)
    with pytest.raises(Interrupted):
        trained(tmp_path, jobs)
    assert len(done) == 25
    written = [on_disk(tmp_path, i).is_file() for i in range(3)]
    assert written == [job.steps < 25 for job in jobs]


def test_an_interrupted_batch_keeps_two_checkpoints_of_each_job(tmp_path, monkeypatch):
    signal_after(5, monkeypatch)
    with pytest.raises(Interrupted):
        trained(tmp_path, unlike(ONE_LAYER), minutes=0.0)
    for i in range(3):
        kept = checkpoint.folder_of(on_disk(tmp_path, i)).iterdir()
        assert sorted(int(path.stem) for path in kept) == [4, 5]


class Pinned:
    """A graph that makes sure that a step still reads and writes what it did when captured."""

    def __init__(self, of, step):
        self.of, self.step = of, step
        self.forget()

    def forget(self):
        self.captured = None

    def __call__(self, step):
        tables = self.of.tables if hasattr(self.of, "tables") else self.of.data.tables
        used = [*self.of.parameters.values(), *vars(tables).values()]
        of_runs = [run.ensemble for run in getattr(self.of, "runs", [])] or [self.of]
        used += [ensemble.seeds for ensemble in of_runs]
        where = [x.data_ptr() for x in used]
        self.captured = self.captured or (where, used)  # which keeps their memory from others
        assert self.captured[0] == where
        self.step(step)


def test_a_graph_is_forgotten_when_its_tensors_are_replaced(tmp_path, monkeypatch):
    class PinnedTogether(together.Together):
        def __init__(self, device):
            super().__init__(device)
            self.graph = Pinned(self, self._step)

    class PinnedEnsemble(training.Ensemble):
        def __init__(self, job, device):
            super().__init__(job, device)
            self.graph = Pinned(self, self._train_step)

    jobs = unlike(ONE_LAYER)
    whole = trained(tmp_path / "whole", jobs)
    monkeypatch.setattr(together, "Together", PinnedTogether)
    monkeypatch.setattr(training, "Ensemble", PinnedEnsemble)
    # The second has yet to catch up when the others' checkpoints are taken up again, and the
    # third's replicates leave while it does.
    paths = [on_disk(tmp_path / "cut", i) for i in range(3)]
    for i, steps_done in ((0, 18), (1, 3)):
        run = training.Run(jobs[i], CPU)
        while run.steps < steps_done:
            while run.is_due:
                run.evaluate()
            run.step()
        with checkpoint.Checkpoints(checkpoint.folder_of(paths[i]), jobs[i]) as kept:
            kept.save(run.steps, run.state())
    agree(trained(tmp_path / "cut", jobs), whole, 1e-5)


def test_a_job_that_had_ended_is_not_trained_again(tmp_path, monkeypatch):
    jobs = unlike(ONE_LAYER)
    whole = trained(tmp_path, jobs)
    for i in range(3):  # whose checkpoints need no parameters any more
        (last,) = checkpoint.folder_of(on_disk(tmp_path, i)).iterdir()
        state, _ = checkpoint.decode(last.read_bytes())
        assert all(len(v) == 0 for name, v in state.items() if name.startswith("parameter"))
    monkeypatch.setattr(training.Run, "step", None)
    monkeypatch.setattr(together.Together, "step", None)
    agree(trained(tmp_path, jobs), whole, 0)


def test_a_replicate_that_leaves_takes_nothing_from_the_others(tmp_path):
    """One of three stops half-way, and its run goes on with two."""
    jobs = unlike(ONE_LAYER)[:2]
    (free,) = trained(tmp_path / "free", [replace(jobs[0], stop=jobs[1].stop)])
    twice = free["icl_accuracy"].values[:, :2].min(1)  # of two evaluations
    between = float(np.sort(twice)[-2:].mean())
    jobs[0] = replace(jobs[0], stop=Stop("acquired", between, None, 2))
    alone = each_alone(tmp_path / "alone", jobs)
    assert sorted(alone[0]["stop_step"].values) == [10, 20, 20]
    agree(trained(tmp_path / "together", jobs), alone)


def test_weights_of_each_job_are_its_own(tmp_path):
    jobs = unlike(ONE_LAYER)
    asked = [[tmp_path / f"w{i}" / f"{when}.safetensors" for when in (3, "end")] for i in range(3)]
    trained(tmp_path, jobs, weights=asked)
    for i, job in enumerate(jobs):
        alone = [tmp_path / f"a{i}" / path.name for path in asked[i]]
        blocks.train_to(
            on_disk(tmp_path / "alone", i), job, CPU, {}, lambda done, left: None, 60.0, alone
        )
        for here, there in zip(asked[i], alone, strict=True):
            of_batch, own = load_file(here), load_file(there)
            assert set(of_batch) == set(own)
            for name, values in own.items():
                np.testing.assert_allclose(of_batch[name], values, rtol=1e-4, atol=1e-5)


def test_the_script_gives_each_job_its_own_files(tmp_path, monkeypatch):
    jobs = unlike(ONE_LAYER)
    files = [[tmp_path / f"w{i}" / f"{when}.safetensors" for when in (3, "end")] for i in range(3)]
    snakemake = SimpleNamespace(
        output=[str(path) for path in [*map(partial(on_disk, tmp_path), range(3)), *chain(*files)]],
        log=[str(tmp_path / f"{i}.log") for i in range(3)],
        threads=1,
        rule="train_e_together_0",
        config={"device": "cpu"},
        params=SimpleNamespace(identity=[job.identity() for job in jobs]),
    )
    # What is of the whole process.
    log = logging.getLogger("icl")
    monkeypatch.setattr(entry, "logged", lambda *paths, mode: nullcontext(log))
    monkeypatch.setattr(machine, "prepare", lambda threads: None)
    script = Path(__file__).parents[2] / "scripts/train.py"
    runpy.run_path(str(script), {"snakemake": snakemake}, "__main__")
    for i, job in enumerate(jobs):
        found = artifacts.read(on_disk(tmp_path, i))
        assert json.loads(found.attrs["job"]) == json.loads(json.dumps(job.identity()))
        for path in files[i]:
            with safe_open(path, "numpy") as weights:
                assert json.loads(weights.metadata()["job"])["seeds"] == list(job.seeds)


def test_on_a_cpu_jobs_train_one_after_another(tmp_path, monkeypatch):
    jobs = unlike(ONE_LAYER)
    monkeypatch.setattr(blocks, "train_together_to", None)
    paths = [on_disk(tmp_path, i) for i in range(3)]
    told = []
    blocks.train_all_to(paths, jobs, CPU, {}, lambda done, left: told.append(done))
    assert all(path.is_file() for path in paths)
    assert told == sorted(told)
    assert 0 in told
    assert told[-1] == 33  # the steps of the longest
    assert 20 * 33 // 73 in told  # the first has ended


def test_on_a_gpu_a_job_alone_is_not_joined(tmp_path, monkeypatch):
    """The joint step does plain SGD on all parameters; Adam and a hold are for a job alone."""
    called = []
    monkeypatch.setattr(blocks, "train_to", lambda *given: called.append("alone"))
    monkeypatch.setattr(blocks, "train_together_to", lambda *given: called.append("together"))
    (first, second, _), gpu = unlike(ONE_LAYER), torch.device("cuda")
    for jobs in ([rates(first, method="adam")], [first, second]):
        paths = [on_disk(tmp_path, i) for i in range(len(jobs))]
        blocks.train_all_to(paths, jobs, gpu, {}, lambda done, left: None)
    assert called == ["alone", "together"]


def test_batches_hold_alike_jobs_up_to_a_number_of_replicates():
    jobs = dict(zip("abc", unlike(ONE_LAYER), strict=True))
    jobs["longer context"] = replace(jobs["a"], context_length=6)
    jobs["infinite"] = replace(jobs["a"], n_items=math.inf)
    jobs["adam"] = rates(jobs["a"], method="adam", learning_rate=0.01)
    jobs["held"] = rates(jobs["a"], hold=Hold(mlp=Held(3)))
    jobs["rounded"] = rates(jobs["a"], precision="tf32")
    found = batches(jobs, 128)
    assert sorted(map(sorted, found)) == sorted(
        [["a", "b", "c"], ["adam"], ["held"], ["infinite"], ["longer context"], ["rounded"]]
    )
    assert sorted(map(sorted, batches(jobs, 5)))[:3] == [["a", "b"], ["adam"], ["c"]]
    assert all(len(batch) == 1 for batch in batches(jobs, None))
    assert all(len(batch) == 1 for batch in batches(jobs, 1))
    assert kind(jobs["a"]) is not None


def test_descent_is_pytorch_s_sgd():
    """On which all arithmetics rest: two groups, each at its rate and decay, job by job."""
    first, second = (
        make_job("minimal", optimiser=optimiser(0.3, 0.1, 0.7)),
        make_job("minimal", optimiser=optimiser(0.2, 0.0)),
    )
    of_both = sgd.of_jobs([first, second], [2, 1], CPU)
    for group in ("attention", "mlp"):
        weights, gradient = torch.randn(2, 3, 4, 5)
        expected = []
        for job, rows in ((first, slice(2)), (second, slice(2, 3))):
            p = torch.nn.Parameter(weights[rows].clone())
            p.grad = gradient[rows]
            decay = job.optimiser.weight_decay.of(group)
            torch.optim.SGD([p], job.optimiser.rate_of(group), weight_decay=decay).step()
            expected.append(p.detach())
        for descent, own in ((of_both(group), slice(3)), (sgd.of_job(first)(group), slice(2))):
            found = weights[own].clone()
            descent.add(found, gradient[own])
            torch.testing.assert_close(found, torch.cat(expected)[own])
            # gradient = left @ right
            left, right = torch.eye(4).expand(3, 4, 4)[own], gradient[own]
            for by_product in (Descent.product, Descent.hidden_product):
                found = weights[own].clone()
                by_product(descent, found, left, right)
                torch.testing.assert_close(found, torch.cat(expected)[own])


@pytest.mark.parametrize("model", ["one_layer", "minimal", "mlp"])
def test_a_gpu_s_kernels_take_numbers_of_each_replicate(model):
    pytest.importorskip("triton")
    jobs = unlike(MODELS[model])[:2]
    seeds = torch.tensor([*jobs[0].seeds, *jobs[1].seeds])
    moves = []
    for make in (steps.plain, steps.on_gpu):
        arithmetic = make(jobs[0], sgd.of_jobs(jobs, [3, 1], CPU))
        parameters = loading.network(jobs[0].model.name).initialise(seeds, jobs[0].model)
        before = {name: p.clone() for name, p in parameters.items()}
        data = [
            training.TrainingData(job, torch.tensor(job.seeds), arithmetic.embed) for job in jobs
        ]
        tables = together.joined([each.tables for each in data])
        drawn = [
            each.batch(torch.tensor(job.seeds), together.Purpose.TRAINING, 5, 8)[1]
            for each, job in zip(data, jobs, strict=True)
        ]
        sequences = together.Sequences(
            torch.cat([s.context for s in drawn]), torch.cat([s.target for s in drawn])
        )
        arithmetic.step(parameters, tables, sequences)
        moves.append({name: p - before[name] for name, p in parameters.items()})
    for name, move in moves[0].items():
        assert (moves[1][name] - move).norm() <= 1e-4 * move.norm(), name
