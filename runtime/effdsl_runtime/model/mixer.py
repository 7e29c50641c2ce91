"""What every mixer of tokens is: a module over a whole context, or over its next part with a cache."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from effdsl_runtime.model.cache import Cache as Cache


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


def heads(x_btd: Tensor, head_dim: int) -> Tensor:
    """``(b, t, h * e)`` as ``(b, h, t, e)``."""
    return torch.unflatten(x_btd, 2, (-1, head_dim)).transpose(1, 2)


def flat(x_bhte: Tensor) -> Tensor:
    """``(b, h, t, e)`` as ``(b, t, h * e)``."""
    return x_bhte.transpose(1, 2).flatten(2)
