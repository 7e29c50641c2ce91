"""MHA, MQA and GQA, which are one: query heads that share key-value heads, all, one or some of them.

Costs are closed forms per layer. ``h`` query heads, ``g`` key-value heads and head size ``e`` come from
the shape; ``T`` is the context length. Causality lets a query see ``(T + 1) / 2`` keys on average.
"""

from __future__ import annotations

from effdsl.declare import identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.technique import AttentionTechnique, check_kv_heads, labelled
from effdsl.validate import positive_int, whole


class GroupedQuery(AttentionTechnique):
    """What every attention with GQA's weights costs, whichever keys its queries see.

    Attributes:
        kv_heads: key-value heads, each shared by ``heads / kv_heads`` query heads.
    """

    kv_heads: int

    def resolve(self, shape: Shape) -> GroupedQuery:
        check_kv_heads(type(self).__name__, self.kv_heads, shape)
        return self

    def parameters(self, shape: Shape) -> int:
        return self.matrices(shape) + (shape.heads + 2 * self.kv_heads) * shape.head_dim

    def kv_bytes_per_token(self, shape: Shape, bytes_per_element: int) -> float:
        return 2 * self.kv_heads * shape.head_dim * bytes_per_element

    def activations_per_token(self, shape: Shape, context_length: int) -> float:
        """q, k and v, and the output."""
        return 2 * (shape.heads + self.kv_heads) * shape.head_dim

    def rotated_per_token(self, shape: Shape) -> float:
        """q and k once more: as projected they stay, being one tensor with v."""
        return (shape.heads + self.kv_heads) * shape.head_dim

    def matrices(self, shape: Shape) -> int:
        """Elements of the matrices of q, k, v and the output."""
        return 2 * shape.hidden_size * (shape.heads + self.kv_heads) * shape.head_dim

    def flops_with(self, shape: Shape, keys: float) -> float:
        """Training FLOPs per token of which each query meets ``keys`` keys: each costs a score and a value,
        forward and twice backward."""
        return 6 * self.matrices(shape) + 12 * shape.heads * shape.head_dim * keys


@keyed("gqa")
class GQA(GroupedQuery):
    """Grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245), with Qwen2.5's q, k, v biases.

    Attributes:
        kv_heads: key-value heads, each shared by ``heads / kv_heads`` query heads. 1 is MQA, all is MHA.
    """

    kv_heads: int = identity(default=2, converter=whole, validator=positive_int)

    def label(self, shape: Shape) -> str:
        named = {shape.heads: "MHA", 2: "GQA", 1: "MQA"}
        return named.get(self.kv_heads) or labelled("GQA", {"kv_heads": self.kv_heads})

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        return self.flops_with(shape, context_length)

    def causal_train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        return self.flops_with(shape, (context_length + 1) / 2)


@keyed("mha")
class MHA(AttentionTechnique):
    """Multi-head attention (Vaswani et al. 2017, arXiv 1706.03762): GQA with a key-value head per head."""

    def resolve(self, shape: Shape) -> GQA:
        return GQA(kv_heads=shape.heads)

    def label(self, shape: Shape) -> str:
        return self.resolve(shape).label(shape)


@keyed("mqa")
class MQA(AttentionTechnique):
    """Multi-query attention (Shazeer 2019, arXiv 1911.02150): GQA with one key-value head."""

    def resolve(self, shape: Shape) -> GQA:
        return GQA(kv_heads=1)

    def label(self, shape: Shape) -> str:
        return self.resolve(shape).label(shape)
