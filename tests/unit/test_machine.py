"""What does the arithmetic is named, and two code paths of one processor are told apart."""

import json
import os
import subprocess
import sys

import pytest
import torch
from checkout import ROOT
from icl.engine import machine

CODE = """
import json, torch
from icl.engine import machine, training
from example_jobs import JOB
training.train(JOB)
print(json.dumps(machine.describe(torch.device("cpu"))))
"""


def test_the_processor_has_a_name():
    found = machine.describe(torch.device("cpu"))
    assert found["processor"]
    assert set(found) == {"processor", "code_path"}


def test_a_processor_without_cpuinfo_has_one_too(monkeypatch, tmp_path):
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "none")
    assert machine.describe(torch.device("cpu"))["processor"]


def test_two_code_paths_of_one_job_are_named():
    where = {**os.environ, "PYTHONPATH": f"{ROOT}/scripts:{ROOT}/tests/unit"}
    found = []
    for chosen in ({}, {"ATEN_CPU_CAPABILITY": "default", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2"}):
        done = subprocess.run(
            [sys.executable, "-c", CODE],
            env={**where, **chosen},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(json.loads(done.stdout))
    plain, other = found
    assert plain["processor"] == other["processor"]
    assert other["code_path"].startswith("DEFAULT")
    assert "ATEN_CPU_CAPABILITY=default" in other["code_path"]
    if plain["code_path"].startswith("DEFAULT"):
        pytest.skip("this processor has one code path")
    assert plain["code_path"].split(",")[0] != other["code_path"].split(",")[0]


@pytest.fixture
def products():
    """Give back the choice of a library after a test has changed it."""
    yield
    machine.choose_products()


@pytest.mark.parametrize("vendor", ["GenuineIntel", "AuthenticAMD"])
def test_products_are_float32_whichever_library_is_chosen(products, monkeypatch, tmp_path, vendor):
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")
    machine._CPUINFO.write_text(f"vendor_id\t: {vendor}\nmodel name\t: x\n")
    machine.choose_products()
    if vendor == "GenuineIntel":
        assert "oneDNN" not in machine.describe(torch.device("cpu"))["code_path"]
    for shape in ((128, 65, 512), (512, 128, 65), (128, 512, 512), (65, 65, 65), (33, 7, 1)):
        m, k, n = shape
        a, b = torch.randn(3, m, k), torch.randn(3, n, k).mT
        out = torch.randn(3, m, n)
        exact = torch.baddbmm(out.double(), a.double(), b.double(), beta=0.9, alpha=-0.1)
        out.baddbmm_(a, b, beta=0.9, alpha=-0.1)
        assert (out - exact).norm() / exact.norm() < 1e-6


@pytest.mark.parametrize(("error", "serve"), [(1e-7, True), (2e-3, False)])
def test_units_serve_if_they_round_as_a_precision_says(products, monkeypatch, error, serve):
    errors = {24: 2e-3, 8: error}
    monkeypatch.setattr(machine, "_error_of_products", lambda bits=24: errors[bits])
    machine.choose_products()
    assert machine.products.here.has_units is serve
    assert machine.SWITCH.fp32_precision == "ieee"


def test_a_library_that_would_round_to_less_than_float32_is_not_taken(products, monkeypatch):
    monkeypatch.setattr(machine, "_mkl_is_slow", lambda: True)
    monkeypatch.setattr(machine, "_error_of_products", lambda bits=24: 2e-3)  # as bfloat16 makes it
    machine.choose_products()
    assert machine.SWITCH.fp32_precision == "ieee"


def test_the_trial_product_tells_bfloat16_from_float32(monkeypatch):
    assert machine._error_of_products() < 1e-6
    plain = torch.bmm
    monkeypatch.setattr(
        torch, "bmm", lambda a, b: plain(a.bfloat16().float(), b.bfloat16().float())
    )
    assert machine._error_of_products() > machine._ROUNDING
