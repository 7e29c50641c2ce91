"""Cross-entropy of an output layer without ever holding all its logits."""

from __future__ import annotations

from collections.abc import Iterator
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
    cast_nd, targets_n1 = x_nd.to(dtype), targets_n.unsqueeze(1)
    if torch.is_grad_enabled():
        loss: Tensor = _LinearCrossEntropy.apply(cast_nd, weight_vd, targets_n1)  # type: ignore[no-untyped-call]
        return loss
    cast_vd = weight_vd.to(dtype)
    values = [_value(cast_nd[c], cast_vd, targets_n1[c])[0] for c in _chunks(cast_nd, weight_vd)]
    return torch.stack(values).sum() / len(targets_n)


def _chunks(x_nd: Tensor, weight_vd: Tensor) -> Iterator[slice]:
    """Rows whose logits are held at once."""
    rows = max(1, CHUNK_ELEMENTS.get(x_nd.device.type, CHUNK_ELEMENTS["cpu"]) // weight_vd.shape[0])
    return (slice(first, first + rows) for first in range(0, x_nd.shape[0], rows))


def _value(x_nd: Tensor, weight_vd: Tensor, targets_n1: Tensor) -> tuple[Tensor, Tensor]:
    """Summed loss of a chunk, and the log-probabilities ``(n, v)``; both float32."""
    log_chance_nv = (x_nd @ weight_vd.T).float().log_softmax(1)
    return -log_chance_nv.gather(1, targets_n1).sum(), log_chance_nv


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_nd: Tensor, weight_vd: Tensor, targets_n1: Tensor) -> Tensor:
        cast_vd = weight_vd.to(x_nd.dtype)
        loss = x_nd.new_zeros((), dtype=torch.float32)
        trained = ctx.needs_input_grad[1]
        grad_nd, grad_vd = torch.empty_like(x_nd), torch.zeros_like(weight_vd) if trained else None
        for chunk in _chunks(x_nd, weight_vd):
            value, log_chance_nv = _value(x_nd[chunk], cast_vd, targets_n1[chunk])
            loss += value
            slope_nv = log_chance_nv.exp_()  # in place; becomes softmax minus one at the target
            slope_nv.scatter_add_(1, targets_n1[chunk], -torch.ones_like(slope_nv[:, :1]))
            slope_nv = slope_nv.mul_(1 / x_nd.shape[0]).to(x_nd.dtype)
            grad_nd[chunk] = slope_nv @ cast_vd
            if grad_vd is None:  # the output layer is frozen
                pass
            elif x_nd.dtype == weight_vd.dtype:
                torch.addmm(grad_vd, slope_nv.T, x_nd[chunk], out=grad_vd)
            else:
                grad_vd += slope_nv.T @ x_nd[chunk]
            del log_chance_nv, slope_nv  # or the next chunk is computed beside this one
        ctx.save_for_backward(grad_nd, grad_vd)
        return loss / x_nd.shape[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        grad_nd, grad_vd = ctx.saved_tensors
        return grad_nd * scale.to(grad_nd.dtype), None if grad_vd is None else grad_vd.mul_(scale), None
