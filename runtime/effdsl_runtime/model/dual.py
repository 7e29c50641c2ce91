"""Mamba-2's scan as matrix products (Dao & Gu 2024, arXiv 2405.21060, section 6), in float32.

    h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t'        y_t = h_t' C_t + D x_t

Every head has its own scalar decay; all share B and C. A chunk of ``q`` tokens is an attention with decays
in place of softmax; a state passes from chunk to chunk. The backward pass makes everything again from the
inputs, and needs no gradient of a decay matrix: see ``_decay_gradient``.

In the shapes: batch ``b``, tokens ``t``, channels ``i`` in heads ``h`` of ``p``, numbers ``n`` of a state per
channel, chunks ``k`` of tokens ``q``, earlier tokens ``s`` of the same chunk, and ``j = k + 1``, what is
before each chunk and after the last.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from effdsl.techniques.mamba import DUAL_CHUNK
from effdsl_runtime.model.kernel import without_autocast

LEAST_LOGARITHM = -60.0


def dual_scan(
    x_bti: Tensor,
    step_bth: Tensor,
    A_h: Tensor,
    B_btn: Tensor,
    C_btn: Tensor,
    D_h: Tensor,
    state_bhnp: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """``(b, t, i)`` and the state after the last token ``(b, h, n, p)``, both float32.

    Args:
        x_bti: inputs, ``i = h * p`` channels.
        step_bth: the step sizes before softplus makes them positive.
        A_h: negative, as are all decays' logarithms.
        B_btn, C_btn: what writes into the state, and what reads it.
        D_h: how much of the input is added to the output.
        state_bhnp: the state before the first token; default zero.
    """
    with without_autocast(x_bti.device):
        out: tuple[Tensor, Tensor] = _DualScan.apply(  # type: ignore[no-untyped-call]
            x_bti, step_bth, A_h, B_btn, C_btn, D_h, state_bhnp
        )
    return out


class _Chunks(NamedTuple):
    """The inputs in ``k`` chunks of ``q`` tokens, float32, zeros after the last token; see ``_by_head``.

    Attributes:
        delta_kbhq1: step sizes.
        from_start_kbhq1: a state's decay from its chunk's start to after each token.
        decay_kbhq1: its logarithm.
        written_kbhqp: inputs times steps.
        B_kb1qn, C_kb1qn: as given.
    """

    delta_kbhq1: Tensor
    from_start_kbhq1: Tensor
    decay_kbhq1: Tensor
    written_kbhqp: Tensor
    B_kb1qn: Tensor
    C_kb1qn: Tensor

    @property
    def to_end_kbhq1(self) -> Tensor:
        """Decay from after each token to its chunk's end."""
        return _decay(self.decay_kbhq1, self.decay_kbhq1[:, :, :, -1:])

    @property
    def whole_kbh11(self) -> Tensor:
        """Decay over each chunk."""
        return self.from_start_kbhq1[:, :, :, -1:]

    def between(self) -> Tensor:
        """Decay from after token ``s`` to after ``q``, ``(k, b, h, q, s)``; one where ``q`` is earlier."""
        return _decay(self.decay_kbhq1.mT, self.decay_kbhq1)

    def scores(self) -> Tensor:
        """``C_q' B_s`` for all heads, ``(k, b, 1, q, s)``; zero where ``q`` is earlier."""
        return (self.C_kb1qn @ self.B_kb1qn.mT).tril_()

    def empty_states(self) -> Tensor:
        """Room for the state before each chunk, and after the last: ``(j, b, h, n, p)``."""
        chunks, batch, heads, _, head_dim = self.written_kbhqp.shape
        return self.written_kbhqp.new_empty(chunks + 1, batch, heads, self.B_kb1qn.shape[4], head_dim)


def _decay(earlier: Tensor | float, later: Tensor) -> Tensor:
    """From one logarithm of a decay to a later one.

    A state never quite vanishes: numbers near float32's smallest are many times as slow to multiply.
    """
    return (later - earlier).clamp_(LEAST_LOGARITHM, 0).exp_()


