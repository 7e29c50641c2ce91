"""bitsandbytes' 4-bit linear layer, made right on a CPU. Importing this needs bitsandbytes."""

from __future__ import annotations

import copy
from typing import Any

import bitsandbytes
import torch
import torch.nn.functional as F
from bitsandbytes import functional
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from effdsl.techniques.precision import NF4
from effdsl_runtime.quantizing.linear_map import LinearMap

FUSED_ROWS = 32
"""Outputs that the fused kernel takes at once."""


class NormalFloatLinear(bitsandbytes.nn.Linear4bit):  # type: ignore[misc]  # untyped
    """``bitsandbytes.nn.Linear4bit`` of normal floats; gradients flow to its input. peft takes it for one.

    On a CPU bitsandbytes 0.50 takes wrong scales where a block of weights crosses rows, and in evaluation
    lays the weights out anew, after which there are neither gradients nor double quantization. So here the
    weights are unpacked by :func:`unpacked`.
    """

    bias: nn.Parameter | None

    def __init__(self, weight_format: NF4, linear: LinearMap, dtype: torch.dtype) -> None:
        outputs, inputs = linear.weight_oi.shape
        super().__init__(inputs, outputs, False, dtype, quant_type="nf4", device="meta")
        weight = bitsandbytes.nn.Params4bit(
            linear.weight_oi.contiguous(),
            blocksize=weight_format.block_size,
            compress_statistics=weight_format.double_quantization,
            quant_type="nf4",
            module=self,
        )
        self.weight = weight.to(linear.weight_oi.device)
        self.weight.quant_state.dtype = dtype
        if linear.bias_o is not None:
            self.bias = nn.Parameter(linear.bias_o.detach().to(dtype), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            there: Tensor = super().forward(x)
            return there
        y: Tensor = _Product.apply(x.to(self.compute_dtype), self.weight)  # type: ignore[no-untyped-call]
        return (y if self.bias is None else y + self.bias).to(x.dtype)


class _Product(torch.autograd.Function):
    """A product with packed weights, which the backward pass unpacks again rather than keep them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Any) -> Tensor:
        ctx.weight = weight
        return F.linear(x, unpacked(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        return slope @ unpacked(ctx.weight), None


def unpacked(weight: Any) -> Tensor:
    """``(o, i)``: what the ``Params4bit`` of a linear layer stand for, in its dtype.

    They are read as one row, which ends where the matrix does: see :class:`NormalFloatLinear`.
    """
    state = copy.copy(weight.quant_state)
    shape, state.shape = state.shape, torch.Size([state.shape.numel()])
    values: Tensor = functional.dequantize_4bit(weight.data, state)
    return values.view(shape)


def fuses(weight_format: NF4, weight_oi: Tensor, dtype: torch.dtype) -> bool:
    """Whether bitsandbytes' kernel for CPUs with bfloat16 takes these weights, and computes in ``dtype``."""
    outputs, inputs = weight_oi.shape
    return (
        weight_oi.device.type == "cpu"
        and dtype == torch.bfloat16
        and not weight_format.double_quantization
        and outputs % FUSED_ROWS == 0
        and inputs % weight_format.block_size == 0
        and bool(functional.has_avx512bf16())
    )


class FusedProduct(nn.Module):
    """Bitsandbytes' kernel for CPUs with bfloat16, which unpacks weights as it multiplies: fast for a few
    tokens, slow for many. It rounds scales to bfloat16 as it reads them."""

    def __init__(self, packed: NormalFloatLinear) -> None:
        super().__init__()
        weight = packed.weight
        scales_bo = weight.quant_state.absmax.unflatten(0, (packed.out_features, -1)).T.contiguous()
        data, state = functional._convert_weight_packed_for_cpu(weight.data, weight.quant_state)
        state.absmax = scales_bo
        weight.data, weight.quant_state = data, state
        self.weight = weight

    def forward(self, x_ni: Tensor) -> Tensor:
        y_no: Tensor = functional.gemv_4bit(x_ni, self.weight, state=self.weight.quant_state)
        return y_no
