"""What one GPU does with this library: right or not, how fast, and beside whom.

    make gpu        (python benchmarks/card.py --json card.json)

It needs Python 3.12, torch with CUDA and Triton, numpy, numba and pydantic; no network, no
Snakemake. Every part writes what it found into the JSON file as it ends, and a part that fails is
named there with its error; the others go on. `--tiny` rehearses it on any machine.

`train_list.py` trains a size's own jobs on such a machine.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from statistics import median

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import torch
import triton
from icl.engine import steps, training
from icl.engine.together import Together
from icl.job import Job, Stop, WeightDecay
from icl.kernels.products import PRECISIONS
from icl.task import draws
from jobs import find
from throughput import SIZES, FuncVmap, Problem, Size

SYNCHRONISE = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
ROUNDS = 5
REDRAWN = "N=99, K=infinity, d=512"


def seconds_each(step: Callable[[int], None], n_steps: int, warm_up: int = 5) -> float:
    """Return the median seconds of a step, over rounds of n steps each."""
    for i in range(warm_up):
        step(i)
    rounds = []
    for turn in range(ROUNDS):
        SYNCHRONISE()
        start = time.perf_counter()
        for i in range(n_steps):
            step(warm_up + turn * n_steps + i)
        SYNCHRONISE()
        rounds.append((time.perf_counter() - start) / n_steps)
    return median(rounds)


def machine() -> dict:
    """Name the card, its driver and the libraries."""
    found = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "triton": triton.__version__,
        "processor": platform.processor(),
    }
    if DEVICE.type == "cuda":
        card = torch.cuda.get_device_properties(0)
        driver = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        found |= {
            "card": card.name,
            "memory_gb": card.total_memory / 1e9,
            "multiprocessors": card.multi_processor_count,
            "capability": f"{card.major}.{card.minor}",
            "cuda": torch.version.cuda,
            "driver": subprocess.run(driver, capture_output=True, text=True).stdout.strip(),
        }
    return found


def ceilings(tiny: bool) -> dict:
    """Measure what bounds everything: a large copy, and products in the precisions on offer."""
    n = 2**16 if tiny else 2**30
    a, b = torch.rand(n, device=DEVICE), torch.empty(n, device=DEVICE)
    found = {"copy_tb_s": 8 * n / seconds_each(lambda _: b.copy_(a), 10) / 1e12}
    size = 64 if tiny else 8192
    x, y = torch.randn(2, size, size, device=DEVICE)
    u, w = (torch.randn(4 if tiny else 256, rows, 512, device=DEVICE) for rows in (128, 512))
    for precision in ("highest", "high"):  # float32, tf32
        torch.set_float32_matmul_precision(precision)
        name = {"highest": "float32", "high": "tf32"}[precision]
        seconds = seconds_each(lambda _: torch.mm(x, y), 5)
        found[f"product_{name}_tflops"] = 2 * size**3 / seconds / 1e12
        seconds = seconds_each(lambda _: torch.bmm(u, w.mT), 5)
        found[f"batched_{name}_tflops"] = 2 * len(u) * 128 * 512**2 / seconds / 1e12
    torch.set_float32_matmul_precision("highest")
    return found


def tests(tiny: bool) -> dict:
    """Run the tests of the kernels on this card."""
    paths = ["tests/unit/test_gpu_kernels.py", "tests/unit/test_devices.py"]
    chosen = ["-k", "words"] if tiny else ["-k", "not compile"]
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:warnings", *paths]
    done = subprocess.run([*command, *chosen], capture_output=True, text=True)
    print(done.stdout[-3000:], done.stderr[-500:])
    return {"rc": done.returncode, "summary": done.stdout.strip().splitlines()[-1:]}


def sizes(tiny: bool) -> dict[str, tuple[Size, bool]]:
    """List the problems: name -> size, whether K is infinite."""
    if tiny:
        return {"tiny": (Size(4, 16, 8, 2), False), "tiny, K=infinity": (Size(4, 16, 8, 2), True)}
    named = {name: (size, False) for name, size in SIZES.items()}
    return named | {REDRAWN: (Size(99, 8192, 512, 4), True)}


def sized(size: Size, n_replicates: int, redrawn: bool):
    """Describe the run of a size to the engine."""
    job = replace(size, n_replicates=n_replicates).job()
    if redrawn:
        job = replace(job, n_items=inf, task=replace(job.task, redrawn_items=size.n_items))
    return job


def engine_rate(job: Job, plain: bool, n_steps: int) -> dict:
    """Measure the whole step, drawing and all."""
    n_replicates = len(job.seeds)
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    choose = steps.choose
    if plain:
        steps.choose = lambda job, device: steps.plain(job)
    try:
        ensemble = training.Ensemble(job, DEVICE)
        if plain:
            ensemble.graph = None
        seconds = seconds_each(ensemble.train_step, n_steps)
    finally:
        steps.choose = choose
    found = {"replicate_steps_per_second": n_replicates / seconds, "microseconds": seconds * 1e6}
    if DEVICE.type == "cuda":
        found["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return found


def rates(tiny: bool, blocks: tuple[int, ...]) -> dict:
    """Measure the engine at every precision and its plain way, in small and large blocks."""
    found = {}
    less = {f"engine, {name}": name for name in PRECISIONS if name != "float32"}
    for name, (size, redrawn) in sizes(tiny).items():
        for n in (2,) if tiny else blocks:
            for way, precision in {"engine": "float32", "plain": "float32", **less}.items():
                key, plain = f"{name}, R={n}, {way}", way == "plain"
                n_steps = 2 if tiny else 5 if plain else 40
                job = sized(size, n, redrawn)
                job = replace(job, optimiser=replace(job.optimiser, precision=precision))
                try:
                    found[key] = engine_rate(job, plain, n_steps)
                except Exception as error:
                    found[key] = {"error": repr(error)[:500]}
                print(key, found[key], flush=True)
    return found


def together(tiny: bool) -> dict:
    """Measure blocks of a few replicates, each at a K, rate and decay of its own, by one step."""
    size, each, n_jobs, n_steps = (
        (Size(4, 16, 8, 2), 2, 3, 2) if tiny else (SIZES["N=100, d=512"], 16, 8, 40)
    )
    base = sized(size, each, False)
    jobs = [
        replace(
            base,
            n_items=base.n_items + i,
            seeds=tuple(range(i * each, (i + 1) * each)),
            optimiser=replace(
                base.optimiser,
                learning_rate=base.optimiser.learning_rate * (1 + i / 10),
                weight_decay=WeightDecay(1e-3 * i, 0.0),
            ),
        )
        for i in range(n_jobs)
    ]
    runs = [training.Run(job, DEVICE) for job in jobs]
    joint = Together(DEVICE)
    joint.join(runs)
    seconds = seconds_each(lambda i: joint.step(), n_steps)
    found = {
        "jobs": n_jobs,
        "replicates": each * n_jobs,
        "replicate_steps_per_second": each * n_jobs / seconds,
        "alone": engine_rate(jobs[0], False, n_steps)["replicate_steps_per_second"],
    }
    print(found, flush=True)
    return found


def peers(tiny: bool, n_replicates: int) -> dict:
    """Measure what one would write instead, given its sequences: torch.func and JAX."""
    found = {}
    for name, (size, redrawn) in sizes(tiny).items():
        if redrawn:
            continue
        problem = Problem(replace(size, n_replicates=2 if tiny else n_replicates))
        n = problem.size.n_replicates
        batches = [problem.sequences(i) for i in range(4)]
        vmap = FuncVmap(problem)
        vmap.parameters = {k: p.to(DEVICE) for k, p in vmap.parameters.items()}
        vmap.tables = tuple(x.to(DEVICE) for x in vmap.tables)
        moved = [draws.Sequences(s.context.to(DEVICE), s.target.to(DEVICE)) for s in batches]

        def vmap_step(i, vmap=vmap, moved=moved):
            vmap.step(moved[i % len(moved)])

        for label, measure in (
            ("torch.func vmap", lambda step=vmap_step: seconds_each(step, 5)),
            ("JAX jit + scan + vmap", lambda p=problem, b=batches: jax_seconds(p, b)),
        ):
            key = f"{name}, R={n}, {label}"
            try:
                found[key] = {"replicate_steps_per_second": n / measure()}
            except Exception as error:
                found[key] = {"error": repr(error)[:500]}
            print(key, found[key], flush=True)
    return found


def jax_seconds(problem: Problem, batches: list) -> float:
    """Return JAX's seconds of a step, in a scan of 40 whose batches are on the device."""
    import jax
    import jax.numpy as jnp
    from jax_peer import JaxPeer
    from throughput import DECAY, RATE

    jax.config.update("jax_default_matmul_precision", "highest")
    peer = JaxPeer(problem, RATE, DECAY)
    stacked = tuple(
        jnp.stack([jnp.asarray(getattr(s, part).numpy()) for s in batches * 10])
        for part in ("context", "target")
    )
    rounds = []
    for _ in range(4):
        start = time.perf_counter()
        peer.parameters, losses = peer._scan(peer.parameters, stacked)
        losses.block_until_ready()
        rounds.append((time.perf_counter() - start) / len(stacked[0]))
    return median(rounds[1:])


