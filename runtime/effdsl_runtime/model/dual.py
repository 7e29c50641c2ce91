"""Mamba-2's scan as matrix products (Dao & Gu 2024, arXiv 2405.21060, section 6), in float32.

    h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t'        y_t = h_t' C_t + D x_t

Every head has its own scalar decay; all share B and C. A chunk of ``q`` tokens is an attention with decays
in place of softmax; a state passes from chunk to chunk. The backward pass makes everything again from the
inputs, and needs no gradient of a decay matrix: see ``_decay_gradient``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from effdsl.techniques.mamba import DUAL_CHUNK

LEAST_LOGARITHM = -60.0


def dual_scan(
    x_bti: Tensor,
    step_bth: Tensor,
    A_h: Tensor,
    B_btn: Tensor,
    C_btn: Tensor,
    D_h: Tensor,
    state_bni: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """``(b, t, i)`` and the state after the last token ``(b, n, i)``, both float32.

    Args:
        x_bti: inputs, ``i = h * p`` channels.
        step_bth: the step sizes before softplus makes them positive.
        A_h: negative, as are all decays' logarithms.
        B_btn, C_btn: what writes into the state, and what reads it.
        D_h: how much of the input is added to the output.
        state_bni: the state before the first token; default zero.
    """
    out: tuple[Tensor, Tensor] = _DualScan.apply(  # type: ignore[no-untyped-call]
        x_bti, step_bth, A_h, B_btn, C_btn, D_h, state_bni
    )
    return out


class _Chunks(NamedTuple):
    """The inputs in ``k`` chunks of ``q`` tokens, float32, zeros after the last token.

    Attributes:
        delta_bkqh: step sizes.
        decay_bkqh: logarithm of a state's decay from its chunk's start to after each token.
        written_bkqi: inputs times steps.
        B_bkqn, C_bkqn: as given.
    """

    delta_bkqh: Tensor
    decay_bkqh: Tensor
    written_bkqi: Tensor
    B_bkqn: Tensor
    C_bkqn: Tensor

    @property
    def to_end_bkqh(self) -> Tensor:
        """Decay from after each token to its chunk's end."""
        return _decay(self.decay_bkqh[:, :, -1:] - self.decay_bkqh)

    @property
    def from_start_bkqh(self) -> Tensor:
        """Decay from a chunk's start to after each token."""
        return _decay(self.decay_bkqh)

    @property
    def whole_bk1h(self) -> Tensor:
        """Decay over each chunk."""
        return _decay(self.decay_bkqh[:, :, -1:])

    def between(self) -> Tensor:
        """Decay from after each token to after each token that is not earlier, else zero."""
        decay_bkhq = self.decay_bkqh.transpose(2, 3).contiguous()
        return _decay(decay_bkhq.unsqueeze(4) - decay_bkhq.unsqueeze(3)).tril_()


def _decay(logarithm: Tensor) -> Tensor:
    """A state never quite vanishes: numbers near float32's smallest are many times as slow to multiply."""
    return logarithm.clamp(LEAST_LOGARITHM, 0).exp_()


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
        state_bni: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        parts = _chunks(x_bti, step_bth, A_h, B_btn, C_btn)
        starts, last_bni = _starts(parts, state_bni)
        y_bkqi = _per_head(parts.C_bkqn @ starts, parts.from_start_bkqh)
        mixing = parts.between().mul_((parts.C_bkqn @ parts.B_bkqn.mT).unsqueeze(2))
        y_bkqi += _joined(mixing @ _by_head(parts.written_bkqi, mixing.shape[2]))
        y_bti = y_bkqi.flatten(1, 2)[:, : x_bti.shape[1]] + _per_head(x_bti.float(), D_h)
        ctx.save_for_backward(x_bti, step_bth, A_h, B_btn, C_btn, D_h, state_bni, y_bti)
        return y_bti, last_bni

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_bti: Tensor, slope_bni: Tensor) -> tuple[Tensor | None, ...]:
        x_bti, step_bth, A_h, B_btn, C_btn, D_h, state_bni, y_bti = ctx.saved_tensors
        parts, tokens, x = _chunks(x_bti, step_bth, A_h, B_btn, C_btn), x_bti.shape[1], x_bti.float()
        starts, last_bni = _starts(parts, state_bni)
        slope_bkqi = _in_chunks(slope_bti, parts.B_bkqn.shape[2])
        read_bkqi = _per_head(slope_bkqi, parts.from_start_bkqh)
        ends, slope_bni = _end_gradients(parts, parts.C_bkqn.mT @ read_bkqi, slope_bni)
        written_grad, scores_bkqs = _among_gradients(parts, slope_bkqi)
        to_end = parts.to_end_bkqh
        written_grad += _per_head(parts.B_bkqn @ ends, to_end)
        C_grad = read_bkqi @ starts.mT + scores_bkqs @ parts.B_bkqn
        B_grad = _per_head(parts.written_bkqi, to_end) @ ends.mT + scores_bkqs.mT @ parts.C_bkqn
        leaving_bkh = _head_sums(ends * torch.cat((starts[:, 1:], last_bni.unsqueeze(1)), 1), len(A_h)).sum(2)
        through_bth = _head_sums(slope_bti * x, len(A_h))
        arriving_bth = _head_sums(slope_bti * y_bti, len(A_h)) - through_bth * D_h
        decay_grad = _decay_gradient(
            _in_chunks(arriving_bth, parts.B_bkqn.shape[2]),
            _head_sums(parts.written_bkqi * written_grad, len(A_h)),
            leaving_bkh,
        )
        A_grad = (decay_grad * parts.delta_bkqh).sum((0, 1, 2))
        written_bti, decay_bth, B_grad, C_grad = (
            grad.flatten(1, 2)[:, :tokens] for grad in (written_grad, decay_grad, B_grad, C_grad)
        )
        delta_bth = parts.delta_bkqh.flatten(1, 2)[:, :tokens]
        delta_grad = decay_bth * A_h + _head_sums(written_bti * x, len(A_h))
        x_grad = _per_head(written_bti, delta_bth) + _per_head(slope_bti, D_h)
        return (
            x_grad.to(x_bti.dtype),
            (delta_grad * step_bth.float().sigmoid()).to(step_bth.dtype),
            A_grad,
            B_grad.to(B_btn.dtype),
            C_grad.to(C_btn.dtype),
            through_bth.sum((0, 1)),
            slope_bni if state_bni is not None else None,
        )


