"""The one place that picks a kernel for the matrix products of experts."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from effdsl_runtime.model.kernel import kernel_name

ALIGNED = 8  # elements of bfloat16 in the 16 bytes that the GPU's kernel loads at once
COMPILED_ROWS = 32


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
    out: Tensor = _one_after_the_other(x_ni, weight_eoi, ends_e)
    return out


@torch.compiler.disable  # type: ignore[untyped-decorator]  # it would compile for every number of rows
def _one_after_the_other(x_ni: Tensor, weight_eoi: Tensor, ends_e: Tensor) -> Tensor:
    sizes = ends_e.diff(prepend=ends_e.new_zeros(1)).tolist()
    out: Tensor = _GroupedProduct.apply(x_ni, weight_eoi, sizes)  # type: ignore[no-untyped-call]
    return out


class _GroupedProduct(torch.autograd.Function):
    """One product after the other, as fast on a CPU as PyTorch's own, into tensors made once.

    Products run over a few rows of the next expert too, up to a multiple of ``_rows_at_once``. What they
    write there, that expert's own product, which comes later, writes again.
    """

    @staticmethod
    def forward(ctx: Any, x_ni: Tensor, weight_eoi: Tensor, sizes: list[int]) -> Tensor:
        ctx.save_for_backward(x_ni, weight_eoi)
        ctx.sizes = sizes
        return _products(x_ni, weight_eoi.mT, sizes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_no: Tensor) -> tuple[Tensor, Tensor, None]:
        x_ni, weight_eoi = ctx.saved_tensors
        return _products(slope_no, weight_eoi, ctx.sizes), _weight_grads(slope_no, x_ni, ctx.sizes), None


def _products(x_ni: Tensor, weight_eio: Tensor, sizes: list[int]) -> Tensor:
    """``x @ weight[e]`` for the rows of each expert: ``(n, o)``."""
    step, rows = _rows_at_once(x_ni), len(x_ni)
    x_mi = F.pad(x_ni, (0, 0, 0, step - 1)) if step > 1 else x_ni
    out_mo = x_ni.new_empty(len(x_mi), weight_eio.shape[2])
    start = 0
    for size, weight_io in zip(sizes, weight_eio, strict=True):
        run = slice(start, start + -(-size // step) * step)
        torch.mm(x_mi[run], weight_io, out=out_mo[run])
        start += size
    return out_mo[:rows]


def _weight_grads(slope_no: Tensor, x_ni: Tensor, sizes: list[int]) -> Tensor:
    """``slope.T @ x`` over the rows of each expert: ``(e, o, i)``."""
    step = _rows_at_once(x_ni)
    grad_eoi = x_ni.new_empty(len(sizes), slope_no.shape[1], x_ni.shape[1])
    rows = zip(torch.split(slope_no, sizes), torch.split(x_ni, sizes), strict=True)
    for (slope_ro, x_ri), grad_oi in zip(rows, grad_eoi, strict=True):
        more = -len(x_ri) % step
        if more:
            slope_ro, x_ri = F.pad(slope_ro, (0, 0, 0, more)), F.pad(x_ri, (0, 0, 0, more))
        torch.mm(slope_ro.T, x_ri, out=grad_oi)
    return grad_eoi


def _rows_at_once(x_ni: Tensor) -> int:
    """Rows of which a product should have a multiple.

    On a CPU oneDNN compiles a bfloat16 product for every number of rows that it meets, which takes longer
    than the product, and keeps it in about 0.7 MB.
    """
    return COMPILED_ROWS if x_ni.device.type == "cpu" and x_ni.dtype == torch.bfloat16 else 1
