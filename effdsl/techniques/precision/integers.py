"""Weights rounded to the nearest of evenly spaced numbers, as integers with a scale."""

from __future__ import annotations

import math

from effdsl.declare import identity, keyed, language
from effdsl.language_model import LanguageModel, Linear
from effdsl.techniques.precision.weight_format import WeightFormat, whole_groups
from effdsl.techniques.technique import BYTES_PER_ELEMENT
from effdsl.validate import one_of, positive_int, whole

WORD = 4
"""Bytes that compressed-tensors packs integers into."""
SHAPE_IN_FILE = 16
"""Bytes that it takes to say the shape of a packed matrix: two numbers of 64 bits."""


@keyed("int8")
class INT8(WeightFormat):
    """8-bit integers, symmetric, a scale for each output: weights alone, multiplied in the dtype of the
    activations."""

    bits = 8

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        return linear.weights + linear.outputs * BYTES_PER_ELEMENT[dtype]

    def matrix_file_bytes(self, linear: Linear, dtype: str) -> int:
        packed = linear.outputs * words(linear.inputs, self.bits)
        return packed + linear.outputs * BYTES_PER_ELEMENT[dtype] + SHAPE_IN_FILE


@keyed("w8a8")
class W8A8(WeightFormat):
    """8-bit integers, symmetric, with 8-bit activations: a scale for each output, and one for each token that
    is found as it comes; the products are those of integers."""

    bits = 8

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        return linear.weights + linear.outputs * BYTES_PER_ELEMENT["float32"]

    def matrix_file_bytes(self, linear: Linear, dtype: str) -> int:
        return self.matrix_bytes(linear, dtype)


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


def words(integers: int, bits: int) -> int:
    """Bytes of a row of integers in words of 32 bits, as compressed-tensors packs them."""
    return WORD * -(-integers * bits // (8 * WORD))


def grouped_file_bytes(linear: Linear, bits: int, group_size: int, symmetric: bool, dtype: str) -> int:
    """Bytes of a matrix as compressed-tensors writes it: zero points are packed column by column, and those
    of symmetric groups left out."""
    groups = linear.inputs // group_size
    zero_points = 0 if symmetric else groups * words(linear.outputs, bits)
    scales = linear.outputs * groups * BYTES_PER_ELEMENT[dtype]
    return linear.outputs * words(linear.inputs, bits) + scales + zero_points + SHAPE_IN_FILE


@keyed("int4")
class INT4(Grouped):
    """4-bit integers."""

    bits = 4

    def matrix_file_bytes(self, linear: Linear, dtype: str) -> int:
        return grouped_file_bytes(linear, self.bits, self.group_size, self.symmetric, dtype)


@keyed("int3")
class INT3(Grouped):
    """3-bit integers."""

    bits = 3


@keyed("int2")
class INT2(Grouped):
    """2-bit integers."""

    bits = 2
