"""The parts every decoder shares: linear maps side by side, maps into the residual stream."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class FusedLinear(nn.Module):
    """Linear maps of one input, computed as one matrix product: faster where some of them are narrow.

    ``parts`` names each and gives its width. Weights start from a seed of their own part, so that a
    part of the same name and size starts the same whatever stands beside it.
    """

    def __init__(self, in_features: int, parts: dict[str, int], bias: bool = False) -> None:
        super().__init__()
        self.parts = parts
        width = sum(parts.values())
        self.weight = nn.Parameter(torch.empty(width, in_features))
        self.bias = nn.Parameter(torch.empty(width)) if bias else None

    def forward(self, x_d: Tensor) -> tuple[Tensor, ...]:
        """The outputs of the parts for inputs ``(..., d)``."""
        return torch.split(F.linear(x_d, self.weight, self.bias), list(self.parts.values()), dim=-1)


class Projection(nn.Linear):
    """A map into the residual stream; it starts smaller, the deeper the model."""

    def __init__(self, in_features: int, out_features: int, bias: bool = False) -> None:
        super().__init__(in_features, out_features, bias=bias)
