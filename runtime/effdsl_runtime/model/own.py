"""Builds a technique of a user's own by its ``module``, beside whose file it may import."""

from __future__ import annotations

from typing import Any, TypeVar

from torch import nn

from effdsl.own import importable, source_of

M = TypeVar("M", bound=nn.Module)


def own_module(technique: Any, kind: type[M], *args: Any) -> M:
    """What ``technique.module(*args)`` gives, which must be a ``kind``.

    Raises:
        TypeError: when it is something else.
        NotImplementedError: when there is no such method.
    """
    source, name = source_of(technique), type(technique).__name__
    if source is None or not hasattr(technique, "module"):
        raise NotImplementedError(f"no module for {name}; resolve it first, or give it a method module()")
    with importable(source):
        module = technique.module(*args)
    if not isinstance(module, kind):
        wanted = f"{kind.__module__}.{kind.__name__}"
        raise TypeError(f"{name}.module() gives {type(module).__name__}; make it a subclass of {wanted}")
    return module
