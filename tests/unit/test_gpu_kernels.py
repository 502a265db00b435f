"""A GPU's kernels in Triton's interpreter, against the models' forward pass and autograd.

The same tests run on a GPU itself if there is one (`pytest -m gpu` adds those of whole runs).
"""

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from math import inf

import pytest
import torch
from example_jobs import CASES, TASKS, furthest, make_job

pytest.importorskip("triton")

from icl.engine import graphs, steps
from icl.job import Model
from icl.kernels import products
from icl.kernels.gpu import draws as gpu_draws
from icl.kernels.gpu import products as gpu_products
from icl.kernels.gpu.attention import Attention
from icl.models import MODELS, gpu, loading
from icl.task import streams
from icl.task.draws import Dataset, Sequences
from icl.task.streams import Purpose

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
SEEDS = torch.tensor([0, 7, 2**40 + 3], dtype=torch.int64)
STEP = torch.tensor([12345], device=DEVICE)


def on_device(*tensors):
    return [x.to(DEVICE) for x in tensors]


@pytest.mark.parametrize("n", [1, 5, 64, 1027])
def test_words_are_those_of_the_cpu(n):
    (seeds,) = on_device(SEEDS)
    out = torch.full((3, n), -1, device=DEVICE)
    gpu_draws.fill_words(seeds, int(Purpose.LABELS), STEP, out)
    assert torch.equal(out.cpu(), streams.bits(SEEDS, Purpose.LABELS, 12345, n))


@pytest.mark.parametrize(
    ("shape", "high", "high_last"),
    [((1, 1), 1, 1), ((3, 2), 5, 2), ((16, 99), 100_001, 99), ((7, 64), 2**31 - 1, 64)],
)
def test_integers_are_those_of_the_cpu(shape, high, high_last):
    (seeds,) = on_device(SEEDS)
    out = torch.full((3, *shape), -1, device=DEVICE)
    last = torch.full((3, shape[0]), -1, device=DEVICE)
    purpose = Purpose.TRAINING
    gpu_draws.fill_integer_rows(seeds, int(purpose), STEP, high, high_last, out, last)
    expected = streams.integer_rows(SEEDS, purpose, 12345, shape, high, high_last)
    assert torch.equal(out.cpu(), expected[0])
    assert torch.equal(last.cpu(), expected[1])


@pytest.mark.parametrize("n", [1, 2, 7, 8, 61, 62, 63, 65, 4_099])  # all shifts of the second word
def test_normal_numbers_are_those_of_the_cpu(n):
    (seeds,) = on_device(SEEDS)
    out = torch.full((3, n), torch.nan, device=DEVICE)
    gpu_draws.fill_normal(seeds, int(Purpose.ITEMS), STEP, out)
    expected = streams.normal(SEEDS, Purpose.ITEMS, 12345, (n,))
    torch.testing.assert_close(out.cpu(), expected, rtol=1e-5, atol=2e-6)


def plain_attention(table, context, query, own, with_self):
    rows = torch.stack([t[c] for t, c in zip(table, context, strict=True)])
    if with_self:
        rows = torch.cat((rows, own[:, :, None]), dim=2)
    weights = torch.einsum("rbne,rbe->rbn", rows, query).softmax(-1)
    return torch.einsum("rbn,rbne->rbe", weights, rows)


