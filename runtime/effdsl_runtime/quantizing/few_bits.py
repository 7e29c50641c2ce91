"""Integers of few bits whose scales are shared by groups of neighbours in a row."""

from __future__ import annotations

import torch
from torch import Tensor

from effdsl.techniques.precision import INT2, INT3, INT4
from effdsl.techniques.precision.integers import Grouped
from effdsl_runtime.quantizing.linear_map import LinearMap
from effdsl_runtime.quantizing.packing import pack, unpack
from effdsl_runtime.quantizing.rounding import Integers, Lattice, rounded
from effdsl_runtime.quantizing.stored import Inputs, Stored, StoredLinear, stored
from effdsl_runtime.quantizing.torch_products import PackedInt4, packed_int4

HALF = 8
"""Half of the integers of four bits."""


class GroupedLinear(StoredLinear):
    """Packed without gaps; a scale and the integer of zero for each group, in the dtype of activations."""

    packed: Tensor
    scale_og: Tensor
    zero_og: Tensor

    def __init__(self, integers: Integers, bias_o: Tensor | None, dtype: torch.dtype) -> None:
        super().__init__(bias_o, dtype)
        self.bits, self.lowest = integers.lattice.bits, integers.lattice.lowest
        self.columns = integers.codes_oi.shape[1]
        self.register_buffer("packed", pack(integers.codes_oi, self.bits))
        self.register_buffer("scale_og", integers.lattice.scale_og)
        self.register_buffer("zero_og", integers.lattice.zero_og)

    def integers(self) -> Integers:
        """As they were rounded."""
        lattice = Lattice(self.bits, self.scale_og, self.zero_og, self.lowest)
        return Integers(unpack(self.packed, self.bits, self.columns), lattice)

    @property
    def weight(self) -> Tensor:
        return self.integers().values().to(self.dtype)


class TorchInt4Linear(StoredLinear):
    """4 bits, packed as torch's product for the device takes them; for each group a scale and the value that
    the middle of the range stands for."""

    kernel = "torch-int4pack"
    packed: Tensor
    scales_go2: Tensor

    def __init__(
        self, packed: PackedInt4, integers: Integers, bias_o: Tensor | None, dtype: torch.dtype
    ) -> None:
        super().__init__(bias_o, dtype)
        scale_og, zero_og = integers.lattice.scale_og, integers.lattice.zero_og
        middle_og = ((HALF - zero_og.float()) * scale_og.float()).to(dtype)
        self.lowest, self.group_size, self.by = integers.lattice.lowest, integers.group_size, packed.product
        self.register_buffer("packed", packed.packed)
        self.register_buffer("scales_go2", torch.stack((scale_og, middle_og), 2).transpose(0, 1).contiguous())

    def product(self, x_ni: Tensor) -> Tensor:
        return self.by(x_ni, self.packed, self.group_size, self.scales_go2)

    @property
    def weight(self) -> Tensor:
        inputs = self.group_size * len(self.scales_go2)
        return self.product(torch.eye(inputs, dtype=self.dtype, device=self.packed.device)).T

    def integers(self) -> Integers:
        """As they were rounded: a middle in fewer bits still tells its integer."""
        scale_og, middle_og = self.scales_go2.transpose(0, 1).unbind(2)
        zero_og = HALF - (middle_og.float() / scale_og.float()).round()
        lattice = Lattice(4, scale_og, zero_og.to(self.dtype), self.lowest)
        codes_ogi = lattice.codes(torch.unflatten(self.weight.float(), 1, (-1, self.group_size)))
        return Integers(codes_ogi.to(torch.uint8).flatten(1), lattice)


def stored_integers(integers: Integers, bias_o: Tensor | None, dtype: torch.dtype) -> Stored:
    """A linear map by ``integers``, by the fastest kernel that takes them."""
    packed = None
    if integers.lattice.bits == INT4.bits:
        packed = packed_int4(integers.codes_oi, integers.group_size, dtype)
    if packed is None:
        return Stored(GroupedLinear(integers, bias_o, dtype), GroupedLinear.kernel)
    return Stored(TorchInt4Linear(packed, integers, bias_o, dtype), TorchInt4Linear.kernel)


@stored.register(INT4)
@stored.register(INT3)
@stored.register(INT2)
def _(weight_format: Grouped, linear: LinearMap, dtype: torch.dtype, inputs: Inputs | None) -> Stored | None:
    bits, size = weight_format.bits, weight_format.group_size
    if linear.weight_oi.shape[1] % size:
        return None
    integers = rounded(linear.weight_oi, bits, size, weight_format.symmetric, dtype)
    return stored_integers(integers, linear.bias_o, dtype)
