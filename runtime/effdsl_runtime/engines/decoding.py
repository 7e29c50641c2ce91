"""How fast a model reads a text and continues it with a cache, and what that cache weighs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import attrs
import torch
from torch import Tensor

from effdsl_runtime.device import autocast, synchronise
from effdsl_runtime.model.cache import Cache
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.generate import next_logits

PARTS = (4, 2, 1)  # a quarter, half and all of the context that the model was trained on
NEW_TOKENS = 16
REPEATS = 5
SECONDS = 0.2  # no further repeat of one measurement begins after so long


@attrs.frozen
class Decoding:
    """Decoding of one sequence by the trained model, at one context.

    Attributes:
        context: tokens.
        prefill_s: time to read them into an empty cache.
        decode_s_per_token: time per token of continuing a text up to there.
        cache_bytes: what the cache then holds.
    """

    context: int
    prefill_s: float
    decode_s_per_token: float
    cache_bytes: int


@torch.no_grad()
def measure_decoding(model: DecoderLM, tokens_1t: Tensor, dtype: str) -> tuple[Decoding, ...]:
    """Decoding of one sequence at a quarter, half and all of the model's context.

    At each of them: the time to read that many tokens into empty caches, up to the logits of the next
    token; the time per token of the last ``NEW_TOKENS`` before it is full (half of it, where it is
    shorter), each the likeliest after the one before; and the bytes that the full caches hold. Times are
    medians over repeats after a warm-up, each repeat timed until the device has finished.

    Args:
        model: trained; a context of one token has no room to read and to continue.
        tokens_1t: text to read, at least as long as the model's context.
        dtype: of matrix products and cache; weights are cast to it once.
    """
    with autocast(tokens_1t.device, dtype):
        return tuple(_at(model, tokens_1t[:, :context]) for context in contexts(model.context_length))


def contexts(context_length: int) -> list[int]:
    """The contexts to measure at, ascending; those of one token are left out."""
    return sorted({context for part in PARTS if (context := -(-context_length // part)) > 1})


def _at(model: DecoderLM, tokens_1t: Tensor) -> Decoding:
    context, device = tokens_1t.shape[1], tokens_1t.device
    new = min(NEW_TOKENS, context // 2)
    caches: list[Cache] = []

    def read(tokens: int) -> Tensor:
        """Read so many tokens into empty caches; the next token."""
        caches[:] = model.new_caches()
        return next_logits(model, tokens_1t[:, :tokens], caches).argmax(-1, keepdim=True)

    def decode(next_11: Tensor) -> None:
        for _ in range(new):
            next_11 = next_logits(model, next_11, caches).argmax(-1, keepdim=True)

    def read_s() -> float:
        return _seconds(lambda: read(context), device)

    def decode_s() -> float:
        next_11 = read(context - new)
        return _seconds(lambda: decode(next_11), device)

    prefill_s, new_s = _median(read_s), _median(decode_s)
    return Decoding(context, prefill_s, new_s / new, sum(cache.bytes for cache in caches))


def _seconds(work: Callable[[], object], device: torch.device) -> float:
    """Time from a device that has nothing to do until it has finished ``work``."""
    synchronise(device)
    start = time.perf_counter_ns()
    work()
    synchronise(device)
    return (time.perf_counter_ns() - start) * 1e-9


def _median(once: Callable[[], float]) -> float:
    """Median of repeats; the first, which warms up, is left out."""
    once()
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < SECONDS:
        seconds.append(once())
    return statistics.median(seconds)
