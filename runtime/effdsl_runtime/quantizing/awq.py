"""AWQ: inputs that are large on average are given finer steps."""

from __future__ import annotations

from typing import Any

import attrs
import torch
from torch import Tensor, nn

from effdsl.techniques.precision import AWQ
from effdsl_runtime.quantizing.few_bits import stored_integers
from effdsl_runtime.quantizing.linear_map import LinearMap
from effdsl_runtime.quantizing.rounding import Integers, rounded
from effdsl_runtime.quantizing.stored import Inputs, Stored, StoredLinear, stored

SMALLEST_SHARE = 1e-4


class DividedLinear(StoredLinear):
    """A linear map whose inputs are divided first, each by what its weights were multiplied by."""

    divisor_i: Tensor

    def __init__(
        self, multiplied: nn.Module, divisor_i: Tensor, bias_o: Tensor | None, dtype: torch.dtype
    ) -> None:
        super().__init__(bias_o, dtype)
        self.multiplied = multiplied
        self.register_buffer("divisor_i", divisor_i)

    @property
    def weight(self) -> Tensor:
        multiplied: Any = self.multiplied
        divided_oi: Tensor = multiplied.weight.float() / self.divisor_i.float()
        return divided_oi.to(self.dtype)

    def product(self, x_ni: Tensor) -> Tensor:
        y_no: Tensor = self.multiplied(x_ni / self.divisor_i)
        return y_no


@stored.register
def _(weight_format: AWQ, linear: LinearMap, dtype: torch.dtype, inputs: Inputs | None) -> Stored | None:
    """A matrix that multiplied nothing is rounded to the nearest, its inputs divided by 1."""
    if linear.weight_oi.shape[1] % weight_format.group_size:
        return None
    divisor_i = _best_divisor(weight_format, linear.weight_oi, dtype, inputs)
    made = stored_integers(multiplied(weight_format, linear.weight_oi, divisor_i, dtype), None, dtype)
    return attrs.evolve(made, module=DividedLinear(made.module, divisor_i, linear.bias_o, dtype))


def _best_divisor(weight_format: AWQ, weight_oi: Tensor, dtype: torch.dtype, inputs: Inputs | None) -> Tensor:
    if inputs is None:
        return torch.ones(weight_oi.shape[1], dtype=dtype, device=weight_oi.device)
    exponents = [step / weight_format.grid for step in range(weight_format.grid)]
    tried = [divisor(inputs.size_i, exponent, dtype) for exponent in exponents]
    return min(tried, key=lambda one_i: output_error(weight_format, weight_oi, one_i, inputs, dtype))


def divisor(size_i: Tensor, exponent: float, dtype: torch.dtype) -> Tensor:
    """The mean absolute inputs to the power of ``exponent``, so that the largest and the smallest lie as far
    from 1; in ``dtype``. Inputs that hardly ever were anything count as a small share of the others."""
    smallest = max(float(SMALLEST_SHARE * size_i.mean()), torch.finfo(torch.float32).tiny)
    divisor_i = size_i.float().clamp(min=smallest) ** exponent
    return (divisor_i / (divisor_i.max() * divisor_i.min()).sqrt()).to(dtype)


def multiplied(weight_format: AWQ, weight_oi: Tensor, divisor_i: Tensor, dtype: torch.dtype) -> Integers:
    """The weights times ``divisor_i``, rounded to the nearest."""
    scaled_oi = weight_oi.float() * divisor_i.float()
    return rounded(scaled_oi, weight_format.bits, weight_format.group_size, False, dtype)


def output_error(
    weight_format: AWQ, weight_oi: Tensor, divisor_i: Tensor, inputs: Inputs, dtype: torch.dtype
) -> float:
    """Mean square by which outputs are off for the inputs that were seen, twice over."""
    found_oi = multiplied(weight_format, weight_oi, divisor_i, dtype).values() / divisor_i.float()
    off_oi = found_oi - weight_oi.float()
    return float(((off_oi @ inputs.hessian_ii) * off_oi).sum())
