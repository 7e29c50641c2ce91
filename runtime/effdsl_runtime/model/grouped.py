"""The one place that picks a kernel for the matrix products of experts."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from effdsl_runtime.model.kernel import kernel_name

ALIGNED = 8  # elements of bfloat16 in the 16 bytes that the GPU's kernel loads at once


def grouped_product(x_ni: Tensor, weight_eoi: Tensor, ends_e: Tensor) -> Tensor:
    """``x @ weight[e].T`` for the rows of each expert ``e``, which stand together.

    Args:
        x_ni: rows, sorted by expert.
        weight_eoi: a matrix for each expert, of the dtype of ``x_ni``.
        ends_e: int32, where the rows of each expert end; the last is ``n``.

    Returns:
        ``(n, o)``.
    """
    sizes_fit = not any(size % ALIGNED for size in weight_eoi.shape[1:])
    on_gpu = x_ni.device.type == "cuda" and x_ni.dtype == torch.bfloat16
    if on_gpu and sizes_fit and kernel_name() != "math":
        return F.grouped_mm(x_ni, weight_eoi.transpose(1, 2), offs=ends_e)
    sizes = ends_e.diff(prepend=ends_e.new_zeros(1)).tolist()
    out: Tensor = _GroupedProduct.apply(x_ni, weight_eoi, sizes)  # type: ignore[no-untyped-call]
    return out


class _GroupedProduct(torch.autograd.Function):
    """One product after the other, as fast on a CPU as PyTorch's own, into tensors made once."""

    @staticmethod
    def forward(ctx: Any, x_ni: Tensor, weight_eoi: Tensor, sizes: list[int]) -> Tensor:
        ctx.save_for_backward(x_ni, weight_eoi)
        ctx.sizes = sizes
        out_no = x_ni.new_empty(len(x_ni), weight_eoi.shape[1])
        rows = (torch.split(tensor, sizes) for tensor in (x_ni, out_no))
        for x, out, weight in zip(*rows, weight_eoi, strict=True):
            torch.mm(x, weight.T, out=out)
        return out_no

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_no: Tensor) -> tuple[Tensor, Tensor, None]:
        x_ni, weight_eoi = ctx.saved_tensors
        grad_ni, grad_eoi = torch.empty_like(x_ni), torch.empty_like(weight_eoi)
        rows = (torch.split(tensor, ctx.sizes) for tensor in (x_ni, slope_no, grad_ni))
        for x, slope, grad, weight, weight_grad in zip(*rows, weight_eoi, grad_eoi, strict=True):
            torch.mm(slope, weight, out=grad)
            torch.mm(slope.T, x, out=weight_grad)
        return grad_ni, grad_eoi, None
