"""Products of the MLP's hidden layers, at every precision: what is rounded, and what is not."""

from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch
from example_jobs import furthest
from fused_jobs import MODEL, make_job, make_state
from icl.engine import steps
from icl.experiment.schema import Optimiser
from icl.kernels import products
from icl.kernels.products import FLOAT32, PRECISIONS

LESS = [name for name, precision in PRECISIONS.items() if precision is not FLOAT32]
# Of a product of factors of mean 0, relative to its norm: half of the last bit, of each factor.
ERROR = {"tf32x3": 2e-6, "tf32": 4e-4, "bfloat16x3": 3e-5, "bfloat16": 3e-3}
CPU = torch.device("cpu")


def of_bits(x, bits):
    """Round by definition: the mantissa to an integer, to even between two."""
    mantissa, exponent = np.frexp(x.double().numpy())
    return torch.from_numpy(np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits))


@pytest.mark.parametrize("bits", [8, 11])
def test_numbers_are_rounded_to_the_nearest_with_so_many_bits(bits):
    x = torch.randn(10_000, generator=torch.Generator().manual_seed(bits)) * 1e3
    half_way = torch.tensor([1 + 2.0**-bits, 1 + 3 * 2.0**-bits, -1 - 2.0**-bits])  # ties
    x = torch.cat((x, half_way, torch.tensor([0.0, -1.0, 3e-39, torch.inf, -torch.inf])))
    expected = of_bits(x, bits)
    normal = x.abs() > 2.0**-126
    assert torch.equal(products.rounded(x, bits)[normal].double(), expected[normal])
    nans = torch.tensor([0x7FC00000, 0x7FFFFFFF, -1, 0x7F800001], dtype=torch.int32)
    assert products.rounded(nans.view(torch.float32), bits).isnan().all()
    turned = x[:10_000].view(100, 100).mT
    assert torch.equal(products.rounded(turned, bits), products.rounded(turned.contiguous(), bits))


def test_a_configuration_may_ask_for_every_precision_and_no_other():
    assert get_args(Optimiser.model_fields["precision"].annotation) == tuple(PRECISIONS)


def factors(*shape, n=33):
    *batch, m, k = shape
    generator = torch.Generator().manual_seed(m)
    return (
        torch.randn(*batch, m, k, generator=generator),
        torch.randn(*batch, n, k, generator=generator).mT,
    )


@pytest.mark.parametrize("shape", [(3, 17, 200), (17, 200)])
@pytest.mark.parametrize("name", LESS)
def test_a_product_is_as_exact_as_its_precision(name, shape):
    left, right = factors(*shape)
    exact = left.double() @ right.double()
    with products.at(name):
        found = products.multiply(left, right)
    assert ERROR[name] / 10 < (found - exact).norm() / exact.norm() < ERROR[name]


@pytest.mark.parametrize("name", LESS)
def test_factors_are_rounded_by_definition_and_sums_are_not(name):
    left, right = factors(2, 9, 31)
    to = torch.randn(2, 9, 33)
    bits = PRECISIONS[name].bits
    a, b = of_bits(left, bits), of_bits(right, bits)
    expected = a @ b
    if PRECISIONS[name].parts == 2:
        rests = of_bits(left - a.float(), bits), of_bits(right - b.float(), bits)
        expected = expected + a @ rests[1] + rests[0] @ b
    expected = 0.9 * to.double() - 0.3 * expected
    with products.at(name):
        products.add_product(to, left, right, beta=0.9, alpha=-0.3)
    torch.testing.assert_close(to.double(), expected, rtol=1e-6, atol=2e-6)


def moves(make, job):
    parameters, dataset, sequences = make_state(job)
    arithmetic = make(job)
    tables = arithmetic.embed(dataset)
    before = {name: p.clone() for name, p in parameters.items()}
    logits = arithmetic.logits(parameters, tables, sequences, job.model)
    arithmetic.step(parameters, tables, sequences)
    return logits, {name: p - before[name] for name, p in parameters.items()}


def at_precision(job, name):
    return replace(job, optimiser=replace(job.optimiser, precision=name))


@pytest.mark.parametrize("name", LESS)
@pytest.mark.parametrize("model", MODEL)
def test_a_fast_step_rounds_what_the_plain_one_does(model, name):
    job = make_job(model, n_seeds=3, rate=1.0)
    (_, full), (logits, plain) = (
        moves(steps.plain, job),
        moves(steps.plain, at_precision(job, name)),
    )
    fast_logits, fast = moves(lambda job: steps.choose(job, CPU), at_precision(job, name))
    torch.testing.assert_close(fast_logits, logits, rtol=1e-4, atol=1e-5)
    rounding = furthest(full, plain)
    # What is rounded here and there differs in last bits, which another rounding may turn into one.
    assert furthest(plain, fast) < max(rounding / 3, 1e-5)
    if name == "bfloat16":
        assert rounding > 1e-3


@pytest.mark.parametrize("name", ["tf32", "bfloat16"])
@pytest.mark.parametrize("model", ["context-affine", "minimal"])
def test_a_gpu_s_step_rounds_what_the_plain_one_does(model, name):
    pytest.importorskip("triton")
    job = make_job(model, n_seeds=2, rate=1.0)
    (_, full), (logits, plain) = (
        moves(steps.plain, each) for each in (job, at_precision(job, name))
    )
    found_logits, found = moves(steps.on_gpu, at_precision(job, name))
    torch.testing.assert_close(found_logits, logits, rtol=1e-4, atol=1e-5)
    assert furthest(plain, found) < furthest(full, plain) / 3


@pytest.mark.parametrize("make", [steps.plain, lambda job: steps.choose(job, CPU)])
@pytest.mark.parametrize("model", ["context-affine", "minimal", "two_layer-context-plain"])
def test_evaluations_are_float32(model, make):
    job = make_job(model, n_seeds=2)
    expected, found = (moves(make, at_precision(job, name))[0] for name in ("float32", "bfloat16"))
    assert torch.equal(found, expected)
    assert products.here.precision is FLOAT32


def test_a_step_that_fails_leaves_float32_behind():
    with pytest.raises(ZeroDivisionError), products.at("tf32"):
        raise ZeroDivisionError
    assert products.here.precision is FLOAT32


@pytest.fixture
def units(monkeypatch):
    """Pretend to have units for bfloat16: they round where PyTorch's switch lets them."""
    switch = SimpleNamespace(fp32_precision="ieee")
    monkeypatch.setattr(products, "SWITCH", switch)

    def by_units(name):
        plain = getattr(torch.Tensor, name)

        def add(self, left, right, **scales):
            if switch.fp32_precision == "bf16":
                left, right = (x.bfloat16().float() for x in (left, right))
            return plain(self, left, right, **scales)

        monkeypatch.setattr(torch.Tensor, name, add)

    by_units("baddbmm_")
    by_units("addmm_")
    return switch


@pytest.mark.parametrize("name", PRECISIONS)
def test_units_give_what_rounding_by_hand_gives(units, monkeypatch, name):
    job = at_precision(make_job("context-affine", n_seeds=2, rate=1.0), name)
    logits, by_hand = moves(lambda job: steps.choose(job, CPU), job)
    monkeypatch.setattr(products.here, "has_units", True)
    found_logits, found = moves(lambda job: steps.choose(job, CPU), job)
    assert torch.equal(found_logits, logits)
    assert furthest(by_hand, found) == 0
    assert units.fp32_precision == "ieee"
