"""What every mixer of tokens is: a module over a whole context, or over its next part with a cache."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Cache:
    """What a mixer keeps of the tokens it has seen: named tensors.

    Some grow along dimension 2, token by token; a state of fixed size is replaced instead.
    """

    def __init__(self) -> None:
        self.length = 0
        self.held: dict[str, Tensor] = {}

    def extend(self, name: str, x_bgte: Tensor) -> Tensor:
        """Append ``x_bgte`` to what is held as ``name`` and return all of it."""
        held = self.held.get(name)
        self.held[name] = x_bgte if held is None else torch.cat((held, x_bgte), dim=2)
        return self.held[name]

    def state(self, name: str) -> Tensor | None:
        """What was last held as ``name``; ``None`` before the first token."""
        return self.held.get(name)

    def replace(self, name: str, state: Tensor) -> None:
        """Hold ``state`` as ``name`` in place of what was, in memory of its own."""
        self.held[name] = state.clone()

    def tokens(self, name: str) -> int:
        """How many tokens are held as ``name``."""
        return self.held[name].shape[2] if name in self.held else 0

    def drop_first(self, name: str, tokens: int) -> None:
        """Forget the first ``tokens`` of what is held as ``name``; fewer than one is none."""
        if tokens > 0:
            self.held[name] = self.held[name][:, :, tokens:].clone()

    @property
    def bytes(self) -> int:
        """Bytes of everything held."""
        return sum(held.numel() * held.element_size() for held in self.held.values())


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

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        raise NotImplementedError


def heads(x_btd: Tensor, head_dim: int) -> Tensor:
    """``(b, t, h * e)`` as ``(b, h, t, e)``."""
    return torch.unflatten(x_btd, 2, (-1, head_dim)).transpose(1, 2)


def flat(x_bhte: Tensor) -> Tensor:
    """``(b, h, t, e)`` as ``(b, t, h * e)``."""
    return x_bhte.transpose(1, 2).flatten(2)
