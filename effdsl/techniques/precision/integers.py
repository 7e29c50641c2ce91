"""Weights rounded to the nearest of evenly spaced numbers, as integers with a scale."""

from __future__ import annotations

import math

from effdsl.declare import identity, keyed, language
from effdsl.language_model import LanguageModel, Linear
from effdsl.techniques.precision.weight_format import WeightFormat, whole_groups
from effdsl.techniques.technique import BYTES_PER_ELEMENT
from effdsl.validate import one_of, positive_int, whole


@keyed("int8")
class INT8(WeightFormat):
    """8-bit integers, symmetric, a scale for each output: weights alone, multiplied in the dtype of the
    activations."""

    bits = 8

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        return linear.weights + linear.outputs * BYTES_PER_ELEMENT[dtype]


@keyed("w8a8")
class W8A8(WeightFormat):
    """8-bit integers, symmetric, with 8-bit activations: a scale for each output, and one for each token that
    is found as it comes; the products are those of integers."""

    bits = 8

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        return linear.weights + linear.outputs * BYTES_PER_ELEMENT["float32"]


@language
class Grouped(WeightFormat):
    """Integers of few bits, packed, whose scale is shared by ``group_size`` weights of a row.

    Rounded to the nearest. Symmetric: the largest weight of a group becomes the largest integer,
    ``2 ** (bits - 1) - 1``, and its negative the smallest, so that zero is zero and one integer is not used.
    Else the smallest and the largest weight, and zero between them, become the ends of the range, and zero is
    one of the integers.

    Attributes:
        group_size: neighbours in a row that share a scale; divides the inputs of every matrix.
        symmetric: whether there is no zero point.
    """

    group_size: int = identity(default=32, converter=whole, validator=positive_int)
    symmetric: bool = identity(default=False, validator=one_of(True, False))

    def check(self, model: LanguageModel) -> None:
        whole_groups(type(self).__name__, self.group_size, model)

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        return packed_bytes(linear, self.bits) + grouped_scales(linear, self.group_size, dtype)


def packed_bytes(linear: Linear, bits: int) -> int:
    """Bytes of a matrix of integers of ``bits`` bits: in each row the fewest that fill whole bytes stand
    together."""
    values = 8 // math.gcd(8, bits)
    return linear.outputs * -(-linear.inputs // values) * (values * bits // 8)


def grouped_scales(linear: Linear, group_size: int, dtype: str) -> int:
    """Bytes of a scale and a zero point for each group; torch's kernels take both, symmetric or not."""
    return 2 * linear.outputs * (linear.inputs // group_size) * BYTES_PER_ELEMENT[dtype]


@keyed("int4")
class INT4(Grouped):
    """4-bit integers."""

    bits = 4


@keyed("int3")
class INT3(Grouped):
    """3-bit integers."""

    bits = 3


@keyed("int2")
class INT2(Grouped):
    """2-bit integers."""

    bits = 2
