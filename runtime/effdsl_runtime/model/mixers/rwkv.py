"""RWKV-4 (Peng et al. 2023, arXiv 2305.13048, section 3): time mixing and channel mixing."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from effdsl.shapes import Shape
from effdsl.techniques.rwkv import RWKV4Layer
from effdsl_runtime.model.decoder import DecoderLM, ResidualBlock, Stem
from effdsl_runtime.model.feed_forward import Routings
from effdsl_runtime.model.layers import Projection
from effdsl_runtime.model.mixer import Cache, Mixer
from effdsl_runtime.model.recurrent import recurrent
from effdsl_runtime.model.wkv import continued_wkv, wkv


class NormStem(Stem):
    """A LayerNorm of the embedded tokens."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(shape.hidden_size, eps=shape.norm_eps)

    def forward(self, x_btd: Tensor, start: int) -> Tensor:
        out: Tensor = self.norm(x_btd)
        return out


class RWKV4Block(ResidualBlock):
    """Pre-norm residual block: mix over time, then over channels.

    ``layer`` is its number from zero: RWKV-4's initial values depend on it.
    """

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        self.time_norm = nn.LayerNorm(shape.hidden_size, eps=shape.norm_eps)
        self.time = TimeMixing(shape, layer)
        self.channel_norm = nn.LayerNorm(shape.hidden_size, eps=shape.norm_eps)
        self.channel = ChannelMixing(shape, layer)

    @property
    def kernel(self) -> str:
        return self.time.kernel

    def forward(self, x_btd: Tensor, cache: Cache | None = None, routings: Routings | None = None) -> Tensor:
        x_btd = x_btd + self.time(self.time_norm(x_btd), cache)
        out: Tensor = x_btd + self.channel(self.channel_norm(x_btd), cache)
        return out


@recurrent.register
def _(layer: RWKV4Layer, shape: Shape, context_length: int) -> DecoderLM:
    blocks = [RWKV4Block(shape, number) for number in range(shape.layers)]
    norm = nn.LayerNorm(shape.hidden_size, eps=shape.norm_eps)
    return DecoderLM(shape, context_length, blocks, norm, tied=False, stem=NormStem(shape))


class TimeMixing(Mixer):
    """Gates the weighted mean of the past (:func:`wkv`) by receptance (eq. 11-13, 16 and 17)."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        width = shape.hidden_size
        self.layer, self.layers = layer, shape.layers
        self.mix_key, self.mix_value, self.mix_receptance = (_vector(width) for _ in range(3))
        self.log_decay, self.first = _vector(width), _vector(width)
        self.key, self.value, self.receptance = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.out = Projection(width, width)

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        earlier_btd = shifted(x_btd, "time", cache)
        change_btd = x_btd - earlier_btd
        k_btd = self.key(torch.addcmul(earlier_btd, change_btd, self.mix_key))
        v_btd = self.value(torch.addcmul(earlier_btd, change_btd, self.mix_value))
        r_btd = self.receptance(torch.addcmul(earlier_btd, change_btd, self.mix_receptance))
        out: Tensor = self.out(torch.sigmoid(r_btd) * self._mean(k_btd, v_btd, cache))
        return out

    def _mean(self, k_btd: Tensor, v_btd: Tensor, cache: Cache | None) -> Tensor:
        decay_d = self.log_decay.exp()
        if cache is None:
            whole_btd: Tensor = wkv(k_btd, v_btd, decay_d, self.first)
            return whole_btd
        mean_btd, state_3bd = continued_wkv(k_btd, v_btd, decay_d, self.first, cache.state("wkv"))
        cache.replace("wkv", state_3bd)
        return mean_btd

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """RWKV-4's ramps over the channels (its appendix on initial parameters): the deeper the layer,
        the longer it remembers and the more it takes from the token itself. Matrices start as in every
        model here."""
        depth = self.layer / max(1, self.layers - 1)
        width = self.log_decay.shape[0]
        ramp_d = _mixing(width, self.layer, self.layers)
        values: dict[str, Tensor] = {
            "mix_key": ramp_d,
            "mix_value": ramp_d + 0.3 * depth,
            "mix_receptance": ramp_d.sqrt(),
            "first": 0.5 * (torch.arange(1, width + 1) % 3 - 1) + math.log(0.3),
            "log_decay": 8 * torch.linspace(0, 1, width) ** (0.7 + 1.3 * depth) - 5,
        }
        return values.get(name)


class ChannelMixing(nn.Module):
    """``receptance * value(relu(key)^2)``, four times as wide as the model (eq. 14, 15 and 18)."""

    def __init__(self, shape: Shape, layer: int) -> None:
        super().__init__()
        width = shape.hidden_size
        self.layer, self.layers = layer, shape.layers
        self.mix_key, self.mix_receptance = _vector(width), _vector(width)
        self.key = nn.Linear(width, 4 * width, bias=False)
        self.receptance = nn.Linear(width, width, bias=False)
        self.value = Projection(4 * width, width)

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        earlier_btd = shifted(x_btd, "channel", cache)
        change_btd = x_btd - earlier_btd
        k_btf = self.key(torch.addcmul(earlier_btd, change_btd, self.mix_key))
        r_btd = self.receptance(torch.addcmul(earlier_btd, change_btd, self.mix_receptance))
        out: Tensor = torch.sigmoid(r_btd) * self.value(squared_relu(k_btf))
        return out

    def initial_value(self, name: str, generator: torch.Generator) -> Tensor | None:
        """Both mixings start as the key's in time mixing."""
        if name not in ("mix_key", "mix_receptance"):
            return None
        return _mixing(self.mix_key.shape[0], self.layer, self.layers)


def shifted(x_btd: Tensor, name: str, cache: Cache | None) -> Tensor:
    """For each token the one before it; before the first, what ``cache`` holds as ``name``, else zero."""
    before_bd = None if cache is None else cache.state(name)
    if cache is not None:
        cache.replace(name, x_btd[:, -1])
    if before_bd is None:
        return F.pad(x_btd[:, :-1], (0, 0, 1, 0))
    return torch.cat((before_bd.unsqueeze(1), x_btd[:, :-1]), dim=1)


def squared_relu(x_f: Tensor) -> Tensor:
    """``relu(x) ** 2`` of ``(..., f)``, whose backward takes the root of the result, which the next product
    keeps anyway, rather than keep the ReLU as well."""
    out_f: Tensor = _SquaredReLU.apply(x_f)  # type: ignore[no-untyped-call]
    return out_f


class _SquaredReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_f: Tensor) -> Tensor:
        out_f = F.relu(x_f).square_()
        ctx.save_for_backward(out_f)
        return out_f

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope_f: Tensor) -> Tensor:
        (out_f,) = ctx.saved_tensors
        grad_f: Tensor = out_f.sqrt().mul_(slope_f).mul_(2)
        return grad_f


def _vector(width: int) -> nn.Parameter:
    return nn.Parameter(torch.empty(width))


def _mixing(width: int, layer: int, layers: int) -> Tensor:
    """How much each channel takes from the token itself, the rest from the one before: ``(d,)``."""
    return torch.pow(torch.arange(width) / width, 1 - layer / layers)
