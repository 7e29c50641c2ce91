"""Positions that are added to the embedded tokens."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from effdsl_runtime.model.decoder import Stem

WAVELENGTH_BASE = 1e4


class SinusoidalStem(Stem):
    """``x * sqrt(d)`` plus the sines and cosines of its position."""

    def __init__(self, hidden_size: int, context_length: int) -> None:
        super().__init__()
        self.scale = math.sqrt(hidden_size)
        self.register_buffer("wave_td", waves(context_length, hidden_size), persistent=False)

    def forward(self, x_btd: Tensor, start: int) -> Tensor:
        wave_td = cast(Tensor, self.wave_td)[start : start + x_btd.shape[1]]
        return x_btd * self.scale + wave_td.to(x_btd.dtype)


class LearnedStem(Stem):
    """``x`` plus the learned vector of its position."""

    def __init__(self, hidden_size: int, context_length: int) -> None:
        super().__init__()
        self.position_td = nn.Parameter(torch.empty(context_length, hidden_size))

    def forward(self, x_btd: Tensor, start: int) -> Tensor:
        return x_btd + self.position_td[start : start + x_btd.shape[1]]


def waves(context_length: int, hidden_size: int) -> Tensor:
    """``(t, d)``: sines of ``t * 10000 ** (-2i / d)`` for ``i < d/2``, then the cosines (arXiv 1706.03762,
    section 3.5, which has them alternate: the same up to the order of the embedding's columns)."""
    exponent_i = torch.arange(0, hidden_size, 2, dtype=torch.float32) / hidden_size
    angle_ti = torch.outer(torch.arange(context_length, dtype=torch.float32), WAVELENGTH_BASE**-exponent_i)
    return torch.cat((angle_ti.sin(), angle_ti.cos()), 1)
