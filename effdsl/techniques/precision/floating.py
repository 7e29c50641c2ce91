"""Weights as floating-point numbers: as they are, in fewer bits, or in eight."""

from __future__ import annotations

from effdsl.declare import keyed
from effdsl.language_model import Linear
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import BYTES_PER_ELEMENT

SCALE_OF_ROW = 4
"""Bytes of a row's scale: float32, as ``torch._scaled_mm`` takes it."""


class Unquantized(WeightFormat):
    """Every weight in one floating-point dtype, which multiplies them too."""

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        return linear.weights * BYTES_PER_ELEMENT[dtype]

    def matrix_file_bytes(self, linear: Linear, dtype: str) -> int:
        return self.matrix_bytes(linear, dtype)


@keyed("fp32")
class FP32(Unquantized):
    """IEEE single precision."""

    bits = 32

    def dtype(self, bf16: bool) -> str:
        return "float32"


@keyed("bf16")
class BF16(Unquantized):
    """bfloat16: the exponent of single precision with 8 bits of significand."""

    bits = 16

    def dtype(self, bf16: bool) -> str:
        return "bfloat16"


@keyed("fp16")
class FP16(Unquantized):
    """IEEE half precision."""

    bits = 16

    def dtype(self, bf16: bool) -> str:
        return "float16"


@keyed("fp8")
class FP8(WeightFormat):
    """E4M3 (Micikevicius et al. 2022, arXiv 2209.05433): each row scaled so that its largest weight is the
    format's largest number; what it multiplies is scaled token by token where the device multiplies FP8."""

    bits = 8

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        return linear.weights + linear.outputs * SCALE_OF_ROW

    def matrix_file_bytes(self, linear: Linear, dtype: str) -> int:
        return self.matrix_bytes(linear, dtype)
