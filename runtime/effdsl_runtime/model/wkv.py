"""The average over time of RWKV-4: each channel of earlier values, weighted by key and age."""

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

    ``keep`` and ``add`` update the sums, ``old`` and ``own`` read them: ``(t, b, d)``.
    """

    keep: Tensor
    add: Tensor
    old: Tensor
    own: Tensor


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
    terms, sums, exponent_bd = _sums(k_tbd, v_tbd, decay_d, first_d, state_3bd)
    out_tbd, _ = _means(v_tbd, terms, sums)
    return out_tbd.transpose(0, 1).to(k_btd.dtype), torch.cat((sums[-1], exponent_bd.unsqueeze(0)))


def _before_the_first(k_tbd: Tensor) -> Tensor:
    """The state of empty sums, ``(3, b, d)``."""
    zeros = torch.zeros_like(k_tbd[0])
    return torch.stack((zeros, zeros, zeros + NOTHING))


def _by_time(x_btd: Tensor) -> Tensor:
    return x_btd.float().transpose(0, 1).contiguous()


def _exponents(k_tbd: Tensor, decay_d: Tensor, start_bd: Tensor) -> Tensor:
    """The largest exponent in the sums before each token and after the last: ``(t + 1, b, d)``.

    ``m_t = max(m_(t-1) - decay, k_t)``, each pass reaching back twice as far as the one before.
    """
    m = torch.cat((start_bd.unsqueeze(0), k_tbd))
    faded, reach = torch.empty_like(m), 1
    while reach < len(m):
        torch.sub(m[:-reach], reach * decay_d, out=faded[reach:])
        torch.maximum(m[reach:], faded[reach:], out=m[reach:])
        reach *= 2
    return m


def _terms(k_tbd: Tensor, exponents: Tensor, decay_d: Tensor, first_d: Tensor) -> _Terms:
    before, after = exponents[:-1], exponents[1:]
    own_tbd = k_tbd + first_d
    largest = torch.maximum(before, own_tbd)
    return _Terms(
        keep=(before - decay_d).sub_(after).exp_(),
        add=(k_tbd - after).exp_(),
        old=(before - largest).exp_(),
        own=own_tbd.sub_(largest).exp_(),
    )


def _sums(
    k_tbd: Tensor, v_tbd: Tensor, decay_d: Tensor, first_d: Tensor, state_3bd: Tensor
) -> tuple[_Terms, Tensor, Tensor]:
    """The terms; weighted values and weights, summed, before each token and after the last, as
    ``(t + 1, 2, b, d)``; and the last sums' exponent."""
    exponents = _exponents(k_tbd, decay_d, state_3bd[2])
    terms = _terms(k_tbd, exponents, decay_d, first_d)
    sums = recurrence(terms.keep, torch.stack((terms.add * v_tbd, terms.add), 1), state_3bd[:2])
    return terms, sums, exponents[-1]


def _means(v_tbd: Tensor, terms: _Terms, sums: Tensor) -> tuple[Tensor, Tensor]:
    """The weighted means and what they were divided by."""
    numerator, denominator = (terms.old * earlier for earlier in sums[:-1].unbind(1))
    denominator.add_(terms.own)
    return numerator.addcmul_(terms.own, v_tbd).div_(denominator), denominator


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
    keep, add = (torch.unflatten(each, 0, (chunks, size)) for each in (keep_tbd.unsqueeze(1), add_tsbd))
    x = torch.empty((chunks * size + 1, *start_sbd.shape), dtype=add.dtype, device=add.device)
    x[0] = start_sbd
    inside, kept = torch.unflatten(x[1:], 0, (chunks, size)), torch.empty_like(keep)
    inside[:, 0], kept[:, 0] = add[:, 0], keep[:, 0]
    for i in range(1, size):
        torch.addcmul(add[:, i], keep[:, i], inside[:, i - 1], out=inside[:, i])
        torch.mul(keep[:, i], kept[:, i - 1], out=kept[:, i])
    ends = x[::size]
    for chunk in range(chunks):
        ends[chunk + 1].addcmul_(kept[chunk, -1], ends[chunk])
    inside[:, :-1].addcmul_(kept[:, :-1], ends[:-1].unsqueeze(1))
    return x[: tokens + 1]


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
        terms, sums, _ = _sums(k_tbd, v_tbd, decay_d, first_d, _before_the_first(k_tbd))
        mean_tbd, divisor_tbd = _means(v_tbd, terms, sums)
        # Slopes of the mean's numerator; those of its divisor are minus these times the mean.
        slope_tbd = _by_time(slope_btd).div(divisor_tbd)
        own_tbd, old_tbd = terms.own * slope_tbd, terms.old * slope_tbd
        first_tbd = own_tbd * (v_tbd - mean_tbd)
        read_t2bd = torch.stack((old_tbd, mean_tbd.mul_(old_tbd).neg_()), 1)
        # Slopes of the sums, from the last token back; nothing reads the sums after the last.
        later_t2bd = recurrence(terms.keep.flip(0), read_t2bd.flip(0), torch.zeros_like(sums[0])).flip(0)[1:]
        values_tbd, weights_tbd = later_t2bd.unbind(1)
        grad_v = own_tbd.addcmul_(terms.add, values_tbd)
        grad_k = (values_tbd * v_tbd).add_(weights_tbd).mul_(terms.add).add_(first_tbd)
        faded = (sums[:-1] * later_t2bd).sum(1).mul_(terms.keep)
        grads = (grad.transpose(0, 1).to(k_btd.dtype) for grad in (grad_k, grad_v))
        return *grads, -faded.sum((0, 1)), first_tbd.sum((0, 1))
