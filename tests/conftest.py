"""Before any test: where there is no GPU, Triton's kernels run in its interpreter.

Triton reads this as it is imported, which any test may be the first to do.
"""

import os

import torch

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"
