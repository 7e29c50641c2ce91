"""Reading and continuing a text with a cache, and what the cache weighs against its closed form."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from effdsl_runtime.engines.decoding import measure_decoding

from gpu_parts.setting import Row, Setting, architecture_of, model_of, windows_of

SECONDS = 40.0
COMPARED = ("GQA", "MLA", "NSA", "MoBA", "Mamba2")
DTYPE = "bfloat16"


def cases(setting: Setting) -> Sequence[str]:
    return COMPARED


def measure(setting: Setting, case: str) -> Row:
    _, shape, context = next(setting.sizes())
    model = model_of(case, shape, context).to(setting.device)
    tokens_1t = torch.from_numpy(windows_of(shape, context, 1)[:, :-1]).to(setting.device)
    last = measure_decoding(model, tokens_1t, DTYPE)[-1]
    by_formula = architecture_of(case, shape).cache_bytes(context, DTYPE)
    return {
        "context": last.context,
        "prefill_s": last.prefill_s,
        "decode_tokens_per_s": 1 / last.decode_s_per_token,
        "cache_mb": last.cache_bytes / 1e6,
        "cache_over_formula": last.cache_bytes / by_formula,
    }
