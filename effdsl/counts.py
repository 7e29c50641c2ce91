"""What a technique of a user's own costs where it does not say: counted on the built model.

The language knows no torch. Who counts is named here and imported only when something is to be counted;
it remembers what it has counted by the technique's source.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

import attrs

from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique

COUNTER = "effdsl_runtime.counting"
USUAL_CONTEXT = 512
"""Tokens at which is counted what does not depend on the context."""


@attrs.frozen
class Counts:
    """What one layer was counted to cost; of a backbone the whole model.

    Attributes:
        parameters: of the layer.
        train_flops: forward and backward, per token.
        activations: elements per token that are kept for the backward pass.
        cache_elements: that one sequence's cache holds at the end of the context.
        cache_growth: elements by which it grows per token, over the second half of the context.
    """

    parameters: int
    train_flops: float
    activations: float
    cache_elements: float = 0.0
    cache_growth: float = 0.0


def counted(technique: Any, shape: Any, context_length: int = USUAL_CONTEXT) -> Counts:
    """What ``technique``, resolved, was counted to cost at ``shape`` and ``context_length``."""
    found: Counts = import_module(COUNTER).counts_of(technique, shape, context_length)
    return found


def fill_in(cls: Any) -> None:
    """Give the class what it does not answer itself: the counted answer."""
    for base, answers in _COUNTED.items():
        if issubclass(cls, base):
            for name, answer in answers.items():
                if getattr(cls, name) is getattr(base, name):
                    setattr(cls, name, answer)
    if issubclass(cls, AttentionTechnique):
        cls.causal_flops_known = cls.causal_train_flops_per_token is not _causal_flops


def check_answers(cls: Any, mistake: Callable[[BaseException, str], Exception]) -> None:
    """Have what the class answers itself, where it fails or gives no number, raise what ``mistake`` makes."""
    for base, answers in _COUNTED.items():
        if issubclass(cls, base):
            for name in answers:
                if name in vars(cls):
                    setattr(cls, name, _checked(vars(cls)[name], name, mistake))


def _checked(
    answer: Callable[..., Any], name: str, mistake: Callable[[BaseException, str], Exception]
) -> Callable[..., Any]:
    @wraps(answer)
    def checked(*args: Any, **named: Any) -> Any:
        try:
            found = answer(*args, **named)
            if isinstance(found, bool) or not isinstance(found, (int, float)):
                raise TypeError(f"it gives {found!r}, which is no number")
        except Exception as error:  # the user's code: whatever it raises is a mistake in it
            raise mistake(error, name) from error
        return found

    return checked


def _parameters(self: Any, shape: Any) -> int:
    return counted(self, shape).parameters


def _flops(self: Any, shape: Any, context_length: int = USUAL_CONTEXT) -> float:
    return counted(self, shape, context_length).train_flops


def _activations(self: Any, shape: Any, context_length: int = USUAL_CONTEXT) -> float:
    return counted(self, shape, context_length).activations


def _cache_growth(self: Any, shape: Any, bytes_per_element: int) -> float:
    return counted(self, shape).cache_growth * bytes_per_element


def _cache(self: Any, shape: Any, context_length: int, bytes_per_element: int) -> float:
    return counted(self, shape, context_length).cache_elements * bytes_per_element


def _position_parameters(self: Any, shape: Any, context_length: int) -> int:
    return counted(self, shape, context_length).parameters


def _causal_flops(self: Any, shape: Any, context_length: int) -> float:
    """Counted in full: which keys a query may not see is not known from outside."""
    flops: float = self.train_flops_per_token(shape, context_length)
    return flops


_COUNTED: dict[type, dict[str, Callable[..., Any]]] = {
    AttentionTechnique: {
        "parameters": _parameters,
        "train_flops_per_token": _flops,
        "causal_train_flops_per_token": _causal_flops,
        "kv_bytes_per_token": _cache_growth,
        "cache_bytes": _cache,
        "activations_per_token": _activations,
    },
    FeedForwardTechnique: {
        "parameters": _parameters,
        "train_flops_per_token": _flops,
        "activations_per_token": _activations,
    },
    PositionTechnique: {"parameters": _position_parameters},
}
