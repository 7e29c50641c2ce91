"""Where torch computes: device, threads, precision, and when it has finished."""

from __future__ import annotations

import ctypes
import gc
import os
from contextlib import AbstractContextManager, nullcontext

import torch

from effdsl.hardware import Hardware
from effdsl.techniques.technique import Unsupported
from effdsl_runtime.cgroup import usable_cores
from effdsl_runtime.probes.visible import keep_to_first_gpu

THREADS = "EFFDSL_THREADS"
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def device_of(hardware: Hardware) -> torch.device:
    """The device to compute on.

    Raises:
        Unsupported: when a GPU is asked for and torch sees none.
    """
    if hardware.kind != "gpu":
        return torch.device("cpu")
    keep_to_first_gpu()
    if not torch.cuda.is_available():
        raise Unsupported(f"torch {torch.__version__} sees no GPU", "install a build of torch with CUDA")
    return torch.device("cuda")


def use_threads() -> int:
    """Let torch compute with every core this process may use; returns how many.

    Fewer by ``$EFFDSL_THREADS`` or, as everywhere, ``$OMP_NUM_THREADS``.
    """
    asked = os.environ.get(THREADS) or os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    threads = int(asked) if asked.isdigit() and int(asked) else usable_cores()
    torch.set_num_threads(threads)
    return threads


def autocast(device: torch.device, dtype: str) -> AbstractContextManager[object]:
    """Matrix products in ``dtype``; weights, optimizer states and the loss stay float32."""
    to = DTYPES[dtype]
    return nullcontext() if to == torch.float32 else torch.autocast(device.type, to)


def synchronise(device: torch.device) -> None:
    """Wait until everything asked of ``device`` is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def give_back(device: torch.device) -> None:
    """Return what is free to the system and to ``device``: what was in use for a moment, to load or to
    convert weights, would else count as memory of what runs next."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc; others return what is free themselves
    if trim is not None:
        trim(0)
