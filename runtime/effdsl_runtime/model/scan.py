"""Mamba's selective scan (Gu & Dao 2023, arXiv 2312.00752, section 3.2), in float32.

    h_t = exp(delta_t A) * h_{t-1} + delta_t u_t B_t        y_t = C_t h_t + D u_t

with a state of ``n`` numbers for each of ``d`` channels. States exist for ``CHUNK`` tokens at a time, which
a processor's cache holds: kept for the backward pass is the state between chunks, and each chunk's states
are made again. Channels lie side by side in memory, so that every step works on long rows.

In the shapes: batch ``b``, tokens ``t``, chunks ``c``, tokens of a chunk ``l``.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from effdsl.techniques.mamba import CHUNK


def selective_scan(
    u_btd: Tensor,
    step_btd: Tensor,
    A_nd: Tensor,
    B_btn: Tensor,
    C_btn: Tensor,
    D_d: Tensor,
    state_bnd: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """``(b, t, d)`` in the dtype of ``u_btd``, and the state after the last token, float32.

    Args:
        u_btd: inputs.
        step_btd: the step sizes before softplus makes them positive.
        A_nd: negative, as are all decays' logarithms.
        B_btn, C_btn: what writes into the state, and what reads it.
        D_d: how much of the input is added to the output.
        state_bnd: the state before the first token; default zero.
    """
    if state_bnd is None:
        state_bnd = A_nd.new_zeros(len(u_btd), *A_nd.shape)
    out: tuple[Tensor, Tensor] = _SelectiveScan.apply(  # type: ignore[no-untyped-call]
        u_btd, step_btd, A_nd, B_btn, C_btn, D_d, state_bnd
    )
    return out


class _SelectiveScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        u_btd: Tensor,
        step_btd: Tensor,
        A_nd: Tensor,
        B_btn: Tensor,
        C_btn: Tensor,
        D_d: Tensor,
        state_bnd: Tensor,
    ) -> tuple[Tensor, Tensor]:
        u_tbd = _time_first(u_btd)
        delta_tbd = F.softplus(_time_first(step_btd))
        written_tbd, B_tbn, C_tbn = delta_tbd * u_tbd, _time_first(B_btn), _time_first(C_btn)
        starts_bnd, y_tbd = [], u_tbd * D_d
        for c in _chunks(len(u_tbd)):
            starts_bnd.append(state_bnd)
            _, h_lbnd = _states(delta_tbd[c], A_nd, written_tbd[c], B_tbn[c], state_bnd)
            y_tbd[c] += _over_states(C_tbn[c], h_lbnd)
            state_bnd = h_lbnd[-1].clone()
        ctx.save_for_backward(u_btd, step_btd, A_nd, B_btn, C_btn, D_d, torch.stack(starts_bnd))
        return y_tbd.transpose(0, 1).to(u_btd.dtype, memory_format=torch.contiguous_format), state_bnd

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_btd: Tensor, slope_bnd: Tensor) -> tuple[Tensor, ...]:
        u_btd, step_btd, A_nd, B_btn, C_btn, D_d, starts_cbnd = ctx.saved_tensors
        u_tbd, step_tbd, slope_tbd = map(_time_first, (u_btd, step_btd, slope_btd))
        delta_tbd, B_tbn, C_tbn = F.softplus(step_tbd), _time_first(B_btn), _time_first(C_btn)
        written_tbd = delta_tbd * u_tbd
        written_grad_tbd, delta_grad_tbd = torch.empty_like(u_tbd), torch.empty_like(u_tbd)
        B_grad_tbn, C_grad_tbn = torch.empty_like(B_tbn), torch.empty_like(C_tbn)
        A_grad_nd = torch.zeros_like(A_nd)
        chunks = _chunks(len(u_tbd))
        for c, start_bnd in zip(reversed(chunks), reversed(starts_cbnd.unbind()), strict=True):
            decay_lbnd, h_lbnd = _states(delta_tbd[c], A_nd, written_tbd[c], B_tbn[c], start_bnd)
            C_grad_tbn[c] = _over_channels(h_lbnd, slope_tbd[c])
            h_grad_lbnd = C_tbn[c].unsqueeze(3) * slope_tbd[c].unsqueeze(2)
            slope_bnd = _back_in_time(decay_lbnd, h_grad_lbnd, slope_bnd)
            written_grad_tbd[c] = _over_states(B_tbn[c], h_grad_lbnd)
            B_grad_tbn[c] = _over_channels(h_grad_lbnd, written_tbd[c])
            # Now the gradient of the decays' logarithms.
            exponent_lbnd = h_grad_lbnd.mul_(decay_lbnd)
            exponent_lbnd[1:].mul_(h_lbnd[:-1])
            exponent_lbnd[0].mul_(start_bnd)
            torch.sum(torch.mul(exponent_lbnd, A_nd, out=h_lbnd), 2, out=delta_grad_tbd[c])
            A_grad_nd += exponent_lbnd.mul_(delta_tbd[c].unsqueeze(2)).sum((0, 1))
        delta_grad_tbd.addcmul_(written_grad_tbd, u_tbd)
        u_grad_tbd = written_grad_tbd.mul_(delta_tbd).addcmul_(slope_tbd, D_d)
        step_grad_tbd = delta_grad_tbd.mul_(step_tbd.sigmoid())
        D_grad_d = (slope_tbd * u_tbd).sum((0, 1))
        return (
            _batch_first(u_grad_tbd, u_btd),
            _batch_first(step_grad_tbd, step_btd),
            A_grad_nd,
            _batch_first(B_grad_tbn, B_btn),
            _batch_first(C_grad_tbn, C_btn),
            D_grad_d,
            slope_bnd,
        )


def _time_first(x_bte: Tensor) -> Tensor:
    return x_bte.transpose(0, 1).to(torch.float32, memory_format=torch.contiguous_format)


def _batch_first(x_tbe: Tensor, like_bte: Tensor) -> Tensor:
    return x_tbe.transpose(0, 1).to(like_bte.dtype)


def _chunks(tokens: int) -> list[slice]:
    return [slice(first, first + CHUNK) for first in range(0, tokens, CHUNK)]


def _states(
    delta_lbd: Tensor, A_nd: Tensor, written_lbd: Tensor, B_lbn: Tensor, state_bnd: Tensor
) -> tuple[Tensor, Tensor]:
    """The decays of a chunk and the states after each of its tokens, both ``(l, b, n, d)``."""
    decay_lbnd = (delta_lbd.unsqueeze(2) * A_nd).exp_()
    h_lbnd = written_lbd.unsqueeze(2) * B_lbn.unsqueeze(3)
    for decay_bnd, h_bnd in zip(decay_lbnd.unbind(), h_lbnd.unbind(), strict=True):
        state_bnd = h_bnd.addcmul_(decay_bnd, state_bnd)
    return decay_lbnd, h_lbnd


def _back_in_time(decay_lbnd: Tensor, h_grad_lbnd: Tensor, slope_bnd: Tensor) -> Tensor:
    """Add to the gradient of each state what later ones pass back; returns that of the chunk's start."""
    decays_bnd, grads_bnd = decay_lbnd.unbind(), h_grad_lbnd.unbind()
    grads_bnd[-1].add_(slope_bnd)
    for now in range(len(grads_bnd) - 1, 0, -1):
        grads_bnd[now - 1].addcmul_(decays_bnd[now], grads_bnd[now])
    return decays_bnd[0] * grads_bnd[0]


def _over_states(weight_lbn: Tensor, x_lbnd: Tensor) -> Tensor:
    """Sum over ``n``: ``(l, b, d)``."""
    return (weight_lbn.unsqueeze(2) @ x_lbnd).squeeze(2)


def _over_channels(x_lbnd: Tensor, weight_lbd: Tensor) -> Tensor:
    """Sum over ``d``: ``(l, b, n)``."""
    return (x_lbnd @ weight_lbd.unsqueeze(3)).squeeze(3)
