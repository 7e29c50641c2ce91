"""The parts every decoder shares: linear maps side by side, the norm, SwiGLU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Linears(nn.Module):
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

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return torch.split(F.linear(x, self.weight, self.bias), list(self.parts.values()), dim=-1)


class Projection(nn.Linear):
    """A map without bias into the residual stream; it starts smaller, the deeper the model."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, bias=False)


class SwiGLU(nn.Module):
    """``down(silu(gate(x)) * up(x))`` (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, hidden_size: int, intermediate_size: int) -> None:
        super().__init__()
        self.gate = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.up = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.down = Projection(intermediate_size, hidden_size)

    def forward(self, x_btd: Tensor) -> Tensor:
        out: Tensor = self.down(gated(self.gate(x_btd), self.up(x_btd)))
        return out


def gated(gate: Tensor, up: Tensor) -> Tensor:
    """``silu(gate) * up``, whose backward takes the SiLU again rather than keep it.

    That is one wide tensor less to hold and to fetch, which costs more than the SiLU.
    """
    out: Tensor = _Gated.apply(gate, up)  # type: ignore[no-untyped-call]
    return out


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor]:
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(slope * up, gate), F.silu(gate).mul_(slope)
