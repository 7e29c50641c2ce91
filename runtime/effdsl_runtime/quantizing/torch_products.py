"""Which of torch's products with packed integers take a matrix on its device, and how it is packed for them.

Where they give nothing but an error, or worse, the reference does the work.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import torch
from torch import Tensor

aten = torch.ops.aten
GROUPS = (32, 64, 128, 256)
"""Group sizes that the products with 4-bit integers know."""
CPU_INPUTS = 16
"""Inputs must come in as many: of others the CPU's 8-bit product reads past the end (torch 2.13)."""
CPU_OUTPUTS = 16
CUDA_OUTPUTS = 8
CUDA_TILE = 16
INT_MM_MULTIPLE = 8
INT_MM_ROWS = 17
"""The fewest rows that the GPU's product of integers takes."""


def _has(operator: str, device: torch.device) -> bool:
    known: bool = torch._C._dispatch_has_kernel_for_dispatch_key(f"aten::{operator}", device.type.upper())
    return known


def multiplies_int8(values_oi: Tensor) -> bool:
    """Whether torch multiplies floating-point activations by this matrix of 8-bit integers."""
    on_cpu = values_oi.device.type == "cpu"
    return _has("_weight_int8pack_mm", values_oi.device) and not (on_cpu and values_oi.shape[1] % CPU_INPUTS)


@attrs.frozen
class PackedInt4:
    """4-bit integers as torch's product on a device takes them.

    Attributes:
        product: of activations, the packed integers, the group size, and scales and offsets ``(g, o, 2)``.
    """

    packed: Tensor
    product: Callable[[Tensor, Tensor, int, Tensor], Tensor]


def packed_int4(codes_oi: Tensor, group_size: int, dtype: torch.dtype) -> PackedInt4 | None:
    """``codes_oi``, from 0 to 15, packed for their device; ``None`` where torch has no product for them."""
    outputs, inputs = codes_oi.shape
    if group_size not in GROUPS:
        return None
    if codes_oi.device.type == "cpu" and outputs % CPU_OUTPUTS == 0:
        packed = aten._convert_weight_to_int4pack_for_cpu(codes_oi.int(), 1)
        return PackedInt4(packed, aten._weight_int4pack_mm_for_cpu)
    tiles = next((n for n in (8, 4, 2) if inputs % (n * CUDA_TILE) == 0), None)
    on_cuda = codes_oi.device.type == "cuda" and _has("_weight_int4pack_mm", codes_oi.device)
    if on_cuda and tiles and outputs % CUDA_OUTPUTS == 0 and dtype == torch.bfloat16:
        pairs = codes_oi[:, ::2] << 4 | codes_oi[:, 1::2]
        return PackedInt4(aten._convert_weight_to_int4pack(pairs, tiles), aten._weight_int4pack_mm)
    return None


def multiplies_integers(values_oi: Tensor) -> bool:
    """Whether torch multiplies 8-bit integers by this matrix of them."""
    fits = values_oi.device.type == "cpu" or not any(size % INT_MM_MULTIPLE for size in values_oi.shape)
    return fits and _has("_int_mm", values_oi.device)


def product_of_integers(x_ni: Tensor, values_oi: Tensor) -> Tensor:
    """``(n, o)``, int32, of int8."""
    rows = len(x_ni)
    if x_ni.device.type == "cuda" and rows < INT_MM_ROWS:
        x_ni = torch.nn.functional.pad(x_ni, (0, 0, 0, INT_MM_ROWS - rows))
    return torch._int_mm(x_ni, values_oi.T)[:rows]
