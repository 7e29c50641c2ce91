"""Initial weights, the same for a seed wherever name and shape agree between two models."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor, nn

from effdsl_runtime.model.layers import Linears, Projection

STANDARD_DEVIATION = 0.02


def initialise(model: nn.Module, layers: int, seed: int) -> None:
    """Draw every weight of ``model`` from its own seed: ``seed`` and the parameter's name.

    Matrices are normal with deviation 0.02, those that write into the residual stream 0.02 /
    sqrt(2 * layers) (GPT-2; Radford et al. 2019, section 2.3); biases are zero, norms one.
    """
    with torch.no_grad():
        for path, module in model.named_modules():
            deviation = STANDARD_DEVIATION
            if isinstance(module, Projection):
                deviation /= math.sqrt(2 * layers)
            for name, parameter in module.named_parameters(recurse=False):
                for part, values in _parts(module, name, parameter):
                    _fill(values, f"{path}.{part}", deviation, seed)


def _parts(module: nn.Module, name: str, parameter: Tensor) -> list[tuple[str, Tensor]]:
    """The named pieces of a parameter that are drawn separately."""
    if isinstance(module, Linears):
        pieces = torch.split(parameter, list(module.parts.values()))
        return [(f"{part}.{name}", piece) for part, piece in zip(module.parts, pieces, strict=True)]
    if isinstance(module, nn.RMSNorm | nn.LayerNorm) and name == "weight":
        return [("norm", parameter)]
    return [(name, parameter)]


def _fill(values: Tensor, name: str, deviation: float, seed: int) -> None:
    if name.endswith(".norm"):
        values.fill_(1)
    elif name.endswith("bias"):
        values.zero_()
    else:
        digest = hashlib.sha256(f"{seed}\0{name}".encode()).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
        values.normal_(0, deviation, generator=generator)
