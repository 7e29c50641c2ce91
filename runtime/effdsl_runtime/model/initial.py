"""Initial weights, the same for a seed wherever name and shape agree between two models."""

from __future__ import annotations

import hashlib
import math
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from effdsl_runtime.model.experts import ExpertLinear, ExpertProjection
from effdsl_runtime.model.layers import Linears, Projection

STANDARD_DEVIATION = 0.02


@runtime_checkable
class StartsItself(Protocol):
    """A module whose technique says how some of its own parameters start."""

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """What its parameter ``name`` starts as, drawn from ``generator``; ``None`` for the usual rule."""


def initialise(model: nn.Module, layers: int, seed: int) -> None:
    """Draw every weight of ``model`` from its own seed: ``seed`` and the parameter's name.

    Matrices are normal with deviation 0.02, those that write into the residual stream 0.02 /
    sqrt(2 * layers) (GPT-2; Radford et al. 2019, section 2.3); biases are zero, norms one. A module that
    is :class:`StartsItself` comes first.
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
                    continue
                for part, values in _parts(module, name, parameter):
                    _fill(values, f"{path}.{part}", deviation, seed)


def _own_value(module: nn.Module, path: str, name: str, seed: int) -> Tensor | None:
    if not isinstance(module, StartsItself):
        return None
    return module.initial_value(name, _generator(f"{path}.{name}", seed))


def _parts(module: nn.Module, name: str, parameter: Tensor) -> list[tuple[str, Tensor]]:
    """The named pieces of a parameter that are drawn separately."""
    if isinstance(module, Linears):
        pieces = torch.split(parameter, list(module.parts.values()))
        return [(f"{part}.{name}", piece) for part, piece in zip(module.parts, pieces, strict=True)]
    if isinstance(module, ExpertLinear):
        return [(f"{expert}.{name}", matrix) for expert, matrix in enumerate(parameter)]
    if isinstance(module, nn.RMSNorm | nn.LayerNorm) and name == "weight":
        return [("norm", parameter)]
    return [(name, parameter)]


def _fill(values: Tensor, name: str, deviation: float, seed: int) -> None:
    if name.endswith(".norm"):
        values.fill_(1)
    elif name.endswith("bias"):
        values.zero_()
    else:
        values.normal_(0, deviation, generator=_generator(name, seed))


def _generator(name: str, seed: int) -> torch.Generator:
    digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
