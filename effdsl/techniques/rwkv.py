"""RWKV-4 (Peng et al. 2023, arXiv 2305.13048): no attention, a weighted mean of the past instead.

Costs are closed forms per layer; ``d`` is the shape's hidden size.
"""

from __future__ import annotations

from effdsl.declare import evolve, keyed
from effdsl.shapes import Shape
from effdsl.techniques.architecture import RecurrentDecoder
from effdsl.techniques.backbone import Parts, Recurrent
from effdsl.techniques.technique import BYTES_PER_ELEMENT, RecurrentTechnique

FLOAT32 = BYTES_PER_ELEMENT["float32"]
RWKV_NORM_EPS = 1e-5
WKV_FLOPS = 10


@keyed("rwkv4-layer")
class RWKV4Layer(RecurrentTechnique):
    """Time mixing, which replaces attention, and channel mixing, four times as wide as the model."""

    tied_embedding = False

    @property
    def products(self) -> int:
        """All square ones have one shape; channel mixing has one into its width and one out of it."""
        return 3

    def parameters(self, shape: Shape) -> int:
        """The matrices; of vectors five in time mixing, two in channel mixing, four of two LayerNorms."""
        return self._matrices(shape) + 11 * shape.hidden_size

    def parameters_outside_layers(self, shape: Shape) -> int:
        """A LayerNorm after the embedding and one before the output layer."""
        return 4 * shape.hidden_size

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """Six per element of a matrix, and of the weighted mean 10 per channel forward and twice that
        backward.

        Forward, the two sums fade and grow (4) with two weights (2), and are read with two weights (2)
        for a mean (2). ``FlopCounterMode`` counts none of these, nor any other elementwise operation.
        """
        return 6 * self._matrices(shape) + 3 * WKV_FLOPS * shape.hidden_size

    def state_bytes(self, shape: Shape, bytes_per_element: int) -> float:
        """Two sums and their exponent, and the last token before either mixing: always float32."""
        return 5 * shape.hidden_size * FLOAT32

    def activation_bytes_per_token(self, shape: Shape, element: int) -> float:
        """In each mixing the residual stream before its norm and the difference to the token before
        (float32). In time mixing three mixed inputs, key, value, receptance, the weighted mean and its
        gated product; in channel mixing two mixed inputs, receptance, its product's other factor, and
        the squared ReLU, four times as wide."""
        return shape.hidden_size * (4 * FLOAT32 + 16 * element)

    def _matrices(self, shape: Shape) -> int:
        """Elements of four matrices in time mixing and, in channel mixing, nine times the smallest."""
        return 13 * shape.hidden_size**2


@keyed("rwkv4")
class RWKV4(Recurrent):
    """RWKV-4's decoder (Peng et al. 2023, arXiv 2305.13048).

    A LayerNorm after the embedding, an output layer of its own, norms that add 1e-5 to the variance, and
    none of the transformer's other axes. As wide as the transformer of its size, and as deep as brings it
    nearest to its parameters. The version is in the name because RWKV-4, 5, 6 and 7 are different
    models: EfficientLLM's Table 6 names none, and cites the paper that describes RWKV-4.
    """

    def assemble(self, shape: Shape, parts: Parts) -> RecurrentDecoder:
        return super().assemble(evolve(shape, norm_eps=RWKV_NORM_EPS), parts)

    def layer(self, shape: Shape) -> RWKV4Layer:
        return RWKV4Layer()