@pytest.mark.parametrize("zero_sum", [False, True])
@pytest.mark.parametrize("with_self", [False, True])
@pytest.mark.parametrize(("width", "length"), [(5, 2), (8, 37), (64, 70)])
def test_attention_is_that_of_autograd_in_double_precision(zero_sum, with_self, width, length):
    torch.manual_seed(width)
    table, own = torch.randn(2, 11, width + zero_sum), torch.randn(2, 3, width + zero_sum)
    if zero_sum:
        table, own = (x - x.mean(-1, keepdim=True) for x in (table, own))
    query, gradient = torch.randn(2, 2, 3, width + zero_sum)
    context = torch.randint(11, (2, 3, length))
    exact = query.double().requires_grad_()
    expected = plain_attention(table.double(), context, exact, own.double(), with_self)
    (of_query,) = torch.autograd.grad((expected * gradient).sum(), exact)
    if zero_sum:  # along (1, ..., 1) a query makes no difference
        of_query = of_query - of_query.mean(-1, keepdim=True)
    kernel = Attention(width, zero_sum, with_self)
    kept = table[..., :width].contiguous()
    on = on_device(kept, context, query, own, gradient)
    found = kernel.forward(*on[:4])
    got = kernel.backward(*on[:4], found, on[4])
    torch.testing.assert_close(found[0].cpu().double(), expected.detach(), rtol=2e-5, atol=2e-6)
    torch.testing.assert_close(got.cpu().double(), of_query, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", [name for name in products.PRECISIONS if name != "float32"])
@pytest.mark.parametrize(
    ("shape", "beta"), [((2, 1, 1, 1), 0.0), ((3, 65, 70, 33), 0.9), ((1, 128, 65, 130), 1.0)]
)
def test_products_are_rounded_as_on_a_cpu(name, shape, beta):
    r, m, k, n = shape
    generator = torch.Generator().manual_seed(m)
    left = torch.randn(r, k, m, generator=generator).mT
    right = torch.randn(r, k, n, generator=generator)
    # What is not to be read: a product that keeps nothing of `to` may find anything there.
    to = torch.randn(r, m, n, generator=generator) if beta else torch.full((r, m, n), torch.nan)
    with products.at(name):
        expected = to.clone()
        products.add_product(expected, left, right, beta, alpha=-0.3)
        found, *factors = on_device(to.clone(), left, right)
        precision = products.here.precision
        gpu_products.add_product(found, *factors, beta, -0.3, precision)
        flat = found[0].clone()
        gpu_products.add_product(flat, factors[0][0], factors[1][0], 0.0, -0.3, precision)
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-5, atol=1e-5)
    only = expected[0] - beta * to[0] if beta else expected[0]
    torch.testing.assert_close(flat.cpu(), only, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["tf32", "bfloat16x3"])
def test_a_product_takes_numbers_of_each_replicate(name):
    left, right, to = torch.randn(3, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    betas, alphas = torch.tensor([[0.5, 0.9, 1.0], [-0.3, 2.0, 0.1]])
    precision = products.PRECISIONS[name]
    expected = to.clone()
    for r in range(3):
        numbers = betas[r].item(), alphas[r].item(), precision
        products.add_product(expected[r], left[r], right[r], *numbers)
    by_column = to.clone()
    products.add_product(by_column, left, right, betas, alphas, precision)
    found, *given = on_device(to.clone(), left, right, betas, alphas)
    gpu_products.add_product(found, *given, precision)
    for each in (found.cpu(), by_column):
        torch.testing.assert_close(each, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in products.PRECISIONS if name != "float32"])
def test_a_product_of_nan_is_nan(name):
    """Of that which a card makes, all of whose bits are 1, too."""
    nan = torch.tensor([0x7FFFFFFF], dtype=torch.int32).view(torch.float32)
    left, right = on_device(nan.expand(1, 2, 3).contiguous(), torch.ones(1, 3, 2))
    for factors in ((left, right), (right.mT, left.mT)):
        (found,) = on_device(torch.zeros(1, 2, 2))
        gpu_products.add_product(found, *factors, 1.0, 1.0, products.PRECISIONS[name])
        assert found.isnan().all()


JOBS = {
    **{case: make_job(case) for case in CASES},
    "affine": make_job("minimal", model=Model("one_layer", 5, 16, "context_and_self", True)),
    "context": make_job("minimal", model=Model("one_layer", 6, 10, "context", True)),
    **{
        f"minimal-{name}": make_job("minimal", task=task, n_items=n_items)
        for name, (task, n_items) in TASKS.items()
    },
}
JOBS = {name: job for name, job in JOBS.items() if MODELS[job.model.name].has_gpu_step}


def drawn(job):
    """Random parameters far from the start's symmetries, a dataset, and sequences on it."""
    generator = torch.Generator().manual_seed(1)
    n_items = 13 if job.n_items == inf else int(job.n_items)
    shape = len(job.seeds), n_items
    items = torch.randn(*shape, job.model.item_dim, generator=generator) / job.model.item_dim**0.5
    labels = torch.randint(2, shape, generator=generator).float() * 2 - 1
    context = torch.randint(n_items, (shape[0], 9, job.context_length), generator=generator)
    target = torch.randint(n_items, (shape[0], 9), generator=generator)
    start = loading.network(job.model.name).initialise(torch.tensor(job.seeds), job.model)
    parameters = {
        name: p + 0.3 * torch.randn(p.shape, generator=generator) for name, p in start.items()
    }
    return parameters, Dataset(items, labels), Sequences(context, target)


