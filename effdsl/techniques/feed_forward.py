"""The axis of feed-forward: what a block does to each token by itself.

Costs are closed forms per layer; ``d`` and ``f`` are the shape's hidden and intermediate size.
"""

from __future__ import annotations

from effdsl.declare import keyed
from effdsl.shapes import Shape
from effdsl.techniques.base import FeedForwardTechnique


@keyed("swiglu")
class SwiGLU(FeedForwardTechnique):
    """``down(silu(gate(x)) * up(x))`` of the shape's intermediate size (Shazeer 2020, arXiv 2002.05202)."""

    def parameters(self, shape: Shape) -> int:
        return 3 * shape.hidden_size * shape.intermediate_size

    def train_flops_per_token(self, shape: Shape) -> float:
        return 6 * self.parameters(shape)

    def activations_per_token(self, shape: Shape) -> float:
        return 3 * shape.intermediate_size  # gate, up and their product


@keyed("gelu")
class GELU(FeedForwardTechnique):
    """``down(gelu(up(x)))``, four times as wide as the model, with biases: GPT-NeoX's."""

    def parameters(self, shape: Shape) -> int:
        return 8 * shape.hidden_size**2 + 5 * shape.hidden_size

    def train_flops_per_token(self, shape: Shape) -> float:
        return 48 * shape.hidden_size**2

    def activations_per_token(self, shape: Shape) -> float:
        return 8 * shape.hidden_size  # before and after the GELU
