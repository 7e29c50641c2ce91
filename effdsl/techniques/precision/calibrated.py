"""Integers chosen with a look at what the matrices multiply: some text is run through the model first."""

from __future__ import annotations

from effdsl.declare import identity, keyed
from effdsl.language_model import LanguageModel, Linear
from effdsl.techniques.precision.calibration import Calibration
from effdsl.techniques.precision.integers import INT4, grouped_file_bytes, grouped_scales, packed_bytes
from effdsl.techniques.precision.weight_format import WeightFormat, whole_groups
from effdsl.techniques.technique import BYTES_PER_ELEMENT
from effdsl.validate import number, one_of, positive, positive_int, whole


@keyed("gptq")
class GPTQ(WeightFormat):
    """GPTQ (Frantar et al. 2022, arXiv 2210.17323): column by column, the error of rounding is made up for by
    the columns that are still to come, weighted by what they multiply.

    Attributes:
        bits: of an integer.
        group_size: neighbours in a row that share a scale; divides the inputs of every matrix.
        symmetric: whether there is no zero point.
        damping: share of the mean diagonal that is added to the Hessian's, as its authors do.
        calibration: what is run through the model.
    """

    bits: int = identity(default=4, converter=whole, validator=one_of(2, 3, 4))
    group_size: int = identity(default=32, converter=whole, validator=positive_int)
    symmetric: bool = identity(default=False, validator=one_of(True, False))
    damping: float = identity(default=0.01, converter=number, validator=positive)
    calibration: Calibration = identity(factory=Calibration)

    @property
    def fitted_to(self) -> Calibration:
        return self.calibration

    def check(self, model: LanguageModel) -> None:
        whole_groups("GPTQ", self.group_size, model)

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        return packed_bytes(linear, self.bits) + grouped_scales(linear, self.group_size, dtype)

    def matrix_file_bytes(self, linear: Linear, dtype: str) -> int:
        if self.bits != INT4.bits:
            raise self.unwritten()
        return grouped_file_bytes(linear, self.bits, self.group_size, self.symmetric, dtype)


@keyed("awq")
class AWQ(WeightFormat):
    """Activation-aware weight quantization (Lin et al. 2023, arXiv 2306.00978): inputs that are large on
    average are given finer steps, by a scale for each input that is searched for. The weights are multiplied
    by it, and the activations divided.

    Attributes:
        bits: of an integer.
        group_size: neighbours in a row that share a scale; divides the inputs of every matrix.
        grid: exponents that are tried, from 0 on, below 1.
        calibration: what is run through the model.
    """

    bits: int = identity(default=4, converter=whole, validator=one_of(2, 3, 4))
    group_size: int = identity(default=32, converter=whole, validator=positive_int)
    grid: int = identity(default=20, converter=whole, validator=positive_int)
    calibration: Calibration = identity(factory=Calibration)

    @property
    def fitted_to(self) -> Calibration:
        return self.calibration

    def check(self, model: LanguageModel) -> None:
        whole_groups("AWQ", self.group_size, model)

    def matrix_bytes(self, linear: Linear, dtype: str) -> int:
        integers = packed_bytes(linear, self.bits) + grouped_scales(linear, self.group_size, dtype)
        return integers + linear.inputs * BYTES_PER_ELEMENT[dtype]
