"""Cross-entropy of an output layer without ever holding all its logits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK_ELEMENTS = {"cpu": 1 << 21, "cuda": 1 << 28}  # logits at a time: what a cache, or a GPU, holds easily


def linear_cross_entropy(x_nd: Tensor, weight_vd: Tensor, targets_n: Tensor) -> Tensor:
    """Mean cross-entropy of the logits ``x_nd @ weight_vd.T``, nats, float32.

    Works chunk by chunk and, where a gradient will be wanted, computes it on the way: the same matrix
    products as logits, loss and backward one after the other, without the logits in memory. In the dtype
    of autocast where that is on; softmax and loss in float32.
    """
    device = x_nd.device.type
    autocast = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if autocast else x_nd.dtype
    loss: Tensor = _LinearCrossEntropy.apply(  # type: ignore[no-untyped-call]
        x_nd, weight_vd, targets_n, dtype, torch.is_grad_enabled()
    )
    return loss


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x_nd: Tensor, weight_vd: Tensor, targets_n: Tensor, dtype: torch.dtype, learns: bool
    ) -> Tensor:
        tokens, vocabulary = x_nd.shape[0], weight_vd.shape[0]
        rows = max(1, CHUNK_ELEMENTS.get(x_nd.device.type, 1 << 21) // vocabulary)
        cast_nd, cast_vd = x_nd.to(dtype), weight_vd.to(dtype)
        loss = x_nd.new_zeros((), dtype=torch.float32)
        grad_nd, grad_vd = torch.empty_like(cast_nd), torch.zeros_like(weight_vd)
        for first in range(0, tokens, rows):
            chunk = slice(first, first + rows)
            target_n1 = targets_n[chunk].unsqueeze(1)
            log_chance_nv = (cast_nd[chunk] @ cast_vd.T).float().log_softmax(1)
            loss -= log_chance_nv.gather(1, target_n1).sum()
            if not learns:
                continue
            slope_nv = log_chance_nv.exp_()  # in place; softmax minus the target's one
            slope_nv.scatter_add_(1, target_n1, -torch.ones_like(target_n1, dtype=slope_nv.dtype))
            slope_nv = slope_nv.mul_(1 / tokens).to(dtype)
            grad_nd[chunk] = slope_nv @ cast_vd
            if dtype == grad_vd.dtype:
                torch.addmm(grad_vd, slope_nv.T, cast_nd[chunk], out=grad_vd)
            else:
                grad_vd += slope_nv.T @ cast_nd[chunk]
        if learns:
            ctx.save_for_backward(grad_nd, grad_vd)
            ctx.input_dtype = x_nd.dtype
        return loss / tokens

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        grad_nd, grad_vd = ctx.saved_tensors
        return grad_nd.to(ctx.input_dtype) * scale, grad_vd.mul_(scale), None, None, None
