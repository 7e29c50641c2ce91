"""8-bit integers: weights alone, or activations too."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from effdsl.techniques.precision import INT8, W8A8
from effdsl_runtime.quantizing.linear_map import LinearMap
from effdsl_runtime.quantizing.rounding import Int8Rows, rounded_rows
from effdsl_runtime.quantizing.stored import Inputs, Stored, StoredLinear, stored
from effdsl_runtime.quantizing.torch_products import (
    aten,
    multiplies_int8,
    multiplies_integers,
    product_of_integers,
)


class RowsLinear(StoredLinear):
    """8-bit integers with a scale for each output. They are exact in every dtype of activations."""

    values_oi: Tensor
    scale_o: Tensor

    def __init__(self, rows: Int8Rows, bias_o: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__(bias_o, dtype)
        self.register_buffer("values_oi", rows.values_oi)
        self.register_buffer("scale_o", rows.scale_o)

    @property
    def weight(self) -> Tensor:
        return (self.values_oi.float() * self.scale_o.float().unsqueeze(1)).to(self.dtype)

    def product(self, x_ni: Tensor) -> Tensor:
        return F.linear(x_ni, self.values_oi.to(self.dtype)) * self.scale_o


class TorchInt8Linear(RowsLinear):
    """By torch, which converts integers as it multiplies."""

    kernel = "torch-int8pack"

    def product(self, x_ni: Tensor) -> Tensor:
        y_no: Tensor = aten._weight_int8pack_mm(x_ni, self.values_oi, self.scale_o)
        return y_no


@stored.register
def _(weight_format: INT8, linear: LinearMap, dtype: torch.dtype, inputs: Inputs | None) -> Stored:
    rows = rounded_rows(linear.weight_oi, dtype)
    kind = TorchInt8Linear if multiplies_int8(rows.values_oi) else RowsLinear
    return Stored(kind(rows, linear.bias_o, dtype), kind.kernel)


class IntegersLinear(RowsLinear):
    """Activations become integers too, each token with a scale; the products are exact, and then scaled."""

    def product(self, x_ni: Tensor) -> Tensor:
        rows = rounded_rows(x_ni, torch.float32)
        y_no = self.exact(rows.values_oi).float() * rows.scale_o.unsqueeze(1) * self.scale_o
        return y_no.to(self.dtype)

    def exact(self, x_ni: Tensor) -> Tensor:
        """The product of integers: float64 holds every sum."""
        return F.linear(x_ni.double(), self.values_oi.double())


class TorchIntegersLinear(IntegersLinear):
    """Integers multiplied by torch."""

    kernel = "torch-int-mm"

    def exact(self, x_ni: Tensor) -> Tensor:
        return product_of_integers(x_ni, self.values_oi)


@stored.register
def _(weight_format: W8A8, linear: LinearMap, dtype: torch.dtype, inputs: Inputs | None) -> Stored:
    rows = rounded_rows(linear.weight_oi, torch.float32)
    kind = TorchIntegersLinear if multiplies_integers(rows.values_oi) else IntegersLinear
    return Stored(kind(rows, linear.bias_o, dtype), kind.kernel)
