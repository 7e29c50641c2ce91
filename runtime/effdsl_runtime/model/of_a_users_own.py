"""Builds a technique of a user's own by its ``module``, beside whose file it may import."""

from __future__ import annotations

from typing import Any, TypeVar

from torch import nn

from effdsl.own import importable, source_of

M = TypeVar("M", bound=nn.Module)


def own_module(
    technique: Any, kind: type[M], *args: Any, method: str = "module", usual: type[M] | None = None
) -> M:
    """What the technique's ``method`` gives for ``args``, which must be a ``kind``.

    Args:
        usual: what stands for it where the technique has no such method.

    Raises:
        TypeError: when it is something else.
        NotImplementedError: when there is no such method, and nothing usual.
    """
    source, name = source_of(technique), type(technique).__name__
    if source is not None and usual is not None and not hasattr(technique, method):
        return usual()
    if source is None or not hasattr(technique, method):
        raise NotImplementedError(f"no module for {name}; resolve it first, or give it a method {method}()")
    with importable(source):
        module = getattr(technique, method)(*args)
    if not isinstance(module, kind):
        wanted = f"{kind.__module__}.{kind.__name__}"
        raise TypeError(f"{name}.{method}() gives {type(module).__name__}; make it a subclass of {wanted}")
    return module
