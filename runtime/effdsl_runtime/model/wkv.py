"""The average over time of RWKV-4: each channel of earlier values, weighted by key and age.

In the shapes: batch ``b``, tokens ``t``, channels ``d``; ``u = t + 1``, the start and what follows each
token; chunks ``c`` of ``l`` tokens; ``s`` sequences that are summed alike, ``2`` of them values and weights.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

NOTHING = -1e38  # the exponent of an empty sum: finite, so that differences stay numbers


class _Terms(NamedTuple):
    """What a token multiplies by, each at most about 1 because ``m``, the largest exponent, is taken out.

    ``keep`` and ``add`` update the sums, ``old`` and ``own`` read them.
    """

    keep_tbd: Tensor
    add_tbd: Tensor
    old_tbd: Tensor
    own_tbd: Tensor


@torch.compiler.disable  # type: ignore[untyped-decorator]  # a compiler would write out every step
def wkv(k_btd: Tensor, v_btd: Tensor, decay_d: Tensor, first_d: Tensor) -> Tensor:
    """Eq. 16 of RWKV (Peng et al. 2023, arXiv 2305.13048): token ``t`` gets the mean of ``v_i`` for
    ``i < t``, weighted by ``exp(k_i - (t - 1 - i) * decay)``, and of ``v_t``, weighted by
    ``exp(first + k_t)``.

    Computed in float32, and again in the backward pass, for which only keys and values are kept.

    Args:
        k_btd: keys.
        v_btd: values.
        decay_d: by how much a weight's exponent falls per token, above zero.
        first_d: what a token's own weight has more.

    Returns:
        ``(b, t, d)``, in the dtype of the keys.
    """
    out: Tensor = _WKV.apply(k_btd, v_btd, decay_d, first_d)  # type: ignore[no-untyped-call]
    return out


@torch.no_grad()
def continued_wkv(
    k_btd: Tensor, v_btd: Tensor, decay_d: Tensor, first_d: Tensor, state_3bd: Tensor | None
) -> tuple[Tensor, Tensor]:
    """The same for the tokens that follow those of ``state_3bd``, and the state after them.

    A state is the weighted sum of values and the sum of weights, both over ``exp(m)``, and the exponent
    ``m``. No gradients.
    """
    k_tbd, v_tbd = _by_time(k_btd), _by_time(v_btd)
    if state_3bd is None:
        state_3bd = _before_the_first(k_tbd)
    terms, sums_u2bd, exponent_bd = _sums(k_tbd, v_tbd, decay_d, first_d, state_3bd)
    out_tbd, _ = _means(v_tbd, terms, sums_u2bd)
    return out_tbd.transpose(0, 1).to(k_btd.dtype), torch.cat((sums_u2bd[-1], exponent_bd.unsqueeze(0)))


def _before_the_first(k_tbd: Tensor) -> Tensor:
    """The state of empty sums, ``(3, b, d)``."""
    zero_bd = torch.zeros_like(k_tbd[0])
    return torch.stack((zero_bd, zero_bd, zero_bd + NOTHING))


def _by_time(x_btd: Tensor) -> Tensor:
    return x_btd.float().transpose(0, 1).contiguous()


def _exponents(k_tbd: Tensor, decay_d: Tensor, start_bd: Tensor) -> Tensor:
    """The largest exponent in the sums before each token and after the last: ``(t + 1, b, d)``.

    ``m_t = max(m_(t-1) - decay, k_t)``, each pass reaching back twice as far as the one before.
    """
    m_ubd = torch.cat((start_bd.unsqueeze(0), k_tbd))
    faded_ubd, reach = torch.empty_like(m_ubd), 1
    while reach < len(m_ubd):
        torch.sub(m_ubd[:-reach], reach * decay_d, out=faded_ubd[reach:])
        torch.maximum(m_ubd[reach:], faded_ubd[reach:], out=m_ubd[reach:])
        reach *= 2
    return m_ubd


def _terms(k_tbd: Tensor, exponent_ubd: Tensor, decay_d: Tensor, first_d: Tensor) -> _Terms:
    before_tbd, after_tbd = exponent_ubd[:-1], exponent_ubd[1:]
    own_tbd = k_tbd + first_d
    largest_tbd = torch.maximum(before_tbd, own_tbd)
    return _Terms(
        keep_tbd=(before_tbd - decay_d).sub_(after_tbd).exp_(),
        add_tbd=(k_tbd - after_tbd).exp_(),
        old_tbd=(before_tbd - largest_tbd).exp_(),
        own_tbd=own_tbd.sub_(largest_tbd).exp_(),
    )


def _sums(
    k_tbd: Tensor, v_tbd: Tensor, decay_d: Tensor, first_d: Tensor, state_3bd: Tensor
) -> tuple[_Terms, Tensor, Tensor]:
    """The terms; weighted values and weights, summed, before each token and after the last, as
    ``(t + 1, 2, b, d)``; and the last sums' exponent."""
    exponent_ubd = _exponents(k_tbd, decay_d, state_3bd[2])
    terms = _terms(k_tbd, exponent_ubd, decay_d, first_d)
    sums_u2bd = recurrence(
        terms.keep_tbd, torch.stack((terms.add_tbd * v_tbd, terms.add_tbd), 1), state_3bd[:2]
    )
    return terms, sums_u2bd, exponent_ubd[-1]


