"""A short causal convolution of every channel by itself, then SiLU: what Mamba puts before its scan.

In the shapes: batch ``b``, tokens ``t``, channels ``c``, taps ``k``, inputs held from before ``w = k - 1``,
both together ``s = w + t``.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from effdsl_runtime.model.mixer import Cache


class CausalConv(nn.Module):
    """``silu(conv(x))`` over the token and the ``width - 1`` before it, zeros before the first."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width, channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """Weights uniform within ``width ** -0.5``, as ``nn.Conv1d`` starts (Mamba's reference code), the
        bias zero."""
        if name == "bias":
            return torch.zeros(self.bias.shape)
        bound: float = self.weight.shape[0] ** -0.5
        return torch.empty(self.weight.shape).uniform_(-bound, bound, generator=generator)

    def forward(self, x_btc: Tensor, cache: Cache | None = None) -> Tensor:
        before = self.weight.shape[0] - 1
        held_bwc = cache.state("window") if cache is not None else None
        if held_bwc is None:
            held_bwc = x_btc.new_zeros(x_btc.shape[0], before, x_btc.shape[2])
        if cache is not None:
            seen_bsc = torch.cat((held_bwc, x_btc), 1)
            cache.replace("window", seen_bsc[:, seen_bsc.shape[1] - before :])
        out: Tensor = _ConvSiLU.apply(x_btc, held_bwc, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return out


class _ConvSiLU(torch.autograd.Function):
    """In float32, and without keeping the sum that SiLU takes: the backward pass adds it up again.

    Sums of shifted products, which for channels side by side in memory are several times as fast as
    ``F.conv1d`` with a group per channel.
    """

    @staticmethod
    def forward(ctx: Any, x_btc: Tensor, held_bwc: Tensor, weight_kc: Tensor, bias_c: Tensor) -> Tensor:
        ctx.save_for_backward(x_btc, held_bwc, weight_kc, bias_c)
        all_bsc = torch.cat((held_bwc, x_btc), 1).float()
        return F.silu(_convolved(all_bsc, weight_kc, bias_c), inplace=True).to(x_btc.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_btc: Tensor) -> tuple[Tensor, ...]:
        x_btc, held_bwc, weight_kc, bias_c = ctx.saved_tensors
        all_bsc = torch.cat((held_bwc, x_btc), 1).float()
        sum_btc = _convolved(all_bsc, weight_kc, bias_c)
        slope_btc = torch.ops.aten.silu_backward(slope_btc.float(), sum_btc)
        tokens, taps = x_btc.shape[1], len(weight_kc)
        grad_bsc = torch.zeros_like(all_bsc)
        grad_kc = torch.empty_like(weight_kc)
        for k in range(taps):
            grad_bsc[:, k : k + tokens].addcmul_(slope_btc, weight_kc[k])
            torch.sum(slope_btc * all_bsc[:, k : k + tokens], (0, 1), out=grad_kc[k])
        held_grad_bwc, x_grad_btc = grad_bsc[:, : taps - 1], grad_bsc[:, taps - 1 :]
        return (
            x_grad_btc.to(x_btc.dtype),
            held_grad_bwc.to(held_bwc.dtype),
            grad_kc,
            slope_btc.sum((0, 1)),
        )


def _convolved(all_bsc: Tensor, weight_kc: Tensor, bias_c: Tensor) -> Tensor:
    """``(b, t, c)`` from the ``t + k - 1`` inputs that matter."""
    tokens = all_bsc.shape[1] - len(weight_kc) + 1
    sum_btc = torch.addcmul(bias_c, all_bsc[:, :tokens], weight_kc[0])
    for k in range(1, len(weight_kc)):
        sum_btc.addcmul_(all_bsc[:, k : k + tokens], weight_kc[k])
    return sum_btc
