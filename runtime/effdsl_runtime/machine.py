"""The machine that tasks run on: what it is, for the key, and what it looked like, for the record."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pynvml

from effdsl import hardware
from effdsl.hardware import Hardware
from effdsl.units import Bytes
from effdsl_runtime.cgroup import ROOT, usable_cores, usable_memory
from effdsl_runtime.probes.nvml import gpu_handle

# The name that NVML gives a GPU, without the maker's, and what the catalog calls it. Names that do not
# tell the memory or the form apart are completed by a check of the memory (see `_catalogued`).
NVML_NAMES = {
    "GeForce GTX 1080": hardware.GTX_1080,
    "GeForce GTX 1080 Ti": hardware.GTX_1080_TI,
    "GeForce RTX 2080 Ti": hardware.RTX_2080_TI,
    "TITAN RTX": hardware.TITAN_RTX,
    "Tesla V100-PCIE-32GB": hardware.V100,
    "GeForce RTX 3060": hardware.RTX_3060,
    "GeForce RTX 3090": hardware.RTX_3090,
    "GeForce RTX 3090 Ti": hardware.RTX_3090_TI,
    "GeForce RTX 4090": hardware.RTX_4090,
    "RTX A4000": hardware.RTX_A4000,
    "RTX A5000": hardware.RTX_A5000,
    "RTX A6000": hardware.RTX_A6000,
    "A40": hardware.A40,
    "A100 80GB PCIe": hardware.A100,
    "L20": hardware.L20,
    "H100 PCIe": hardware.H100_PCIE,
    "H100 80GB HBM3": hardware.H100,
    "H200": hardware.H200,
    "GH200 480GB": hardware.GH200,  # 480 GB is the CPU's memory; the one with 144 GB of HBM3e is another
}
MEMORY_TOLERANCE = 0.12  # vendors print powers of ten or of two, and drivers keep a part
LIBRARIES = ("torch", "numpy", "tokenizers", "transformers", "duckdb", "attrs", "cattrs", "nvidia-ml-py")
GIT_TIMEOUT_S = 5


def detect(root: Path = ROOT) -> Hardware:
    """This machine as hardware: its first visible GPU, else its CPU. Torch is not imported.

    A GPU of the catalog gets the catalog's name, so that results made here and a study declared for
    that GPU share their keys. What cannot be known, such as a CPU's peak rate, is left empty.
    """
    return _gpu() or _cpu(root)


def describe(folder: Path | None = None) -> dict[str, Any]:
    """What a record keeps about where it was made.

    Args:
        folder: whose git commit is meant; the working directory by default.
    """
    return {
        "host": socket.gethostname(),
        "os": _os_name(),
        "python": platform.python_version(),
        "libraries": libraries(),
        **_device(),
        **_git(folder or Path.cwd()),
    }


@cache
def libraries() -> dict[str, str]:
    """Versions of the installed libraries that may matter to a result."""
    return {name: found for name in LIBRARIES if (found := _installed(name))}


def load_average() -> float:
    """Processes that wanted to run, averaged over the last minute."""
    return os.getloadavg()[0]


def _cpu(root: Path) -> Hardware:
    facts = _cpuinfo(root)
    model = facts.get("model name") or platform.processor() or platform.machine()
    flags = set(facts.get("flags", facts.get("Features", "")).split())
    memory = usable_memory(root)
    return Hardware(
        name=f"{' '.join(model.split())} x{usable_cores(root)}",
        kind="cpu",
        memory=None if memory is None else Bytes(memory),
        bf16=bool(flags & {"avx512_bf16", "amx_bf16", "bf16"}),  # the last one is what ARM calls it
        source="/proc/cpuinfo",
    )


def _cpuinfo(root: Path) -> dict[str, str]:
    """The first processor of ``/proc/cpuinfo``."""
    try:
        first = (root / "proc/cpuinfo").read_text(encoding="utf-8").strip().split("\n\n")[0]
    except OSError:
        return {}
    lines = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


@contextmanager
def _first_gpu() -> Iterator[Any]:
    """NVML's handle of the first visible GPU, or None."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        yield None
        return
    try:
        yield gpu_handle(0, os.environ.get("CUDA_VISIBLE_DEVICES"))
    except pynvml.NVMLError:
        yield None
    finally:
        pynvml.nvmlShutdown()


def _gpu() -> Hardware | None:
    with _first_gpu() as handle:
        if handle is None:
            return None
        name = _short(pynvml.nvmlDeviceGetName(handle))
        memory = int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
        known = _catalogued(name, memory)
        if known is not None:
            return known
        return Hardware(
            name=name,
            memory=Bytes(memory),
            power_limit_w=_power_limit_w(handle),
            bf16=_compute_capability(handle) >= (8, 0),
            source="NVML",
        )


def _catalogued(name: str, memory: int) -> Hardware | None:
    known = NVML_NAMES.get(name)
    if known is None or known.memory is None:
        return None
    return known if abs(memory / known.memory.value - 1) <= MEMORY_TOLERANCE else None


def _short(name: str) -> str:
    return name.removeprefix("NVIDIA ").strip()


def _power_limit_w(handle: Any) -> float | None:
    try:
        return float(pynvml.nvmlDeviceGetEnforcedPowerLimit(handle)) / 1000
    except pynvml.NVMLError:
        return None


def _compute_capability(handle: Any) -> tuple[int, int]:
    try:
        major, minor = pynvml.nvmlDeviceGetCudaComputeCapability(handle)
    except pynvml.NVMLError:
        return (0, 0)
    return int(major), int(minor)


def _device() -> dict[str, str]:
    with _first_gpu() as handle:
        if handle is None:
            return {"device": _cpu(ROOT).name, "driver": ""}
        return {
            "device": f"{pynvml.nvmlDeviceGetName(handle)} ({pynvml.nvmlDeviceGetUUID(handle)})",
            "driver": str(pynvml.nvmlSystemGetDriverVersion()),
        }


def _os_name() -> str:
    try:
        name = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        name = platform.system()
    return f"{name}, {platform.system()} {platform.release()} {platform.machine()}"


def _installed(package: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version  # a fifth of the start of `plan`

    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git(folder: Path) -> dict[str, Any]:
    """Commit of a folder and whether files that git follows differ from it; empty outside a repository."""
    commit = _git_says(folder, "rev-parse", "HEAD")
    changed = _git_says(folder, "status", "--porcelain", "--untracked-files=no") if commit else None
    return {"git_commit": commit or "", "git_dirty": None if changed is None else bool(changed)}


def _git_says(folder: Path, *arguments: str) -> str | None:
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, no shell
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
