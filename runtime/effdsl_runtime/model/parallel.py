"""GPT-NeoX's block, whose two halves read the same input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl_runtime.model.decoder import ResidualBlock
from effdsl_runtime.model.feed_forward import FeedForwardModule, Routings
from effdsl_runtime.model.mixer import Cache, Mixer


class ParallelBlock(ResidualBlock):
    """``x + mixer(norm(x)) + feed_forward(norm(x))``, each with a LayerNorm of its own (Black et al. 2022,
    arXiv 2204.06745, section 2.1). The bias of the mixer's output is the block's, whatever the mixer."""

    def __init__(self, mixer: Mixer, feed_forward: FeedForwardModule, shape: Shape) -> None:
        super().__init__()
        self.mixer_norm = nn.LayerNorm(shape.hidden_size, eps=shape.norm_eps)
        self.mixer = mixer
        self.mixer_bias = nn.Parameter(torch.empty(shape.hidden_size))
        self.feed_forward_norm = nn.LayerNorm(shape.hidden_size, eps=shape.norm_eps)
        self.feed_forward = feed_forward

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """The bias starts as every other, zero."""
        return torch.zeros(self.mixer_bias.shape)

    def forward(self, x_btd: Tensor, cache: Cache | None = None, routings: Routings | None = None) -> Tensor:
        mixed_btd = self.mixer(self.mixer_norm(x_btd), cache) + self.mixer_bias
        out: Tensor = x_btd + mixed_btd + self.feed_forward(self.feed_forward_norm(x_btd), routings)
        return out
