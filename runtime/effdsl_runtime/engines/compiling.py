"""When compiling a model repays the time that it takes."""

from __future__ import annotations

import os
import shutil

import torch

from effdsl.shapes import reference_parameters
from effdsl.stages.pretraining import Pretraining

REPAYS_FROM_S = 300.0  # a cold compilation takes a CPU one or two minutes and then saves a tenth to a third
CPU_FLOPS_PER_THREAD = 65e9  # what training reaches in float32 on a core with AVX-512

COMPILES_RIGHT = torch.__version__ >= "2.12"
"""Torch 2.11 gives wrong gradients of functions with a backward of their own that work in place, which
SwiGLU and the scans of recurrent layers are (Mamba-2's were wrong by as much as they were large)."""


def worth_compiling(workload: Pretraining, device: torch.device, threads: int) -> bool:
    """Whether to train with compiled blocks, where torch compiles them right: on a GPU always; on a CPU where
    training would take more than five minutes and there is a C++ compiler.

    The time is foreseen from shape and tokens alone, ``6 * parameters * tokens`` at 65 GFLOP/s a thread
    with the parameters of a plain decoder of that shape, so that every technique at a scale is treated
    alike. No GPU has run this yet.
    """
    if not COMPILES_RIGHT:
        return False
    if device.type == "cuda":
        return True
    flops = 6 * reference_parameters(workload.architecture.shape) * workload.budget.tokens
    repays = flops / (threads * CPU_FLOPS_PER_THREAD) > REPAYS_FROM_S
    return repays and shutil.which(os.environ.get("CXX", "g++")) is not None
