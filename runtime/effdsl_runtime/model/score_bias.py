"""What is added to attention's scores by how far back the key is."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from effdsl.techniques.position import T5Bias
from effdsl_runtime.model.encoding import Encoding


class LearnedBias(Encoding):
    """T5's: one learned number per head and bucket of distances (arXiv 1910.10683, section 2.1).

    ``table`` holds ``(bucket, h)``; all layers share this module.
    """

    def __init__(self, technique: T5Bias, heads: int, context_length: int) -> None:
        super().__init__()
        self.register_buffer("bucket_s", buckets(technique, context_length), persistent=False)
        self.table = nn.Embedding(technique.buckets, heads)

    def bias(self, keys: int) -> Tensor:
        out: Tensor = self.table(cast(Tensor, self.bucket_s)[:keys]).T
        return out


class LinearBias(Encoding):
    """ALiBi's: ``-slope * distance`` (arXiv 2108.12409, section 3)."""

    def __init__(self, heads: int, context_length: int) -> None:
        super().__init__()
        bias_hs = -torch.outer(torch.tensor(slopes(heads)), torch.arange(context_length))
        self.register_buffer("bias_hs", bias_hs, persistent=False)

    def bias(self, keys: int) -> Tensor:
        return cast(Tensor, self.bias_hs)[:, :keys]


def buckets(technique: T5Bias, context_length: int) -> Tensor:
    """``(s,)``: the bucket of each distance. The first half of the buckets takes one distance each, the
    other half logarithmically wider ranges up to ``max_distance``, and the last all that is beyond."""
    exact = technique.exact
    distance_s = torch.arange(context_length)
    beyond_s = (distance_s.clamp(min=exact).float() / exact).log()
    place_s = beyond_s / math.log(technique.max_distance / exact) * (technique.buckets - exact)
    wide_s = (exact + place_s.long()).clamp(max=technique.buckets - 1)
    return torch.where(distance_s < exact, distance_s, wide_s)


def slopes(heads: int) -> list[float]:
    """ALiBi's slope of each head: ``2 ** (-8 * i / n)`` for the ``i``-th of ``n`` heads, from 1.

    Where ``n`` is no power of two: those of the power below, then the 1st, 3rd, ... of twice that power.
    """
    power = 1 << (heads.bit_length() - 1)
    regular = [2 ** (-8 * i / power) for i in range(1, power + 1)]
    between = [2 ** (-4 * i / power) for i in range(1, 2 * power, 2)]
    return regular + between[: heads - power]
