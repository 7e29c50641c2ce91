"""The decoder: embedding, blocks, norm, and the embedding again as the output layer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl_runtime.model.feed_forward import FeedForwardModule, Routings
from effdsl_runtime.model.kernel import products_like
from effdsl_runtime.model.loss import linear_cross_entropy
from effdsl_runtime.model.mixer import Cache, Mixer


class ResidualBlock(nn.Module):
    """A layer of the decoder, which adds what it computes to what it is given."""

    mixer: Mixer

    @property
    def kernel(self) -> str:
        """What computes its mixer: see :attr:`Mixer.kernel`."""
        return self.mixer.kernel

    def forward(self, x_btd: Tensor, cache: Cache | None = None, routings: Routings | None = None) -> Tensor:
        """``x_btd``, and what was added; a layer with experts appends to ``routings`` where it is given."""
        raise NotImplementedError


class Block(ResidualBlock):
    """Pre-norm residual block: mix tokens, then transform each."""

    def __init__(self, mixer: Mixer, feed_forward: FeedForwardModule, shape: Shape) -> None:
        super().__init__()
        self.mixer_norm = nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps)
        self.mixer = mixer
        self.feed_forward_norm = nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps)
        self.feed_forward = feed_forward

    def forward(self, x_btd: Tensor, cache: Cache | None = None, routings: Routings | None = None) -> Tensor:
        x_btd = x_btd + self.mixer(self.mixer_norm(x_btd), cache)
        out: Tensor = x_btd + self.feed_forward(self.feed_forward_norm(x_btd), routings)
        return out


class MixerBlock(ResidualBlock):
    """Pre-norm residual block of a mixer alone, which transforms each token too."""

    def __init__(self, mixer: Mixer, shape: Shape) -> None:
        super().__init__()
        self.mixer_norm = nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps)
        self.mixer = mixer

    def forward(self, x_btd: Tensor, cache: Cache | None = None, routings: Routings | None = None) -> Tensor:
        out: Tensor = x_btd + self.mixer(self.mixer_norm(x_btd), cache)
        return out


class Stem(nn.Module):
    """What is done to the embedded tokens before the first block; here nothing."""

    def forward(self, x_btd: Tensor, start: int) -> Tensor:
        """``start`` is the position of the first token."""
        return x_btd


class DecoderLM(nn.Module):
    """A causal language model: embedding, blocks, norm, output layer.

    Args:
        shape: depth, width, vocabulary.
        context_length: the most positions a sequence may have.
        blocks: the layers, all of one kind.
        norm: of what the last block gives.
        tied: whether the embedding is the output layer too.
        stem: see :class:`Stem`.
    """

    def __init__(
        self,
        shape: Shape,
        context_length: int,
        blocks: Sequence[ResidualBlock],
        norm: nn.Module,
        tied: bool = True,
        stem: Stem | None = None,
    ) -> None:
        super().__init__()
        self.shape, self.context_length = shape, context_length
        self.embedding = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.stem = stem or Stem()
        self.blocks = nn.ModuleList(blocks)
        self.norm = norm
        self.output = None if tied else nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)
        self._compiled: tuple[Callable[..., Tensor], ...] = ()

    def compile_blocks(self) -> None:
        """Compute whole contexts by compiled blocks from now on; with a cache, whose shapes change all the
        time, as before."""
        self._compiled = tuple(torch.compile(block) for block in self.blocks)

    @property
    def kernel(self) -> str:
        """What computes the mixers: see :attr:`Mixer.kernel`."""
        return cast(ResidualBlock, self.blocks[0]).kernel

    @property
    def output_weight(self) -> Tensor:
        """``(v, d)``: the weight of the output layer."""
        return self.embedding.weight if self.output is None else self.output.weight

    def new_caches(self) -> list[Cache]:
        """One empty cache per block."""
        return [Cache() for _ in self.blocks]

    def hidden(
        self,
        tokens_bt: Tensor,
        caches: list[Cache] | None = None,
        routings: Routings | None = None,
    ) -> Tensor:
        """Normed hidden states ``(b, t, d)``; with ``caches``, of the next ``t`` tokens.

        ``routings`` collects how the layers with experts sent the tokens.

        Raises:
            ValueError: when a sequence grows past ``context_length``.
        """
        seen = caches[0].length if caches else 0
        if seen + tokens_bt.shape[1] > self.context_length:
            wanted = seen + tokens_bt.shape[1]
            raise ValueError(f"{wanted} positions do not fit a context of {self.context_length}")
        x_btd = self.stem(self.embedding(tokens_bt), seen)
        held: Sequence[Cache | None] = caches or [None] * len(self.blocks)
        blocks: Iterable[Callable[..., Tensor]] = self.blocks
        if self._compiled and not caches:
            blocks = self._compiled
        with products_like(self.embedding.weight):
            for block, cache in zip(blocks, held, strict=True):
                x_btd = block(x_btd, cache, routings)
                if cache is not None:
                    cache.length += tokens_bt.shape[1]
        out: Tensor = self.norm(x_btd)
        return out

    def forward(self, tokens_bt: Tensor, caches: list[Cache] | None = None) -> Tensor:
        return self.logits(self.hidden(tokens_bt, caches))

    def logits(self, x_btd: Tensor) -> Tensor:
        """``(b, t, v)`` from normed hidden states."""
        return F.linear(x_btd, self.output_weight)

    def loss(self, tokens_bt: Tensor, targets_bt: Tensor, routings: Routings | None = None) -> Tensor:
        """Mean cross-entropy in nats per token, float32; ``routings`` as in :meth:`hidden`."""
        x_nd = self.hidden(tokens_bt, routings=routings).flatten(0, 1)
        return linear_cross_entropy(x_nd, self.output_weight, targets_bt.flatten())


def parameter_count(model: nn.Module) -> int:
    """Parameters, shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())
