"""Which kernel each attention is given, and what every kernel takes for it, compiled and not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from effdsl_runtime.engines.trainer import Trainer
from effdsl_runtime.kernel_option import GPU_ONLY, KERNELS, check_kernel
from effdsl_runtime.model.kernel import use_fastest_flash, use_kernel

from effdsl.training import TrainingRecipe
from gpu_parts.setting import Row, Setting, model_of
from gpu_parts.steps import timed

SECONDS = 60.0
ATTENTIONS = ("GQA", "NSA", "MoBA", "MLA", "ALiBi")
BATCH = 4


def cases(setting: Setting) -> Sequence[str]:
    names = [name for name in KERNELS if setting.kind == "gpu" or name not in GPU_ONLY]
    found = [
        f"{attention}, {kernel}, {how}"
        for how in ("plain", "compiled")
        for attention in ATTENTIONS
        for kernel in names
        if kernel != "fla" or attention == "NSA"
    ]
    return found[:3] if setting.toy else found


def measure(setting: Setting, case: str) -> Row:
    attention, kernel, how = case.split(", ")
    (asked,) = [name for name in KERNELS if name == kernel]
    check_kernel(asked, setting.kind, attention)
    shape, context = setting.small
    with use_kernel(asked):
        model = model_of(attention, shape, context).to(setting.device)
        use_fastest_flash(setting.device)
        if how == "compiled":
            model.compile_blocks()
        trainer = Trainer(
            model, TrainingRecipe(learning_rate=1e-4, dtype="bfloat16"), 1000, BATCH, setting.device
        )
        seen = timed(setting, trainer, shape, context, BATCH, 0.1 if setting.toy else 0.5)
        chosen = model.kernel
    seconds = sorted(one.seconds for one in seen.measured)
    row: Row = {
        "chosen": chosen,
        "first_step_s": seen.iterations[0].seconds,
        "step_s": seconds[len(seconds) // 2],
    }
    if setting.kind == "gpu":
        row["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
        torch.cuda.reset_peak_memory_stats()
    return row