def profile(tiny: bool, n_replicates: int) -> dict:
    """Name the kernels of a step, and the microseconds of each."""
    found = {}
    for name, (size, redrawn) in sizes(tiny).items():
        ensemble = training.Ensemble(sized(size, n_replicates, redrawn), DEVICE)
        ensemble.graph = None
        for i in range(3):
            ensemble.train_step(i)
        SYNCHRONISE()
        with torch.profiler.profile() as seen:
            for i in range(3, 8):
                ensemble.train_step(i)
            SYNCHRONISE()
        kernels = [
            (event.key[:60], event.self_device_time_total / 5, event.count / 5)
            for event in seen.key_averages()
            if event.self_device_time_total > 0 and not event.key.startswith("aten::")
        ]
        found[name] = sorted(kernels, key=lambda k: -k[1])[:24]
        print(f"{name}, R={n_replicates}: {sum(k[1] for k in kernels):.0f} us", flush=True)
        for key, microseconds, count in found[name]:
            print(f"  {microseconds:9.1f} us {count:5.1f}  {key}", flush=True)
    return found


def trained(job: Job, stopped_at: tuple[int, ...] = ()) -> training.Run:
    """Train a job to its last step; at some steps, by a new run from the old one's state."""
    run = training.Run(job, DEVICE)
    while not run.is_over:
        while not run.is_due:
            run.step()
            if run.steps in stopped_at:
                state = {name: values.copy() for name, values in run.state().items()}
                run = training.Run(job, DEVICE)
                run.restore(state)
        run.evaluate()
    return run