def _means(v_tbd: Tensor, terms: _Terms, sums_u2bd: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted means and what they were divided by."""
    weighted_tbd, weight_tbd = (terms.old_tbd * earlier_tbd for earlier_tbd in sums_u2bd[:-1].unbind(1))
    weight_tbd.add_(terms.own_tbd)
    return weighted_tbd.addcmul_(terms.own_tbd, v_tbd).div_(weight_tbd), weight_tbd


def recurrence(keep_tbd: Tensor, add_tsbd: Tensor, start_sbd: Tensor) -> Tensor:
    """``x_t = keep_t * x_(t-1) + add_t`` for each of ``s`` sequences: ``(t + 1, s, b, d)``, the start first.

    In about ``sqrt(t)`` chunks: all of them step together from zero, and what each starts with is added
    afterwards, so that there are ``2 * sqrt(t)`` steps one after the other instead of ``t``.
    """
    tokens = len(keep_tbd)
    size = math.isqrt(tokens - 1) + 1
    chunks = -(-tokens // size)
    missing = chunks * size - tokens
    if missing:
        keep_tbd, add_tsbd = (
            F.pad(keep_tbd, (0, 0) * 2 + (0, missing)),
            F.pad(add_tsbd, (0, 0) * 3 + (0, missing)),
        )
    keep_cl1bd = torch.unflatten(keep_tbd.unsqueeze(1), 0, (chunks, size))
    add_clsbd = torch.unflatten(add_tsbd, 0, (chunks, size))
    x_usbd = add_tsbd.new_empty(chunks * size + 1, *start_sbd.shape)
    x_usbd[0] = start_sbd
    inside_clsbd, kept_cl1bd = torch.unflatten(x_usbd[1:], 0, (chunks, size)), torch.empty_like(keep_cl1bd)
    inside_clsbd[:, 0], kept_cl1bd[:, 0] = add_clsbd[:, 0], keep_cl1bd[:, 0]
    for i in range(1, size):
        now_csbd, before_csbd = inside_clsbd[:, i], inside_clsbd[:, i - 1]
        torch.addcmul(add_clsbd[:, i], keep_cl1bd[:, i], before_csbd, out=now_csbd)
        torch.mul(keep_cl1bd[:, i], kept_cl1bd[:, i - 1], out=kept_cl1bd[:, i])
    start_csbd, end_csbd = x_usbd[:-1:size], x_usbd[size::size]
    for chunk in range(chunks):
        end_csbd[chunk].addcmul_(kept_cl1bd[chunk, -1], start_csbd[chunk])
    inside_clsbd[:, :-1].addcmul_(kept_cl1bd[:, :-1], start_csbd.unsqueeze(1))
    return x_usbd[: tokens + 1]


class _WKV(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, k_btd: Tensor, v_btd: Tensor, decay_d: Tensor, first_d: Tensor) -> Tensor:
        ctx.save_for_backward(k_btd, v_btd, decay_d, first_d)
        return continued_wkv(k_btd, v_btd, decay_d, first_d, None)[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_btd: Tensor) -> tuple[Tensor, ...]:
        k_btd, v_btd, decay_d, first_d = ctx.saved_tensors
        k_tbd, v_tbd = _by_time(k_btd), _by_time(v_btd)
        terms, sums_u2bd, _ = _sums(k_tbd, v_tbd, decay_d, first_d, _before_the_first(k_tbd))
        mean_tbd, divisor_tbd = _means(v_tbd, terms, sums_u2bd)
        # Slopes of the mean's numerator; those of its divisor are minus these times the mean.
        slope_tbd = _by_time(slope_btd).div(divisor_tbd)
        own_tbd, old_tbd = terms.own_tbd * slope_tbd, terms.old_tbd * slope_tbd
        first_tbd = own_tbd * (v_tbd - mean_tbd)
        read_t2bd = torch.stack((old_tbd, mean_tbd.mul_(old_tbd).neg_()), 1)
        # Slopes of the sums, from the last token back; nothing reads the sums after the last.
        zero_2bd = torch.zeros_like(sums_u2bd[0])
        later_t2bd = recurrence(terms.keep_tbd.flip(0), read_t2bd.flip(0), zero_2bd).flip(0)[1:]
        values_tbd, weights_tbd = later_t2bd.unbind(1)
        v_grad_tbd = own_tbd.addcmul_(terms.add_tbd, values_tbd)
        k_grad_tbd = (values_tbd * v_tbd).add_(weights_tbd).mul_(terms.add_tbd).add_(first_tbd)
        faded_tbd = (sums_u2bd[:-1] * later_t2bd).sum(1).mul_(terms.keep_tbd)
        grads_btd = (grad_tbd.transpose(0, 1).to(k_btd.dtype) for grad_tbd in (k_grad_tbd, v_grad_tbd))
        return *grads_btd, -faded_tbd.sum((0, 1)), first_tbd.sum((0, 1))
