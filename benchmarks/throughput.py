"""Replicate-steps per second on one core: this engine beside what one would write instead.

    OMP_NUM_THREADS=1 python benchmarks/throughput.py [--json benchmarks/results.json]

Every contender trains the same model from the same start on the same sequences, and is first held
to the same loss. They take turns, STEPS_A_TURN steps each, and medians are compared, so that a busy
machine slows all alike; processor time is what is counted. The peers are given their sequences;
ours draws its own. The bound is what the step's matrix products alone would take at the rate of a
large matrix product, measured in turn with the rest.
"""

import argparse
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import store
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from icl.engine import machine, steps
from icl.job import Evaluation, EvaluationSequences, Job, Model, Optimiser, Stop, Task, WeightDecay
from icl.models.one_layer import network as one_layer
from icl.task import draws
from icl.task.streams import Purpose

BATCH, RATE, DECAY, ITEM_DIM = 128, 0.01, 1e-10, 63
GEMM_SIZE = 1024
STEPS_A_TURN = 10  # in training a step follows its own kind: of ten, one finds another's caches
AGREEMENT = 1e-4  # of losses after the warm-up, between contenders


@dataclass(frozen=True)
class Size:
    """One problem: N, K, d, and how many replicates are trained at once where they can be."""

    context_length: int
    n_items: int
    hidden_dim: int
    n_replicates: int

    def job(self) -> Job:
        """Describe the run to the engine."""
        return Job(
            model=Model("one_layer", ITEM_DIM, self.hidden_dim, "context_and_self", False),
            task=Task("random", 512),
            optimiser=Optimiser(RATE, BATCH, WeightDecay(DECAY, DECAY)),
            evaluation=Evaluation("linear", 1, None, EvaluationSequences(1, 1, 1), 1),
            stop=Stop("never", None, None, None),
            steps=1,
            context_length=self.context_length,
            n_items=self.n_items,
            seeds=tuple(range(self.n_replicates)),
        )

    @property
    def operations(self) -> int:
        """Floating-point operations of a replicate-step's products with its weight matrices."""
        width, d = ITEM_DIM + 2, self.hidden_dim
        return 6 * BATCH * (3 * width**2 + width * d + d**2)


SIZES = {
    "N=64, d=128": Size(64, 2_000, 128, 8),
    "N=100, d=512": Size(100, 10_000, 512, 4),
    "N=400, d=512": Size(400, 10_000, 512, 4),
}


