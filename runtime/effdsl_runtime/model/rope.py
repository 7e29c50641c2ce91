"""Rotation of queries and keys by their position."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from effdsl_runtime.model.encoding import Encoding


class Rotary(Encoding):
    """RoPE: element ``i`` and element ``i + r/2`` of a head turn by ``position * theta ** (-2i / r)``.

    The first ``r`` elements of a head turn, the others stay. The pairs are those of GPT-NeoX and Qwen2.
    DeepSeek pairs neighbours instead, which is the same map
    with the rows of the query's and key's matrices in another order.
    """

    def __init__(self, rotated: int, context_length: int, theta: float) -> None:
        super().__init__()
        self.rotated = rotated
        exponent_i = torch.arange(0, rotated, 2, dtype=torch.float32) / rotated
        angle_ti = torch.outer(torch.arange(context_length, dtype=torch.float32), theta**-exponent_i)
        self.register_buffer("cos_tr", angle_ti.cos().repeat(1, 2), persistent=False)
        self.register_buffer("sin_tr", torch.cat((-angle_ti.sin(), angle_ti.sin()), 1), persistent=False)

    def forward(self, x_bhte: Tensor, positions: slice) -> Tensor:
        if self.rotated == x_bhte.shape[3]:
            return self._turned(x_bhte, positions)
        turning_bhtr, staying_bhte = x_bhte[..., : self.rotated], x_bhte[..., self.rotated :]
        both = (self._turned(turning_bhtr, positions), staying_bhte)
        # Put together token by token, as they lie: attention's output then needs no copy.
        return torch.cat([part.transpose(1, 2) for part in both], dim=3).transpose(1, 2)

    def _turned(self, x_bhtr: Tensor, positions: slice) -> Tensor:
        cos_tr = cast(Tensor, self.cos_tr)[positions].to(x_bhtr.dtype)
        sin_tr = cast(Tensor, self.sin_tr)[positions].to(x_bhtr.dtype)
        return x_bhtr * cos_tr + x_bhtr.roll(self.rotated // 2, 3) * sin_tr
