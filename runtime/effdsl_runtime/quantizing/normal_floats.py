"""4-bit normal floats, by bitsandbytes, which is imported where they are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
import torch
from torch import Tensor, nn

from effdsl.techniques.precision import NF4
from effdsl_runtime.quantizing.linear_map import LinearMap, Parted, linear_map, places_by_layer
from effdsl_runtime.quantizing.stored import Inputs, Stored, StoredLinear, stored


class UnpackedNormalFloats(StoredLinear):
    """Multiplied once the whole matrix is unpacked."""

    kernel = "bitsandbytes"

    def __init__(self, product: Any, bias_o: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__(bias_o, dtype)
        self.multiplied = product

    @property
    def weight(self) -> Tensor:
        from effdsl_runtime.quantizing.linear4bit import unpacked

        return unpacked(self.multiplied.weight)

    def product(self, x_ni: Tensor) -> Tensor:
        y_no: Tensor = self.multiplied(x_ni)
        return y_no


class FusedNormalFloats(UnpackedNormalFloats):
    """Unpacked as they are multiplied, by a kernel that they are laid out for."""

    kernel = "bitsandbytes-avx512"

    @property
    def weight(self) -> Tensor:
        inputs = self.multiplied.weight.quant_state.shape[1]
        return self.product(torch.eye(inputs, dtype=self.dtype)).T


@stored.register
def _(weight_format: NF4, linear: LinearMap, dtype: torch.dtype, inputs: Inputs | None) -> Stored:
    from effdsl_runtime.quantizing.linear4bit import FusedProduct, NormalFloatLinear, fuses

    packed = NormalFloatLinear(weight_format, attrs.evolve(linear, bias_o=None), dtype)
    if fuses(weight_format, linear.weight_oi, dtype):
        module: UnpackedNormalFloats = FusedNormalFloats(FusedProduct(packed), linear.bias_o, dtype)
    else:
        module = UnpackedNormalFloats(packed, linear.bias_o, dtype)
    return Stored(module, module.kernel)


def put_normal_floats(model: nn.Module, weight_format: NF4, dtype: torch.dtype) -> None:
    """Replace the linear maps of the layers of ``model`` by 4-bit ones that gradients flow through, to train
    others beside them; all else stays as it is.

    Args:
        dtype: of what they multiply.
    """
    from effdsl_runtime.quantizing.linear4bit import NormalFloatLinear

    for layer in places_by_layer(model):
        for place in layer.places:
            linear = linear_map(place.module)
            assert linear is not None  # noqa: S101  as it is a place
            made = NormalFloatLinear(weight_format, linear, dtype)
            place.put(Parted(made, linear.parts) if linear.parts else made)


def round_to_normal_floats(model: nn.Module, weight_format: NF4) -> None:
    """Round the matrices of the layers of ``model`` as :func:`put_normal_floats` does; they stay as they are
    held."""
    from effdsl_runtime.quantizing.linear4bit import NormalFloatLinear, unpacked

    for layer in places_by_layer(model):
        for place in layer.places:
            linear = linear_map(place.module)
            assert linear is not None  # noqa: S101  as it is a place
            rounded = NormalFloatLinear(weight_format, linear, linear.weight_oi.dtype)
            linear.weight_oi.copy_(unpacked(rounded.weight))


def scales_beside(module: nn.Module) -> Iterator[Tensor]:
    """What bitsandbytes keeps of a linear layer beside its parameters: scales, and theirs; not the tables of
    values, which all matrices could share."""
    state = getattr(getattr(module, "weight", None), "quant_state", None)
    if state is not None:
        yield state.absmax
        yield from (state.state2.absmax, state.offset) if state.nested else ()