class Problem:
    """What all contenders start from."""

    def __init__(self, size: Size):
        self.size, self.job = size, size.job()
        self.seeds = torch.tensor(self.job.seeds)
        self.dataset = draws.training_dataset(self.seeds, size.n_items, ITEM_DIM, self.job.task)
        self.start = one_layer.initialise(self.seeds, self.job.model)

    def parameters(self) -> dict[str, torch.Tensor]:
        """Return a fresh copy of the parameters at step 0."""
        return {name: p.clone() for name, p in self.start.items()}

    def sequences(self, step: int) -> draws.Sequences:
        """Draw the sequences of a step."""
        sizes = (BATCH, self.size.context_length, self.size.n_items)
        return draws.draw_sequences(self.seeds, Purpose.TRAINING, step, *sizes)

    def tokens(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the tokens before LayerNorm, with and without labels: (R, K, E)."""
        items, labels = self.dataset.items, self.dataset.labels
        one_hot = torch.stack((labels > 0, labels < 0), dim=-1).float()
        empty = torch.zeros_like(one_hot)
        return torch.cat((items, one_hot), -1), torch.cat((items, empty), -1)


class PlainModule(nn.Module):
    """Eq. 1 as one would write it in PyTorch; all queries, as released, or the target's alone."""

    def __init__(self, parameters: dict[str, torch.Tensor], all_queries: bool):
        super().__init__()
        width, d = parameters["query"].shape[-1], parameters["hidden1"].shape[0]
        self.all_queries = all_queries
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.query, self.key, self.value = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.hidden1, self.hidden2 = nn.Linear(width, d), nn.Linear(d, d)
        self.readout = nn.Linear(d, 1)
        with torch.no_grad():
            for name, p in parameters.items():
                layer = getattr(self, name.removesuffix("_bias"))
                (layer.bias if name.endswith("_bias") else layer.weight).copy_(p)

    def forward(self, sequence: torch.Tensor) -> torch.Tensor:
        """Compute logits (B,) from tokens (B, N + 1, E), the target's last."""
        t = self.norm(sequence)
        query = self.query(t if self.all_queries else t[:, -1:])
        attention = (query @ self.key(t).mT).softmax(-1)
        u = t[:, -1] + (attention @ self.value(t))[:, -1]
        hidden = functional.relu(self.hidden2(functional.relu(self.hidden1(u))))
        return self.readout(hidden).squeeze(-1)


class Contender:
    """Anyone who trains by single steps."""

    products = "ieee"  # PyTorch's own choice of a library for products of matrices

    def train(self, batches: list[draws.Sequences]) -> None:
        """Take one step on each batch."""
        for sequences in batches:
            self.step(sequences)


class PlainLoop(Contender):
    """One replicate in a plain training loop: module, autograd, torch.optim.SGD."""

    def __init__(self, problem: Problem, all_queries: bool):
        self.problem = problem
        self.n_replicates = 1
        self.labelled, self.unlabelled = (t[0] for t in problem.tokens())
        parameters = {name: p[0] for name, p in problem.start.items()}
        self.module = PlainModule(parameters, all_queries)
        self.optimiser = torch.optim.SGD(self.module.parameters(), lr=RATE, weight_decay=DECAY)

    def step(self, sequences: draws.Sequences) -> float:
        """Train on one batch; return its loss."""
        context, target = sequences.context[0], sequences.target[0]
        tokens = torch.cat((self.labelled[context], self.unlabelled[target][:, None]), dim=1)
        labels = (self.problem.dataset.labels[0][target] > 0).float()
        loss = functional.binary_cross_entropy_with_logits(self.module(tokens), labels)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        return loss.item()


class FuncVmap(Contender):
    """All replicates by torch.func: grad of one replicate's loss, vmapped."""

    def __init__(self, problem: Problem):
        self.n_replicates = problem.size.n_replicates
        self.parameters = problem.parameters()
        tables = one_layer.embed(problem.dataset)
        self.tables = (tables.labelled, tables.unlabelled, tables.labels)
        self.gradient = torch.func.vmap(torch.func.grad_and_value(self._loss))

    @staticmethod
    def _loss(p, labelled, unlabelled, labels, context, target):
        token, rows = unlabelled[target], labelled[context]  # (B, E), (B, N, E)
        rows = torch.cat((rows, token[:, None]), dim=1)
        query = token @ p["query"].mT @ p["key"]
        attention = (rows @ query[..., None]).softmax(1)  # (B, N + 1, 1)
        u = token + (attention * rows).sum(1) @ p["value"].mT
        hidden = functional.relu(u @ p["hidden1"].mT + p["hidden1_bias"])
        hidden = functional.relu(hidden @ p["hidden2"].mT + p["hidden2_bias"])
        logits = (hidden @ p["readout"].mT + p["readout_bias"]).squeeze(-1)
        return functional.softplus(-labels[target] * logits).mean()

    def step(self, sequences: draws.Sequences) -> float:
        """Train on one batch; return the first replicate's loss."""
        gradients, losses = self.gradient(
            self.parameters, *self.tables, sequences.context, sequences.target
        )
        for name, p in self.parameters.items():
            p.mul_(1 - RATE * DECAY).sub_(gradients[name], alpha=RATE)
        return losses[0].item()


class Engine(Contender):
    """This library, with its autograd step or the one it chooses; it draws its own sequences."""

    def __init__(self, problem: Problem, plain: bool):
        self.problem, self.n_replicates, self.n_drawn = problem, problem.size.n_replicates, 0
        self.products = torch.backends.mkldnn.matmul.fp32_precision
        cpu = torch.device("cpu")
        self.arithmetic = steps.plain(problem.job) if plain else steps.choose(problem.job, cpu)
        self.parameters = problem.parameters()
        self.tables = self.arithmetic.embed(problem.dataset)

    def step(self, sequences: draws.Sequences) -> None:
        """Draw and train on one batch."""
        sequences = self.problem.sequences(self.n_drawn)
        self.n_drawn += 1
        self.arithmetic.step(self.parameters, self.tables, sequences)

    def loss(self, sequences: draws.Sequences) -> float:
        """Return the first replicate's loss on a batch."""
        job, tables = self.problem.job, self.tables
        logits = self.arithmetic.logits(self.parameters, tables, sequences, job.model)
        margin = logits * tables.labels.gather(1, sequences.target)
        return functional.softplus(-margin).mean(1)[0].item()


class Gemm(Contender):
    """A large matrix product, for the rate that bounds everything."""

    n_replicates = 1

    def __init__(self):
        self.products = torch.backends.mkldnn.matmul.fp32_precision
        self.a, self.b, self.out = (torch.randn(GEMM_SIZE, GEMM_SIZE) for _ in range(3))

    def step(self, sequences: draws.Sequences) -> None:
        """Multiply once."""
        torch.mm(self.a, self.b, out=self.out)


def contenders(problem: Problem) -> dict:
    """Set up everyone who competes at a size."""
    entries = {
        "engine": Engine(problem, plain=False),
        "engine, autograd": Engine(problem, plain=True),
        "torch.func vmap": FuncVmap(problem),
        "PyTorch loop, target query": PlainLoop(problem, all_queries=False),
        "PyTorch loop, all queries": PlainLoop(problem, all_queries=True),
        "matrix product": Gemm(),
    }
    try:
        from jax_peer import JaxPeer
    except ImportError:
        print("JAX is not installed: left out", file=sys.stderr)
    else:
        entries["JAX jit + scan + vmap"] = JaxPeer(problem, RATE, DECAY)
    return entries


def check_agreement(problem: Problem, entries: dict, n_steps: int) -> None:
    """Train everyone for a few steps (which warms them up) and compare their last losses.

    Raises:
        RuntimeError: if a contender does not compute what the others do.
    """
    losses = {}
    for step in range(n_steps):
        sequences = problem.sequences(step)
        for name, entry in entries.items():
            if isinstance(entry, Engine):
                losses[name] = entry.loss(sequences)
            loss = entry.step(sequences)
            if loss is not None:
                losses[name] = loss
    for name, loss in losses.items():
        if abs(loss - losses["engine"]) > AGREEMENT:
            raise RuntimeError(f"{name}: loss {loss}, the engine's is {losses['engine']}")


def measure(problem: Problem, rounds: int, warm_up: int) -> dict[str, float]:
    """Return each contender's median processor seconds for one replicate-step."""
    entries = contenders(problem)
    check_agreement(problem, entries, warm_up)
    seconds = {name: [] for name in entries}
    for turn in range(rounds + 1):  # the first is not timed: JAX compiles
        first = warm_up + turn * STEPS_A_TURN
        batches = [problem.sequences(first + i) for i in range(STEPS_A_TURN)]
        for name, entry in entries.items():
            torch.backends.mkldnn.matmul.fp32_precision = getattr(entry, "products", "ieee")
            start = time.process_time()
            entry.train(batches)
            taken = (time.process_time() - start) / STEPS_A_TURN / entry.n_replicates
            seconds[name].append(taken)
    torch.backends.mkldnn.matmul.fp32_precision = entries["engine"].products
    return {name: median(values[1:]) for name, values in seconds.items()}


def summarise(size: Size, seconds: dict[str, float]) -> dict:
    """Turn seconds into rates, ratios and the share of the bound."""
    gemm_rate = 2 * GEMM_SIZE**3 / seconds.pop("matrix product")
    bound = gemm_rate / size.operations
    ours = 1 / seconds["engine"]
    return {
        "size": asdict(size),
        "replicate_steps_per_second": {name: 1 / value for name, value in seconds.items()},
        "engine_is_faster_by": {name: value * ours for name, value in seconds.items()},
        "gemm_gflops": gemm_rate / 1e9,
        "bound": bound,
        "share_of_bound": ours / bound,
    }


def table(found: dict[str, dict]) -> str:
    """Lay the results out as a Markdown table."""
    names = list(next(iter(found.values()))["replicate_steps_per_second"])
    lines = ["| replicate-steps per second (the engine is faster by) |", "|---|"]
    for name in names:
        lines.append(f"| {name} |")
    lines += ["| bound: matrix products alone |", "| share of the bound |"]
    for size, result in found.items():
        lines[0] += f" {size} |"
        lines[1] += "---|"
        for row, name in enumerate(names, start=2):
            rate = result["replicate_steps_per_second"][name]
            lines[row] += f" {rate:.0f} ({result['engine_is_faster_by'][name]:.1f}x) |"
        lines[-2] += f" {result['bound']:.0f} |"
        lines[-1] += f" {result['share_of_bound']:.2f} |"
    return "\n".join(lines)


def main() -> None:
    """Measure every size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="write the numbers into this file")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contender")
    parser.add_argument("--warm-up", type=int, default=5, help="untimed steps before")
    parser.add_argument("--sizes", nargs="*", choices=SIZES, default=list(SIZES))
    arguments = parser.parse_args()
    machine.prepare(1)
    found = {}
    for name in arguments.sizes:
        seconds = measure(Problem(SIZES[name]), arguments.rounds, arguments.warm_up)
        found[name] = summarise(SIZES[name], seconds)
    print(table(found))
    if arguments.json:
        store.update(arguments.json, "peers", {"sizes": found})


if __name__ == "__main__":
    main()
