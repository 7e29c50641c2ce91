"""Mamba's mixer (Gu & Dao 2023, arXiv 2312.00752, section 3.4 and figure 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl.techniques.mamba import MambaLayer
from effdsl_runtime.model.conv import CausalConv
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.feed_forward import gated
from effdsl_runtime.model.layers import FusedLinear, Projection
from effdsl_runtime.model.mixer import Cache, Mixer
from effdsl_runtime.model.recurrent import mixers_alone, recurrent
from effdsl_runtime.model.scan import selective_scan

SMALLEST_STEP, LARGEST_STEP = 1e-3, 1e-1


class SelectiveMixer(Mixer):
    """Convolution and selective scan of one half of the projected input, gated by the other."""

    def __init__(self, layer: MambaLayer, shape: Shape) -> None:
        super().__init__()
        inner, state_size, rank = layer.inner, layer.state_size, layer.step_rank
        self.project = FusedLinear(shape.hidden_size, {"x": inner, "gate": inner})
        self.conv = CausalConv(inner, layer.conv_width)
        self.select = FusedLinear(inner, {"step": rank, "B": state_size, "C": state_size})
        self.step = StepProjection(rank, inner)
        self.A_log = nn.Parameter(torch.empty(inner, state_size))
        self.D = nn.Parameter(torch.empty(inner))
        self.out = Projection(inner, shape.hidden_size)

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """A starts as -1, -2, ... in every channel (S4D-real; section 3.6), D as one."""
        if name == "A_log":
            return torch.arange(1.0, self.A_log.shape[1] + 1).log().expand(self.A_log.shape)
        return torch.ones(self.D.shape)

    def no_weight_decay(self) -> tuple[nn.Parameter, ...]:
        """The decay rates, which are a table of numbers rather than a matrix."""
        return (self.A_log,)

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        x_bti, gate_bti = self.project(x_btd)
        u_bti = self.conv(x_bti, cache)
        step_btr, B_btn, C_btn = self.select(u_bti)
        A_ni = -self.A_log.float().exp().T.contiguous()
        held_bni = cache.state("state") if cache is not None else None
        y_bti, state_bni = selective_scan(u_bti, self.step(step_btr), A_ni, B_btn, C_btn, self.D, held_bni)
        if cache is not None:
            cache.replace("state", state_bni)
        out: Tensor = self.out(gated(gate_bti, y_bti))
        return out


@recurrent.register
def _(layer: MambaLayer, shape: Shape, context_length: int) -> DecoderLM:
    return mixers_alone([SelectiveMixer(layer, shape) for _ in range(shape.layers)], shape, context_length)


class StepProjection(nn.Linear):
    """Step sizes before softplus; they start between 0.001 and 0.1 (section 3.6)."""

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """Weights uniform within ``rank ** -0.5``, as in the authors' code."""
        if name == "bias":
            return step_bias(self.out_features, generator)
        bound: float = self.in_features**-0.5
        return torch.empty(self.weight.shape).uniform_(-bound, bound, generator=generator)


def step_bias(count: int, generator: torch.Generator) -> Tensor:
    """What softplus maps to steps that are uniform in their logarithm."""
    low, high = math.log(SMALLEST_STEP), math.log(LARGEST_STEP)
    steps_i = torch.empty(count).uniform_(low, high, generator=generator).exp()
    return steps_i + torch.log(-torch.expm1(-steps_i))
