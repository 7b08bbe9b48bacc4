"""What a figure of time or memory depends on: the machine, and the versions of what computes."""

import ctypes
import gc
import os
import platform
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from llp_core import __version__
from llp_core.processes import usable_cores

_PACKAGES = ("llp", "torch", "torch-geometric", "numpy", "onnxruntime", "openvino", "dvc", "prefect")


@dataclass(frozen=True)
class Machine:
    """What a duration depends on.

    Attributes:
        cpu: its model.
        cores: that this process may use.
        memory_gb: in all, 2**30 bytes each.
        gpu: its model, or None.
        versions: of Python and the packages that compute.
    """

    cpu: str
    cores: int
    memory_gb: float
    gpu: str | None
    versions: Mapping[str, str]


def machine() -> Machine:
    """This machine."""
    return Machine(
        cpu=_cpu_model(),
        cores=usable_cores(),
        memory_gb=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        gpu=torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        versions={"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES},
    )


def code_versions() -> dict[str, str]:
    """Of this package and torch: another one of either may train another model from the same data and settings."""
    return {"llp": __version__, "torch": torch.__version__}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def device_name(device: torch.device) -> str:
    """The kind of device and its model: "cpu AMD EPYC"."""
    model = torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_model()
    return f"{device.type} {model}"


def peak_memory_mb() -> float:
    """The most memory that this process held since `forget_peak_memory`, in 2**20 bytes."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    for line in lines:
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 2**10
    # Not Linux, or one in a sandbox such as gVisor: since the process began, and macOS counts in bytes.
    unit = 2**20 if platform.system() == "Darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def forget_peak_memory() -> None:
    """Gives freed memory back and begins the peak anew, so that a model's peak is not that of the one before."""
    gc.collect()
    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # man 5 proc
    except OSError:
        return