class _DualScan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x_bti: Tensor,
        step_bth: Tensor,
        A_h: Tensor,
        B_btn: Tensor,
        C_btn: Tensor,
        D_h: Tensor,
        state_bhnp: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        parts = _chunks(x_bti, step_bth, A_h, B_btn, C_btn)
        states_jbhnp = _states(parts, state_bhnp)
        y_kbhqp = (parts.C_kb1qn * parts.from_start_kbhq1) @ states_jbhnp[:-1]
        _add_product(y_kbhqp, parts.between().mul_(parts.scores()), parts.written_kbhqp)
        y_bti = _by_token(y_kbhqp, x_bti.shape[1])
        _add_per_head(y_bti, x_bti.float(), D_h)
        ctx.save_for_backward(x_bti, step_bth, A_h, B_btn, C_btn, D_h, state_bhnp, y_bti)
        return y_bti, states_jbhnp[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_bti: Tensor, slope_bhnp: Tensor) -> tuple[Tensor | None, ...]:
        x_bti, step_bth, A_h, B_btn, C_btn, D_h, state_bhnp, y_bti = ctx.saved_tensors
        parts, heads = _chunks(x_bti, step_bth, A_h, B_btn, C_btn), len(A_h)
        tokens, chunk = x_bti.shape[1], parts.delta_kbhq1.shape[3]
        slope_kbhqp = _by_head(slope_bti, chunk, heads)
        states_jbhnp = _states(parts, state_bhnp)
        states_grad_jbhnp = _state_gradients(parts, slope_kbhqp, slope_bhnp)
        written_grad_kbhqp, scores_grad_kb1qs = _among_gradients(parts, slope_kbhqp)
        _add_product(written_grad_kbhqp, parts.B_kb1qn * parts.to_end_kbhq1, states_grad_jbhnp[1:])
        B_grad_kb1qn, C_grad_kb1qn = _shared_gradients(
            parts, slope_kbhqp, states_jbhnp, states_grad_jbhnp, scores_grad_kb1qs
        )
        written_grad_bti = _by_token(written_grad_kbhqp, tokens)
        float_bti, delta_bth = x_bti.float(), _by_token(parts.delta_kbhq1, tokens)
        through_bth = _head_sums(slope_bti * float_bti, heads)
        scaled_bth = _head_sums(written_grad_bti * float_bti, heads)
        arriving_bth = _head_sums(slope_bti * y_bti, heads) - through_bth * D_h
        decay_grad_kbhq1 = _decay_gradient(
            _by_head(arriving_bth - scaled_bth * delta_bth, chunk, heads),
            states_jbhnp[1:].mul_(states_grad_jbhnp[1:]).sum((3, 4), keepdim=True),
        )
        A_grad_h = (decay_grad_kbhq1 * parts.delta_kbhq1).sum((0, 1, 3, 4))
        delta_grad_bth = _by_token(decay_grad_kbhq1, tokens) * A_h + scaled_bth
        x_grad_bti = _per_head(written_grad_bti, delta_bth)
        _add_per_head(x_grad_bti, slope_bti, D_h)
        return (
            x_grad_bti.to(x_bti.dtype),
            (delta_grad_bth * step_bth.float().sigmoid()).to(step_bth.dtype),
            A_grad_h,
            _by_token(B_grad_kb1qn, tokens).to(B_btn.dtype),
            _by_token(C_grad_kb1qn, tokens).to(C_btn.dtype),
            through_bth.sum((0, 1)),
            states_grad_jbhnp[0] if state_bhnp is not None else None,
        )


def _chunks(x_bti: Tensor, step_bth: Tensor, A_h: Tensor, B_btn: Tensor, C_btn: Tensor) -> _Chunks:
    chunk, heads = min(DUAL_CHUNK, x_bti.shape[1]), len(A_h)
    delta_kbhq1 = _by_head(F.softplus(step_bth.float()), chunk, heads)
    decay_kbhq1 = (delta_kbhq1 * A_h.view(-1, 1, 1)).cumsum(3)
    return _Chunks(
        delta_kbhq1,
        _decay(0.0, decay_kbhq1),
        decay_kbhq1,
        _by_head(x_bti, chunk, heads).mul_(delta_kbhq1),
        _by_head(B_btn, chunk, 1),
        _by_head(C_btn, chunk, 1),
    )


def _by_head(x_bti: Tensor, chunk: int, heads: int) -> Tensor:
    """A copy ``(k, b, h, q, p)``, float32, where each matrix that a product multiplies is in one piece."""
    missing = -x_bti.shape[1] % chunk
    padded_bti = F.pad(x_bti, (0, 0, 0, missing)) if missing else x_bti
    x_bkqhp = torch.unflatten(torch.unflatten(padded_bti, 2, (heads, -1)), 1, (-1, chunk))
    x_kbhqp = x_bkqhp.permute(1, 0, 3, 2, 4)
    return x_kbhqp.to(torch.float32, copy=True, memory_format=torch.contiguous_format)


def _by_token(x_kbhqp: Tensor, tokens: int) -> Tensor:
    """``(b, t, i)``: undoes ``_by_head``."""
    return x_kbhqp.permute(1, 0, 3, 2, 4).flatten(3).flatten(1, 2)[:, :tokens]


