"""What a block does to each token by itself."""

from __future__ import annotations

from collections import UserList
from functools import singledispatch
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from effdsl.shapes import Shape
from effdsl.techniques import feed_forward as declared
from effdsl.techniques.technique import FeedForwardTechnique
from effdsl_runtime.model.layers import Projection
from effdsl_runtime.model.of_a_users_own import own_module


class Routing(NamedTuple):
    """How one layer sent ``n`` tokens to its experts.

    Attributes:
        chance_ne: probability of each expert, float32, with its gradient.
        chosen_nk: the experts each token was sent to.
        computed_e: how many tokens each expert computed.
        weight: of the balance of this layer in the training loss.
    """

    chance_ne: Tensor
    chosen_nk: Tensor
    computed_e: Tensor
    weight: float


class Routings(UserList[Routing]):
    """Where layers leave how they sent their tokens.

    It is no ``list``, for FSDP2 copies one that a layer is given, and what is appended is lost.
    """


class FeedForwardModule(nn.Module):
    """``forward(x_btd, routings)``: a layer with experts appends to ``routings`` where a list is given."""

    def forward(self, x_btd: Tensor, routings: Routings | None = None) -> Tensor:
        raise NotImplementedError


@singledispatch
def feed_forward(technique: FeedForwardTechnique, shape: Shape) -> FeedForwardModule:
    """The module of one block's feed-forward part; each built-in one registers beside its module."""
    return own_module(technique, FeedForwardModule, shape)


class SwiGLUModule(FeedForwardModule):
    """``down(silu(gate(x)) * up(x))`` (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, hidden_size: int, intermediate_size: int) -> None:
        super().__init__()
        self.gate = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.up = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.down = Projection(intermediate_size, hidden_size)

    def forward(self, x_btd: Tensor, routings: Routings | None = None) -> Tensor:
        out: Tensor = self.down(gated(self.gate(x_btd), self.up(x_btd)))
        return out


@feed_forward.register
def _(technique: declared.SwiGLU, shape: Shape) -> FeedForwardModule:
    return SwiGLUModule(shape.hidden_size, shape.intermediate_size)


class GELUModule(FeedForwardModule):
    """``down(gelu(up(x)))``, four times as wide as the model, with biases."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.up = nn.Linear(hidden_size, 4 * hidden_size)
        self.down = Projection(4 * hidden_size, hidden_size, bias=True)

    def forward(self, x_btd: Tensor, routings: Routings | None = None) -> Tensor:
        out: Tensor = self.down(F.gelu(self.up(x_btd)))
        return out


@feed_forward.register
def _(technique: declared.GELU, shape: Shape) -> FeedForwardModule:
    return GELUModule(shape.hidden_size)


def gated(gate_f: Tensor, up_f: Tensor) -> Tensor:
    """``silu(gate) * up`` of ``(..., f)``, whose backward takes the SiLU again rather than keep it.

    That is one wide tensor less to hold and to fetch, which costs more than the SiLU.
    """
    out_f: Tensor = _Gated.apply(gate_f, up_f)  # type: ignore[no-untyped-call]
    return out_f


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_f: Tensor, up_f: Tensor) -> Tensor:
        ctx.save_for_backward(gate_f, up_f)
        return F.silu(gate_f).mul_(up_f)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_f: Tensor) -> tuple[Tensor, Tensor]:
        gate_f, up_f = ctx.saved_tensors
        return torch.ops.aten.silu_backward(slope_f * up_f, gate_f), F.silu(gate_f).mul_(slope_f)
