"""The decoder: embedding, blocks, norm, and the embedding again as the output layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl_runtime.model.kernel import kernel_name
from effdsl_runtime.model.layers import SwiGLU
from effdsl_runtime.model.loss import linear_cross_entropy
from effdsl_runtime.model.mixer import Cache, Mixer


class Block(nn.Module):
    """Pre-norm residual block: mix tokens, then transform each."""

    def __init__(self, mixer: Mixer, shape: Shape) -> None:
        super().__init__()
        self.mixer_norm = nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps)
        self.mixer = mixer
        self.feed_forward_norm = nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps)
        self.feed_forward = SwiGLU(shape.hidden_size, shape.intermediate_size)

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        x_btd = x_btd + self.mixer(self.mixer_norm(x_btd), cache)
        out: Tensor = x_btd + self.feed_forward(self.feed_forward_norm(x_btd))
        return out


class DecoderLM(nn.Module):
    """A language model of Qwen2.5's shape around any mixer.

    Args:
        shape: depth, width, vocabulary.
        context_length: the most positions a sequence may have.
        mixer: makes the mixer of one block.
    """

    def __init__(self, shape: Shape, context_length: int, mixer: Callable[[], Mixer]) -> None:
        super().__init__()
        self.shape, self.context_length = shape, context_length
        self.embedding = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.blocks = nn.ModuleList(Block(mixer(), shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps)

    @property
    def kernel(self) -> str:
        """What computes attention: PyTorch's kernels (``"sdpa"``), ``"math"``, or our ``"reference"``."""
        block = self.blocks[0]
        chosen: str = block.mixer.kernel  # type: ignore[union-attr,assignment]
        return kernel_name() if chosen == "sdpa" else chosen

    def new_caches(self) -> list[Cache]:
        """One empty cache per block."""
        return [Cache() for _ in self.blocks]

    def hidden(self, tokens_bt: Tensor, caches: list[Cache] | None = None) -> Tensor:
        """Normed hidden states ``(b, t, d)``; with ``caches``, of the next ``t`` tokens.

        Raises:
            ValueError: when a sequence grows past ``context_length``.
        """
        seen = caches[0].length if caches else 0
        if seen + tokens_bt.shape[1] > self.context_length:
            wanted = seen + tokens_bt.shape[1]
            raise ValueError(f"{wanted} positions do not fit a context of {self.context_length}")
        x_btd = self.embedding(tokens_bt)
        held: Sequence[Cache | None] = caches or [None] * len(self.blocks)
        for block, cache in zip(self.blocks, held, strict=True):
            x_btd = block(x_btd, cache)
            if cache is not None:
                cache.length += tokens_bt.shape[1]
        out: Tensor = self.norm(x_btd)
        return out

    def forward(self, tokens_bt: Tensor, caches: list[Cache] | None = None) -> Tensor:
        return self.logits(self.hidden(tokens_bt, caches))

    def logits(self, x_btd: Tensor) -> Tensor:
        """``(b, t, v)`` from normed hidden states."""
        return F.linear(x_btd, self.embedding.weight)

    def loss(self, tokens_bt: Tensor, targets_bt: Tensor) -> Tensor:
        """Mean cross-entropy in nats per token, float32."""
        x_nd = self.hidden(tokens_bt).flatten(0, 1)
        return linear_cross_entropy(x_nd, self.embedding.weight, targets_bt.flatten())


def parameter_count(model: nn.Module) -> int:
    """Parameters, shared ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def is_meta(model: nn.Module) -> bool:
    """Whether the model has shapes only."""
    return next(model.parameters()).device == torch.device("meta")