def of_step(make, job, slip=lambda sequences: sequences):
    """Logits, and how far each parameter moved in a step."""
    parameters, dataset, sequences = drawn(job)
    here = torch.device("cpu") if make is steps.plain else DEVICE
    parameters = {name: p.to(here) for name, p in parameters.items()}
    dataset = Dataset(dataset.items.to(here), dataset.labels.to(here))
    sequences = slip(Sequences(sequences.context.to(here), sequences.target.to(here)))
    arithmetic = make(job)
    tables = arithmetic.embed(dataset)
    before = {name: p.clone() for name, p in parameters.items()}
    logits = arithmetic.logits(parameters, tables, sequences, job.model)
    arithmetic.step(parameters, tables, sequences)
    moved = {name: (p - before[name]).cpu() for name, p in parameters.items()}
    return logits.cpu(), moved, arithmetic, tables


@pytest.mark.parametrize("name", JOBS)
def test_a_step_moves_every_parameter_as_autograd_does(name):
    job = JOBS[name]
    # Large rates, so that rounding is of moves; two, so that each serves its own parameters.
    optimiser = replace(job.optimiser, learning_rate=1.0, mlp_learning_rate=0.7)
    job = replace(job, optimiser=optimiser)
    expected, moves, *_ = of_step(steps.plain, job)
    logits, moved, arithmetic, tables = of_step(steps.on_gpu, job)
    torch.testing.assert_close(logits, expected, rtol=1e-5, atol=1e-5)
    assert moved.keys() == moves.keys()
    assert furthest(moves, moved) < 1e-5
    unpacked = arithmetic.unpack(tables)
    own = loading.network(job.model.name).embed(drawn(job)[1])
    for field, value in vars(own).items():
        torch.testing.assert_close(getattr(unpacked, field).cpu(), value, rtol=1e-5, atol=1e-6)


def frozen(monkeypatch):
    def backward(self, table, context, query, own, found, gradient):
        return torch.zeros_like(query)

    monkeypatch.setattr(Attention, "backward", backward)


def other_rate(monkeypatch):
    from icl.models.sgd import Descent

    init = Descent.__init__
    monkeypatch.setattr(Descent, "__init__", lambda self, r, d: init(self, 1.02 * r, d))


def other_sign(monkeypatch):
    from icl.kernels.gpu import mlp

    def read_out(*arguments):
        plain(*arguments)
        if arguments[3] is not None:
            arguments[4].neg_()

    plain = mlp.read_out
    monkeypatch.setattr(mlp, "read_out", read_out)


@pytest.mark.parametrize("slip", [frozen, other_rate, other_sign, None])
@pytest.mark.parametrize("name", ["affine", "minimal", "mlp-raw"])
def test_a_slip_would_be_seen(name, slip, monkeypatch):
    """The comparison above can fail, also by sequences that are one step off."""
    if name == "mlp-raw" and slip is frozen:
        pytest.skip("has no attention")
    job = JOBS[name]
    _, moves, *_ = of_step(steps.plain, job)
    if slip:
        slip(monkeypatch)
        _, moved, *_ = of_step(steps.on_gpu, job)
    else:

        def shifted(s):
            return Sequences(s.context.roll(1, 1), s.target.roll(1, 1).roll(1, 0))

        _, moved, *_ = of_step(steps.on_gpu, job, shifted)
    assert furthest(moves, moved) > 1e-3


