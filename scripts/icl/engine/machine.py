"""What does the arithmetic, and how: two of these that differ may give other last bits."""

import os
import platform
from pathlib import Path

import torch
from llvmlite.binding import get_host_cpu_name

from icl.kernels import products
from icl.kernels.products import SWITCH

_CPUINFO = Path("/proc/cpuinfo")
_ROUNDING = 1e-5  # of a product in float32, at most; bfloat16 makes 2e-3


def prepare(threads: int) -> None:
    """Set this process up to train.

    Below 1e-38, where weights under decay end, a processor is many times slower, and nothing comes
    of such numbers: they are 0.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    choose_products()


def choose_products() -> None:
    """Let the library that is faster here multiply matrices in float32.

    MKL uses the whole width of the vectors of Intel's processors alone; on others oneDNN is twice
    as fast. PyTorch asks oneDNN where less than float32 would do, but without units for bfloat16
    matrices oneDNN computes in float32 all the same. A product here tells whether it does. If
    not, those units serve the jobs that ask for bfloat16.
    """
    SWITCH.fp32_precision = "bf16"
    is_float32 = _error_of_products() < _ROUNDING
    products.here.has_units = not is_float32 and _error_of_products(bits=8) < _ROUNDING
    SWITCH.fp32_precision = "bf16" if is_float32 and _mkl_is_slow() else "ieee"


def _mkl_is_slow() -> bool:
    wide = torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return wide and torch.backends.mkl.is_available() and _cpuinfo("vendor_id") != "GenuineIntel"


def _error_of_products(bits: int = 24) -> float:
    """How far a product is from that of its factors, of so many bits, in float64; relative."""
    a, b = torch.rand(2, 4, 128, 512, generator=torch.Generator().manual_seed(0))
    found = torch.bmm(a, b.mT)
    if bits < 24:
        a, b = products.rounded(a, bits), products.rounded(b, bits)
    exact = a.double() @ b.double().mT
    return ((found - exact).norm() / exact.norm()).item()


def describe(device: torch.device) -> dict[str, str]:
    """Name the processor, the code path that its libraries take, and the GPU if it is one.

    The code path is torch's vector instructions, its BLAS, and the processor that loops are
    compiled for; environment variables may choose others than the processor's best.
    """
    chosen = [f"{name}={os.environ[name]}" for name in _CHOOSING if os.environ.get(name)]
    blas = "MKL" if torch.backends.mkl.is_available() else "no MKL"
    if SWITCH.fp32_precision == "bf16":
        blas = "oneDNN"
    path = [torch.backends.cpu.get_cpu_capability(), blas, f"loops {get_host_cpu_name()}", *chosen]
    found = {"processor": _processor(), "code_path": ", ".join(path)}
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        found["gpu"] = f"{name}, CUDA {torch.version.cuda}, driver {_driver()}"
    return found


_CHOOSING = (
    *("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR"),
    *("ONEDNN_MAX_CPU_ISA", "NUMBA_CPU_NAME"),
)


def _processor() -> str:
    """Name the processor's model as the system does."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(wanted: str) -> str:
    """Look up what the system says of the first processor; "" where it does not."""
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == wanted:
                return value.strip()
    return ""


def _driver() -> str:
    """Name the version of NVIDIA's driver as its kernel module does."""
    found = Path("/proc/driver/nvidia/version")
    if not found.is_file():
        return "unknown"
    words = found.read_text(encoding="utf-8", errors="replace").split()
    return next((word for word in words if word[:1].isdigit() and "." in word), "unknown")
