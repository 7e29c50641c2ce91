"""4-bit normal floats, of QLoRA."""

from __future__ import annotations

from typing import ClassVar

from effdsl.declare import identity, keyed
from effdsl.language_model import Linear
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.validate import one_of, whole

SECOND_BLOCK = 256
"""Scales that share a scale of their own where they are quantized too."""


@keyed("nf4")
class NF4(WeightFormat):
    """NormalFloat (Dettmers et al. 2023, arXiv 2305.14314, section 3), by bitsandbytes: each weight the
    nearest of sixteen quantiles of a normal distribution, scaled by the largest of its block.

    Attributes:
        block_size: weights, in memory order, that share a scale.
        double_quantization: whether the scales are stored in 8 bits, 256 of them with a scale and together
            with an offset.
    """

    packages: ClassVar[tuple[str, ...]] = ("bitsandbytes",)
    bits = 4
    block_size: int = identity(default=64, converter=whole, validator=one_of(32, 64, 128, 256, 512, 1024))
    double_quantization: bool = identity(default=False, validator=one_of(True, False))

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        """Scales are float32. The tables of values, which all matrices share, are not counted."""
        blocks = -(-linear.weights // self.block_size)
        scales = blocks + 4 * -(-blocks // SECOND_BLOCK) + 4 if self.double_quantization else 4 * blocks
        return -(-linear.weights // 2) + scales
