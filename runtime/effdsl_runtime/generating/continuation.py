"""How a model continues a batch of prompts: the likeliest token each time, with whatever it keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import singledispatch
from typing import Any

import torch
from torch import Tensor

from effdsl_runtime.checkpoints.auto import EffdslForCausalLM
from effdsl_runtime.model.generate import next_logits

KEPT = ("past_key_values", "cache_params", "state")
"""What models of transformers call what they keep of the tokens they have seen."""


class Continuation(ABC):
    """A batch that is being continued."""

    @abstractmethod
    def following(self, tokens_bt: Tensor) -> Tensor:
        """``(b, 1)``: the likeliest token after ``tokens_bt``, which follow what it has been given before."""

    @property
    @abstractmethod
    def kept_bytes(self) -> int:
        """Bytes of what it keeps of the tokens it was given."""


@singledispatch
def continuation(model: Any) -> Continuation:
    """A new batch that ``model`` continues."""
    return _OfTransformers(model)


@continuation.register
def _(model: EffdslForCausalLM) -> Continuation:
    return _OfOurs(model)


class _OfTransformers(Continuation):
    """By the cache of the model's own class, or its state."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._kept: dict[str, Any] = {}

    def following(self, tokens_bt: Tensor) -> Tensor:
        out = self._model(input_ids=tokens_bt, use_cache=True, logits_to_keep=1, **self._kept)
        self._kept = {name: kept for name in KEPT if (kept := getattr(out, name, None)) is not None}
        next_b1: Tensor = out.logits[:, -1].argmax(-1, keepdim=True)
        return next_b1

    @property
    def kept_bytes(self) -> int:
        return sum(x.numel() * x.element_size() for x in _tensors(self._kept))


class _OfOurs(Continuation):
    """By the caches of our own decoders, which transformers does not know."""

    def __init__(self, model: EffdslForCausalLM) -> None:
        self._decoder = model.decoder
        self._caches = self._decoder.new_caches()

    def following(self, tokens_bt: Tensor) -> Tensor:
        return next_logits(self._decoder, tokens_bt, self._caches).argmax(-1, keepdim=True)

    @property
    def kept_bytes(self) -> int:
        return sum(cache.bytes for cache in self._caches)


def _tensors(kept: Any) -> Iterator[Tensor]:
    """Every tensor in what a model keeps: lists, dictionaries, and objects that hold some."""
    if isinstance(kept, torch.Tensor):
        yield kept
    elif isinstance(kept, dict):
        for one in kept.values():
            yield from _tensors(one)
    elif isinstance(kept, (list, tuple)):
        for one in kept:
            yield from _tensors(one)
    elif hasattr(kept, "__dict__"):
        yield from _tensors(vars(kept))
