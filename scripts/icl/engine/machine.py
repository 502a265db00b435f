"""What does the arithmetic: two of these that differ may give other last bits."""

import os
import platform
from pathlib import Path

import torch
from llvmlite.binding import get_host_cpu_name

_CPUINFO = Path("/proc/cpuinfo")


def describe(device: torch.device) -> dict[str, str]:
    """Name the processor, the code path that its libraries take, and the GPU if it is one.

    The code path is torch's vector instructions, its BLAS, and the processor that loops are
    compiled for; environment variables may choose others than the processor's best.
    """
    chosen = [f"{name}={os.environ[name]}" for name in _CHOOSING if os.environ.get(name)]
    blas = "MKL" if torch.backends.mkl.is_available() else "no MKL"
    path = [torch.backends.cpu.get_cpu_capability(), blas, f"loops {get_host_cpu_name()}", *chosen]
    found = {"processor": _processor(), "code_path": ", ".join(path)}
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        found["gpu"] = f"{name}, CUDA {torch.version.cuda}, driver {_driver()}"
    return found


_CHOOSING = ("ATEN_CPU_CAPABILITY", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR", "NUMBA_CPU_NAME")


def _processor() -> str:
    """Name the processor's model as the system does."""
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _driver() -> str:
    """Name the version of NVIDIA's driver as its kernel module does."""
    found = Path("/proc/driver/nvidia/version")
    if not found.is_file():
        return "unknown"
    words = found.read_text(encoding="utf-8", errors="replace").split()
    return next((word for word in words if word[:1].isdigit() and "." in word), "unknown")