def test_a_forward_pass_in_parts_is_one(monkeypatch):
    job = JOBS["affine"]
    whole, *_ = of_step(steps.on_gpu, job)
    monkeypatch.setattr(gpu, "SEQUENCES_OF_PASS", 4)
    parts, *_ = of_step(steps.on_gpu, job)
    torch.testing.assert_close(parts, whole, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("slip", [frozen, other_sign, None])
@pytest.mark.parametrize("name", ["affine", "minimal"])
def test_a_card_whose_kernels_are_wrong_trains_by_autograd(name, slip, monkeypatch, caplog):
    job = JOBS[name]
    if slip:
        slip(monkeypatch)
    assert steps.agrees_with_autograd(job, DEVICE) == (slip is None)
    assert ("not used" in caplog.text) == (slip is not None)


class PretendGraph:
    """A CUDA graph whose replay runs what was captured; capturing runs nothing that lasts."""

    captured = 0

    def __init__(self):
        PretendGraph.captured += 1

    def replay(self):
        self.work()


def test_a_captured_step_goes_on_from_any_number(monkeypatch):
    trained = []
    graph = graphs.Graph(lambda number: trained.append(number.item()), torch.device("cpu"))

    @contextmanager
    def capture(made):
        number = graph.number.clone()
        done = len(trained)
        yield
        graph.number.copy_(number)
        del trained[done:]
        made.work = graph._run

    monkeypatch.setattr(torch.cuda, "CUDAGraph", PretendGraph)
    monkeypatch.setattr(torch.cuda, "graph", capture)
    for step in (*range(6), 100, 101):
        graph(step)
    graph.forget()
    for step in range(102, 106):
        graph(step)
    assert trained == [*range(6), *range(100, 106)]
    assert PretendGraph.captured == 2


COMPILE = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from icl.kernels.gpu import attention, draws, mlp, products, tokens

P, F, I = "*fp32", "*i64", "i32"
options = dict(WIDTH=64, ZERO_SUM=True, WITH_SELF=True, LENGTH=100, BLOCK_N=32, BLOCK_E=64)
of_forward = dict(table=P, context=F, query=P, own=P, read=P, log_sum=P, n_items=I)
gradients = dict(read_gradient=P, query_gradient=P)
kernels = [
    (attention._forward, of_forward, options, 2),
    (attention._backward, {**of_forward, **gradients}, options, 2),
    (draws._normal, dict(seeds=F, step=F, purpose=I, out=P, n=I, n_pairs=I),
     {"SHIFT": 1, "BLOCK": 256}, 4),
    (draws._integer_rows, dict(seeds=F, step=F, purpose=I, out=F, last=F, n_rows=I, n_columns=I,
     high=I, high_last=I), {"BLOCK": 256}, 4),
    (tokens._tokens, dict(items=P, labels=P, rows=P, targets=P, n_rows=I, epsilon="fp32"),
     {"DIM": 63, "ROWS": 8, "BLOCK_E": 128}, 4),
]
EACH = (False, dict(keep="fp32", rate="fp32")), (True, dict(keep=P, rate=P))
kernels += [
    (mlp._read_out_backward, dict(hidden=P, bias=P, readout=P, readout_bias=P, gradient=P,
     **numbers), {"N_SEQUENCES": 128, "D": 512, "EACH": each, "BLOCK_B": 32, "BLOCK_D": 64}, 4)
    for each, numbers in EACH
]
kernels += [
    (mlp._relu_backward, dict(gradient=P, hidden=P, bias=P, **numbers),
     {"N_SEQUENCES": 128, "D": 512, "EACH": each, "BLOCK_B": 32, "BLOCK_D": 64}, 4)
    for each, numbers in EACH
]
names = products._add_product.arg_names
of_product = {**dict.fromkeys(names[:3], P), **dict.fromkeys(names[3:15], I)}
blocks = dict(FRESH=False, UNITS=True, BLOCK_M=64, BLOCK_N=64, BLOCK_K=32)
kernels += [
    (products._add_product, {**of_product, "beta": number, "alpha": number},
     {"BITS": bits, "PARTS": parts, "EACH": number == P, **blocks}, 4)
    for bits, parts, number in ((8, 1, P), (8, 2, "fp32"), (11, 1, "fp32"), (11, 2, P))
]
# A call turns each 1 into a constant, among the strides too.
kernels.append(
    (products._add_product, {**of_product, "beta": I},
     {"BITS": 8, "PARTS": 2, "EACH": False, **blocks, "FRESH": True, "alpha": 1, "to_n": 1,
      "left_m": 1, "right_n": 1}, 4)
)
SHARED = {"_add_product": 65_536}
for kernel, signature, constants, warps in kernels:
    signature = {**signature, **dict.fromkeys(constants, "constexpr")}
    source = ASTSource(kernel, {n: signature[n] for n in kernel.arg_names}, constants)
    for capability in (80, 90, 100):
        target = GPUTarget("cuda", capability, 32)
        made = triton.compile(source, target=target, options={"num_warps": warps})
        name = kernel.__name__
        assert made.metadata.shared <= SHARED.get(name, 16_384), (name, made.metadata.shared)
        assert made.asm["cubin"]
print("compiled")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="Triton is for Linux")
def test_kernels_compile_for_three_generations_of_cards(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", COMPILE],
        env={
            **environment,
            "PYTHONPATH": str(steps.__file__).rsplit("/icl/", 1)[0],
            "TRITON_CACHE_DIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "compiled", done.stderr[-2000:]
