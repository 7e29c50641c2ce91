"""What takes the place of a linear map whose weights are stored in a format."""

from __future__ import annotations

from abc import abstractmethod
from functools import singledispatch
from typing import ClassVar

import attrs
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl_runtime.quantizing.linear_map import LinearMap

REFERENCE = "reference"
"""The kernel where there is no fast one: weights are unpacked, and then multiplied, at each call."""


class StoredLinear(nn.Module):
    """A linear map whose weights are not held as such.

    It takes inputs of any floating-point dtype, multiplies in the one that it was made for, and gives
    outputs as ``nn.Linear`` does: like its inputs, or under autocast like what it multiplies.

    Attributes:
        kernel: what multiplies.
    """

    kernel: ClassVar[str] = REFERENCE

    def __init__(self, bias_o: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.bias = None if bias_o is None else nn.Parameter(bias_o.detach().to(dtype), requires_grad=False)

    @property
    @abstractmethod
    def weight(self) -> Tensor:
        """``(o, i)``: what its weights stand for, made anew at each call."""

    def product(self, x_ni: Tensor) -> Tensor:
        """``(n, o)``, without the bias."""
        return F.linear(x_ni, self.weight)

    def forward(self, x: Tensor) -> Tensor:
        y_no = self.product(x.reshape(-1, x.shape[-1]).to(self.dtype))
        if self.bias is not None:
            y_no = y_no + self.bias
        wanted = self.dtype if torch.is_autocast_enabled(x.device.type) else x.dtype
        return y_no.view(*x.shape[:-1], -1).to(wanted)


@attrs.frozen
class Inputs:
    """What was seen of a linear map's inputs while calibration text was read.

    Attributes:
        hessian_ii: mean of ``2 * outer(x, x)``, float32.
        size_i: mean absolute value of each input.
    """

    hessian_ii: Tensor
    size_i: Tensor


@attrs.frozen
class Stored:
    """What :func:`stored` made.

    Attributes:
        kernel: what multiplies.
        emulated: whether the device lacks the products of the format, so that time says nothing of it.
    """

    module: nn.Module
    kernel: str
    emulated: bool = False


@singledispatch
def stored(
    weight_format: WeightFormat, linear: LinearMap, dtype: torch.dtype, inputs: Inputs | None
) -> Stored | None:
    """``linear`` in ``weight_format``, on the device of its weights, by the fastest kernel that takes it.

    Args:
        dtype: of what is multiplied.
        inputs: of a format that is fitted to them; ``None`` where none were seen, as of an expert that no
            token was sent to.

    Returns:
        ``None`` where the shape of the matrix does not allow the format.
    """
    raise TypeError(f"nothing here stores weights as {type(weight_format).__name__}")
