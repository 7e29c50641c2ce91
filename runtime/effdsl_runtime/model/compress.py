"""The map of NSA that turns a block of keys (or values) into one (arXiv 2502.11089, eq. 7)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from effdsl.techniques.attention.nsa import NSA


class MeanCompression(nn.Module):
    """The mean of each complete block: ``(b, g, t, e)`` to ``(b, g, n, e)``."""

    def __init__(self, block: int, stride: int) -> None:
        super().__init__()
        self.block, self.stride = block, stride

    def forward(self, x_bgte: Tensor) -> Tensor:
        if x_bgte.shape[2] < self.block:
            return x_bgte[:, :, :0]
        return self.summary(x_bgte.unfold(2, self.block, self.stride).mT)

    def summary(self, x_bgnle: Tensor) -> Tensor:
        """One for each block of ``l`` tokens."""
        return x_bgnle.mean(3)


class LearnedCompression(MeanCompression):
    """A learned map of each complete block, to which the places inside it add a learned code."""

    def __init__(self, block: int, stride: int, head_dim: int, layers: nn.Module) -> None:
        super().__init__(block, stride)
        self.code_le = nn.Parameter(torch.empty(block, head_dim))
        self.layers = layers

    def summary(self, x_bgnle: Tensor) -> Tensor:
        out: Tensor = self.layers((x_bgnle + self.code_le.to(x_bgnle.dtype)).flatten(3))
        return out


def compressor(technique: NSA, head_dim: int) -> nn.Module:
    """The map that ``technique.phi`` means."""
    block, stride = technique.blocks().compress_block, technique.blocks().compress_stride
    if technique.phi == "mean":
        return MeanCompression(block, stride)
    layers: nn.Module = nn.Linear(block * head_dim, head_dim, bias=False)
    if technique.phi == "mlp":
        layers = nn.Sequential(layers, nn.SiLU(), nn.Linear(head_dim, head_dim, bias=False))
    return LearnedCompression(block, stride, head_dim, layers)
