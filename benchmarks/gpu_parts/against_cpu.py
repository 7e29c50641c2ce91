"""Every technique takes the same training step on the device and on the CPU: the losses must agree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from effdsl_runtime.engines.trainer import Trainer, evaluate

from effdsl.training import TrainingRecipe
from gpu_parts.setting import TECHNIQUES, Row, Setting, model_of, windows_of

SECONDS = 90.0
BATCH = 2
TOLERANCE = 2.0**-8
"""One rounding of bfloat16, relative; in a mean over a thousand tokens single roundings cancel."""


def cases(setting: Setting) -> Sequence[str]:
    return tuple(TECHNIQUES)


def measure(setting: Setting, case: str) -> Row:
    shape, context = setting.small
    windows_bs = windows_of(shape, context, BATCH)

    def losses(device: torch.device, dtype: str) -> tuple[float, float, str]:
        """Before the step, and after it."""
        model = model_of(case, shape, context).to(device)
        recipe = TrainingRecipe(learning_rate=1e-3, warmup=0.0, dtype=dtype)
        first = Trainer(model, recipe, 10, BATCH, device).step(0, windows_bs)
        return first, evaluate(model, windows_bs, BATCH, device, dtype), model.kernel

    before, after, _ = losses(torch.device("cpu"), "float32")
    here_before, here_after, kernel = losses(setting.device, "bfloat16")
    apart = [abs(here / there - 1) for here, there in ((here_before, before), (here_after, after))]
    return {
        "kernel": kernel,
        "cpu_float32": before,
        "here_bfloat16": here_before,
        "cpu_after_step": after,
        "here_after_step": here_after,
        "apart": max(apart),
        "agrees": all(math.isfinite(value) and value <= TOLERANCE for value in apart),
    }
