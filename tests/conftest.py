"""Before any test: products of matrices are a job's, and Triton's kernels run without a GPU too.

Triton reads its switch as it is imported, which any test may be the first to do.
"""

import os

import pytest
import torch
from icl.engine import machine

machine.choose_products()


@pytest.fixture(autouse=True)
def small_numbers_stay():
    """Undo what training asks of a processor (`machine.prepare`), for tests that run it here."""
    yield
    torch.set_flush_denormal(False)


if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