def _states(parts: _Chunks, state_bhnp: Tensor | None) -> Tensor:
    """The state before each chunk, and after the last: ``(j, b, h, n, p)``."""
    states_jbhnp, whole_kbh11 = parts.empty_states(), parts.whole_kbh11
    torch.matmul((parts.B_kb1qn * parts.to_end_kbhq1).mT, parts.written_kbhqp, out=states_jbhnp[1:])
    states_jbhnp[0] = 0 if state_bhnp is None else state_bhnp
    for k in range(len(whole_kbh11)):
        states_jbhnp[k + 1].addcmul_(states_jbhnp[k], whole_kbh11[k])
    return states_jbhnp


def _state_gradients(parts: _Chunks, slope_kbhqp: Tensor, slope_bhnp: Tensor) -> Tensor:
    """The gradient of each of the states, ``(j, b, h, n, p)``."""
    grad_jbhnp, whole_kbh11 = parts.empty_states(), parts.whole_kbh11
    torch.matmul((parts.C_kb1qn * parts.from_start_kbhq1).mT, slope_kbhqp, out=grad_jbhnp[:-1])
    grad_jbhnp[-1] = slope_bhnp
    for k in reversed(range(len(whole_kbh11))):
        grad_jbhnp[k].addcmul_(grad_jbhnp[k + 1], whole_kbh11[k])
    return grad_jbhnp


def _among_gradients(parts: _Chunks, slope_kbhqp: Tensor) -> tuple[Tensor, Tensor]:
    """Of what a chunk's tokens give each other: gradients of ``written_kbhqp`` and of ``scores``."""
    between_kbhqs = parts.between()
    scores_grad_kb1qs = (
        (slope_kbhqp @ parts.written_kbhqp.mT).mul_(between_kbhqs).sum(2, keepdim=True).tril_()
    )
    return between_kbhqs.mul_(parts.scores()).mT @ slope_kbhqp, scores_grad_kb1qs


def _shared_gradients(
    parts: _Chunks,
    slope_kbhqp: Tensor,
    states_jbhnp: Tensor,
    states_grad_jbhnp: Tensor,
    scores_grad_kb1qs: Tensor,
) -> tuple[Tensor, Tensor]:
    """The gradients of ``B_kb1qn`` and ``C_kb1qn``, from the states' and the scores'."""
    B_grad_kb1qn = (
        (parts.written_kbhqp @ states_grad_jbhnp[1:].mT).mul_(parts.to_end_kbhq1).sum(2, keepdim=True)
    )
    C_grad_kb1qn = (slope_kbhqp @ states_jbhnp[:-1].mT).mul_(parts.from_start_kbhq1).sum(2, keepdim=True)
    return (
        B_grad_kb1qn + scores_grad_kb1qs.mT @ parts.C_kb1qn,
        C_grad_kb1qn + scores_grad_kb1qs @ parts.B_kb1qn,
    )


def _decay_gradient(net_kbhq1: Tensor, leaving_kbh11: Tensor) -> Tensor:
    """The gradient of each token's decay logarithm.

    That decay scales everything that passes from before its token to the token or beyond. A token's
    output times its gradient weighs all that arrives there; what it writes times that gradient, all it
    sends. So from a token to the end of its chunk: what arrives, less what was sent from there on, plus
    what leaves the chunk in the state. The three cancel where the decay is total; rounded, what is left
    weighs about 1e-7 of them.

    Args:
        net_kbhq1: what arrives at each token, less what it sends.
        leaving_kbh11: what leaves each chunk.
    """
    net_kbhq1[:, :, :, -1:] += leaving_kbh11
    return net_kbhq1.flip(3).cumsum(3).flip(3)


def _add_product(sum_kbhqp: Tensor, left_kbhqx: Tensor, right_kbhxp: Tensor) -> None:
    """Add the product of ``left_kbhqx`` and ``right_kbhxp`` to ``sum_kbhqp``, where it is."""
    sum_mqp = sum_kbhqp.view(-1, *sum_kbhqp.shape[3:])
    torch.baddbmm(sum_mqp, left_kbhqx.flatten(0, 2), right_kbhxp.flatten(0, 2), out=sum_mqp)


def _add_per_head(sum_i: Tensor, x_i: Tensor, scale_h: Tensor) -> None:
    """Add channels ``(..., i)`` times the scale of their head ``(h)`` to ``sum_i``, where it is."""
    sum_hp, x_hp = (torch.unflatten(each_i, -1, (len(scale_h), -1)) for each_i in (sum_i, x_i))
    sum_hp.addcmul_(x_hp, scale_h.unsqueeze(1))


def _per_head(x_i: Tensor, scale_h: Tensor) -> Tensor:
    """Channels ``(..., i)`` times the scale of their head ``(..., h)``."""
    return (torch.unflatten(x_i, -1, (scale_h.shape[-1], -1)) * scale_h.unsqueeze(-1)).flatten(-2)


def _head_sums(x_i: Tensor, heads: int) -> Tensor:
    """Channels ``(..., i)`` summed within each head."""
    return torch.unflatten(x_i, -1, (heads, -1)).sum(-1)
