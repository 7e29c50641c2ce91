"""Mamba-2's mixer (Dao & Gu 2024, arXiv 2405.21060, section 7 and figure 6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl.techniques.mamba import Mamba2Layer
from effdsl_runtime.model.conv import CausalConv
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.dual import dual_scan
from effdsl_runtime.model.feed_forward import gated
from effdsl_runtime.model.layers import FusedLinear, Projection
from effdsl_runtime.model.mixer import Cache, Mixer
from effdsl_runtime.model.mixers.mamba import step_bias
from effdsl_runtime.model.recurrent import mixers_alone, recurrent

LARGEST_A = 16.0


class DualMixer(Mixer):
    """Everything the scan needs from one projection; one B and one C for all heads; a norm after the gate."""

    def __init__(self, layer: Mamba2Layer, shape: Shape) -> None:
        super().__init__()
        inner, state_size = layer.inner, layer.state_size
        self.widths = [inner, state_size, state_size]
        self.project = FusedLinear(
            shape.hidden_size, {"gate": inner, "conv": sum(self.widths), "step": layer.heads}
        )
        self.conv = CausalConv(sum(self.widths), layer.conv_width)
        self.step_bias = nn.Parameter(torch.empty(layer.heads))
        self.A_log = nn.Parameter(torch.empty(layer.heads))
        self.D = nn.Parameter(torch.empty(layer.heads))
        self.norm = nn.RMSNorm(inner, eps=shape.norm_eps)
        self.out = Projection(inner, shape.hidden_size)

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """-A starts uniform between 1 and 16, steps between 0.001 and 0.1, D as one: the authors' code."""
        if name == "A_log":
            return torch.empty(self.A_log.shape).uniform_(1, LARGEST_A, generator=generator).log()
        if name == "step_bias":
            return step_bias(len(self.step_bias), generator)
        return torch.ones(self.D.shape)

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        gate_bti, convolved_btc, step_bth = self.project(x_btd)
        x_bti, B_btn, C_btn = self.conv(convolved_btc, cache).split(self.widths, dim=2)
        held_bhnp = cache.state("state") if cache is not None else None
        y_bti, state_bhnp = dual_scan(
            x_bti, step_bth + self.step_bias, -self.A_log.float().exp(), B_btn, C_btn, self.D, held_bhnp
        )
        if cache is not None:
            cache.replace("state", state_bhnp)
        out: Tensor = self.out(self.norm(gated(gate_bti, y_bti).to(self.norm.weight.dtype)))
        return out


@recurrent.register
def _(layer: Mamba2Layer, shape: Shape, context_length: int) -> DecoderLM:
    return mixers_alone([DualMixer(layer, shape) for _ in range(shape.layers)], shape, context_length)