def _chunks(x_bti: Tensor, step_bth: Tensor, A_h: Tensor, B_btn: Tensor, C_btn: Tensor) -> _Chunks:
    chunk = min(DUAL_CHUNK, x_bti.shape[1])
    delta_bth = F.softplus(step_bth.float())
    written_bti = _per_head(x_bti.float(), delta_bth)
    delta_bkqh, written_bkqi, B_bkqn, C_bkqn = (
        _in_chunks(part, chunk) for part in (delta_bth, written_bti, B_btn.float(), C_btn.float())
    )
    return _Chunks(delta_bkqh, (delta_bkqh * A_h).cumsum(2), written_bkqi, B_bkqn, C_bkqn)


def _in_chunks(x_bte: Tensor, chunk: int) -> Tensor:
    missing = -x_bte.shape[1] % chunk
    return torch.unflatten(F.pad(x_bte, (0, 0, 0, missing)), 1, (-1, chunk))


def _starts(parts: _Chunks, state_bni: Tensor | None) -> tuple[Tensor, Tensor]:
    """The state before each chunk ``(b, k, n, i)``, and after the last."""
    added = parts.B_bkqn.mT @ _per_head(parts.written_bkqi, parts.to_end_bkqh)
    if state_bni is None:
        state_bni = torch.zeros_like(added[:, 0])
    whole_bk1h = parts.whole_bk1h
    starts = torch.empty_like(added)
    for k in range(added.shape[1]):
        starts[:, k] = state_bni
        state_bni = added[:, k] + _per_head(state_bni, whole_bk1h[:, k])
    return starts, state_bni


def _end_gradients(parts: _Chunks, read_bkni: Tensor, slope_bni: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the state after each chunk ``(b, k, n, i)``, and before the first.

    ``read_bkni`` is what each chunk's own outputs pass back to the state before it.
    """
    whole_bk1h = parts.whole_bk1h
    ends = torch.empty_like(read_bkni)
    for k in range(read_bkni.shape[1] - 1, -1, -1):
        ends[:, k] = slope_bni
        slope_bni = read_bkni[:, k] + _per_head(slope_bni, whole_bk1h[:, k])
    return ends, slope_bni


def _among_gradients(parts: _Chunks, slope_bkqi: Tensor) -> tuple[Tensor, Tensor]:
    """Of what a chunk's tokens give each other: gradients of ``written_bkqi`` and of ``C B'``."""
    between, heads = parts.between(), parts.delta_bkqh.shape[3]
    slope_bkhqp = _by_head(slope_bkqi, heads)
    scores_grad = slope_bkhqp @ _by_head(parts.written_bkqi, heads).mT
    scores_bkqs = scores_grad.mul_(between).sum(2)
    mixing = between.mul_((parts.C_bkqn @ parts.B_bkqn.mT).unsqueeze(2))
    return _joined(mixing.mT @ slope_bkhqp), scores_bkqs


def _decay_gradient(arriving_bkqh: Tensor, sent_bkqh: Tensor, leaving_bkh: Tensor) -> Tensor:
    """The gradient of each token's decay logarithm.

    That decay scales everything that passes from before its token to the token or beyond. A token's
    output times its gradient weighs all that arrives there; what it writes times that gradient, all it
    sends. So from a token to the end of its chunk: what arrives, less what was sent from there on, plus
    what leaves the chunk in the state. The three cancel where the decay is total; rounded, what is left
    weighs about 1e-7 of them.
    """
    net = arriving_bkqh - sent_bkqh
    net[:, :, -1] += leaving_bkh
    return net.flip(2).cumsum(2).flip(2)


def _per_head(x_i: Tensor, scale_h: Tensor) -> Tensor:
    """Channels ``(..., i)`` times the scale of their head ``(..., h)``."""
    return (torch.unflatten(x_i, -1, (scale_h.shape[-1], -1)) * scale_h.unsqueeze(-1)).flatten(-2)


def _head_sums(x_i: Tensor, heads: int) -> Tensor:
    """Channels ``(..., i)`` summed within each head."""
    return torch.unflatten(x_i, -1, (heads, -1)).sum(-1)


def _by_head(x_bkqi: Tensor, heads: int) -> Tensor:
    return torch.unflatten(x_bkqi, 3, (heads, -1)).transpose(2, 3)


def _joined(x_bkhqp: Tensor) -> Tensor:
    return x_bkhqp.transpose(2, 3).flatten(3)
