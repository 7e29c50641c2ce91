"""Batches of a fixed size that a model continues, each token of each timed."""

from __future__ import annotations

import time
from typing import Any

import attrs
import torch
from torch import Tensor

from effdsl_runtime.device import synchronise
from effdsl_runtime.generating.continuation import continuation


@attrs.frozen
class TimedBatch:
    """A batch that was continued together.

    Attributes:
        start_ns: when its prompts were handed over, in ``time.perf_counter_ns``.
        tokens_ns: when each of its new tokens was there, of all its sequences at once.
        new_bt: the new tokens.
        prompt_bytes: of what was kept once the prompts were read; and
        kept_bytes: at the end.
    """

    start_ns: int
    tokens_ns: tuple[int, ...]
    new_bt: Tensor
    prompt_bytes: int
    kept_bytes: int


@torch.inference_mode()
def continue_batch(model: Any, prompts_bt: Tensor, new_tokens: int) -> TimedBatch:
    """Continue ``prompts_bt``, which is on the model's device, by ``new_tokens`` each; a token counts once
    the device has it."""
    device = prompts_bt.device
    synchronise(device)
    batch = continuation(model)
    start = time.perf_counter_ns()
    next_b1 = batch.following(prompts_bt)
    synchronise(device)
    times, tokens = [time.perf_counter_ns()], [next_b1]
    after_prompt = batch.kept_bytes
    for _ in range(new_tokens - 1):
        next_b1 = batch.following(next_b1)
        synchronise(device)
        times.append(time.perf_counter_ns())
        tokens.append(next_b1)
    return TimedBatch(start, tuple(times), torch.cat(tokens, 1), after_prompt, batch.kept_bytes)
