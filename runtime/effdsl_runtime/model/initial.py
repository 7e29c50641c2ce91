"""Initial weights, the same for a seed wherever name and shape agree between two models."""

from __future__ import annotations

import hashlib
import math
from functools import singledispatch
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from effdsl_runtime.model.experts import ExpertLinear, ExpertProjection
from effdsl_runtime.model.layers import FusedLinear, Projection

STANDARD_DEVIATION = 0.02


@runtime_checkable
class InitializesItself(Protocol):
    """A module whose technique says how some of its own parameters start."""

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """What its parameter ``name`` starts as, drawn from ``generator``; ``None`` for the usual rule."""


def initialise(model: nn.Module, layers: int, seed: int) -> None:
    """Draw every weight of ``model`` from its own seed: ``seed`` and the parameter's name.

    Matrices are normal with deviation 0.02, those that write into the residual stream 0.02 /
    sqrt(2 * layers) (GPT-2; Radford et al. 2019, section 2.3); biases are zero, norms one. A module that
    is :class:`InitializesItself` comes first.
    """
    with torch.no_grad():
        for path, module in model.named_modules():
            deviation = STANDARD_DEVIATION
            if isinstance(module, Projection | ExpertProjection):
                deviation /= math.sqrt(2 * layers)
            for name, parameter in module.named_parameters(recurse=False):
                own = _own_value(module, path, name, seed)
                if own is not None:
                    parameter.copy_(own)
                elif (constant := _constant(module, parameter)) is not None:
                    parameter.fill_(constant)
                else:
                    for part, values in _drawn(module, name, parameter):
                        values.normal_(0, deviation, generator=_generator(f"{path}.{part}", seed))


def _own_value(module: nn.Module, path: str, name: str, seed: int) -> Tensor | None:
    if not isinstance(module, InitializesItself):
        return None
    return module.initial_value(name, _generator(f"{path}.{name}", seed))


@singledispatch
def _constant(module: nn.Module, parameter: Tensor) -> float | None:
    """What all of a module's ``parameter`` starts as; ``None`` where it is drawn."""
    return None


@_constant.register(nn.Linear)
@_constant.register(FusedLinear)
def _(module: nn.Linear | FusedLinear, parameter: Tensor) -> float | None:
    return 0 if parameter is module.bias else None


@_constant.register(nn.RMSNorm)
@_constant.register(nn.LayerNorm)
def _(module: nn.RMSNorm | nn.LayerNorm, parameter: Tensor) -> float | None:
    return 1 if parameter is module.weight else 0


@singledispatch
def _drawn(module: nn.Module, name: str, parameter: Tensor) -> list[tuple[str, Tensor]]:
    """The named pieces of a module's ``parameter`` that are drawn separately."""
    return [(name, parameter)]


@_drawn.register
def _(module: FusedLinear, name: str, parameter: Tensor) -> list[tuple[str, Tensor]]:
    pieces = torch.split(parameter, list(module.parts.values()))
    return [(f"{part}.{name}", piece) for part, piece in zip(module.parts, pieces, strict=True)]


@_drawn.register
def _(module: ExpertLinear, name: str, parameter: Tensor) -> list[tuple[str, Tensor]]:
    return [(f"{expert}.{name}", matrix) for expert, matrix in enumerate(parameter)]


def _generator(name: str, seed: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