def digest(run: training.Run) -> str:
    """Return a digest of all that a run holds."""
    total = hashlib.sha256()
    for name, values in sorted(run.state().items()):
        total.update(name.encode() + values.tobytes())
    return total.hexdigest()[:16]


def one_job(tiny: bool) -> dict:
    """Train one of the paper's jobs for 15,000 steps whole, and stopped and resumed."""
    job = find("paper", "transition", 11556)
    evaluation = replace(job.evaluation, every=10 if tiny else 300)
    never, n_steps = Stop("never", None, None, None), 20 if tiny else 15_000
    job = replace(job, steps=n_steps, stop=never, evaluation=evaluation)
    if tiny:
        job = replace(job, n_items=50, seeds=(0, 1), model=replace(job.model, hidden_dim=8))
    start = time.perf_counter()
    whole = trained(job)
    seconds = time.perf_counter() - start
    found = {
        "seconds": seconds,
        "replicate_steps_per_second": job.steps * len(job.seeds) / seconds,
        "digest": digest(whole),
        "icl_accuracy": whole.metrics["icl_accuracy"][:, -1].tolist(),
        "digest_resumed": digest(trained(job, (job.steps // 3, job.steps // 2))),
    }
    found["same_bits"] = found["digest"] == found["digest_resumed"]
    print(found, flush=True)
    return found


def main() -> None:
    """Run every part, and write what each found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, default=Path("card.json"))
    parser.add_argument("--tiny", action="store_true", help="rehearse, on any machine")
    parser.add_argument("--parts", nargs="*", help="only these")
    parser.add_argument("--blocks", nargs="*", type=int, default=[11, 128])
    arguments = parser.parse_args()
    tiny, blocks = arguments.tiny, tuple(arguments.blocks)
    parts: dict[str, Callable[[], dict]] = {
        "machine": machine,
        "ceilings": lambda: ceilings(tiny),
        "rates": lambda: rates(tiny, blocks),
        "together": lambda: together(tiny),
        "one_job": lambda: one_job(tiny),
        "peers": lambda: peers(tiny, blocks[-1]),
        "profile": lambda: profile(tiny, 2 if tiny else blocks[-1]),
        "tests": lambda: tests(tiny),
    }
    found = {}
    for name, part in parts.items():
        if arguments.parts and name not in arguments.parts:
            continue
        start = time.perf_counter()
        try:
            found[name] = part()
        except Exception:
            found[name] = {"error": traceback.format_exc()[-2000:]}
            print(name, found[name]["error"], flush=True)
        print(f"== {name}: {time.perf_counter() - start:.1f} s", flush=True)
        arguments.json.write_text(json.dumps(found, indent=1))
    print(json.dumps(found.get("machine"), indent=1))


if __name__ == "__main__":
    main()
