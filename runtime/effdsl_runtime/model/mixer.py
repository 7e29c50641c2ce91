"""What every mixer of tokens is: a module over a whole context, or over its next part with a cache."""

from __future__ import annotations

from functools import singledispatch

import torch
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl.techniques.technique import AttentionTechnique
from effdsl_runtime.model.cache import Cache as Cache
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.of_a_users_own import own_module


class Mixer(nn.Module):
    """Mixes tokens: ``forward(x_btd)`` over a whole context, ``forward(x_btd, cache)`` over its next part."""

    @property
    def kernel(self) -> str:
        """What computes it: the name of a kernel, or ``"reference"`` where a faster one than ours would
        be needed to judge the technique by its speed.

        Raises:
            Unsupported: when the kernel asked for cannot.
        """
        return "reference"

    def no_weight_decay(self) -> tuple[nn.Parameter, ...]:
        """Parameters of its own that weight decay leaves alone although they have two dimensions or more."""
        return ()

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        raise NotImplementedError


@singledispatch
def mixer(attention: AttentionTechnique, shape: Shape, position: Encoding) -> Mixer:
    """The module of one block's ``attention``, resolved for ``shape``; each built-in one registers beside
    its module, in the folder ``mixers``."""
    return own_module(attention, Mixer, shape, position)


@singledispatch
def rotated_dim(attention: AttentionTechnique, shape: Shape) -> int:
    """How many elements of a head its position turns."""
    return shape.head_dim


def heads(x_btd: Tensor, head_dim: int) -> Tensor:
    """``(b, t, h * e)`` as ``(b, h, t, e)``."""
    return torch.unflatten(x_btd, 2, (-1, head_dim)).transpose(1, 2)


def flat(x_bhte: Tensor) -> Tensor:
    """``(b, h, t, e)`` as ``(b, t, h * e)``."""
    return x_bhte.transpose(1, 2).flatten(2)
