"""The axis of positions: how the order of tokens enters a decoder.

It enters the embedding (``AbsolutePosition``), the queries and keys (``RoPE``), the scores
(``ScoreBias``), or by causality alone (``NoPE``).
"""

from __future__ import annotations

from effdsl.declare import Invalid, identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.technique import AttentionTechnique, PositionTechnique, Unsupported
from effdsl.validate import number, positive, positive_fraction, positive_int, whole

QWEN_THETA = 1e6


@keyed("rope")
class RoPE(PositionTechnique):
    """Rotary position embedding (Su et al. 2021, arXiv 2104.09864): queries and keys turn with position.

    Attributes:
        theta: base of the wavelengths; Qwen2.5's 1e6.
        fraction: of each head that turns, its first elements; GPT-NeoX's 0.25, Qwen2.5's 1.
    """

    theta: float = identity(default=QWEN_THETA, converter=number, validator=positive)
    fraction: float = identity(
        since=2, absent=1.0, default=1.0, converter=number, validator=positive_fraction
    )

    def resolve(self, shape: Shape) -> RoPE:
        if round(self.fraction * shape.head_dim / 2) == 0:
            raise Unsupported(
                f"RoPE: fraction={self.fraction:g} of head_dim={shape.head_dim} is not one pair to turn",
                f"take {2 / shape.head_dim:g} or more, or NoPE",
            )
        return self

    def activations_per_token(
        self, attention: AttentionTechnique, shape: Shape, context_length: int
    ) -> float:
        return attention.rotated_per_token(shape)


class AbsolutePosition(PositionTechnique):
    """Adds to each embedded token what stands for its position."""


@keyed("sinusoidal")
class Sinusoidal(AbsolutePosition):
    """Sines, then cosines, of the position at fixed wavelengths (Vaswani et al. 2017, arXiv 1706.03762,
    section 3.5). As there (section 3.4) the embedded tokens are multiplied by the square root of the
    width first, or the waves would drown them."""

    def resolve(self, shape: Shape) -> Sinusoidal:
        if shape.hidden_size % 2:
            raise Unsupported(
                f"Sinusoidal: hidden_size={shape.hidden_size} is odd, and waves come in pairs",
                "take an even width, or Learned",
            )
        return self


@keyed("learned")
class Learned(AbsolutePosition):
    """A learned vector for each position of the context (GPT-2; Radford et al. 2019)."""

    def parameters(self, shape: Shape, context_length: int) -> int:
        return context_length * shape.hidden_size


class ScoreBias(PositionTechnique):
    """Adds a number to each score, by the head and by how far back the key is."""


@keyed("t5-bias")
class T5Bias(ScoreBias):
    """T5's relative position bias (Raffel et al. 2020, arXiv 1910.10683, section 2.1), for causal attention:
    learned, one number per head and bucket of distances, shared by all layers.

    Stands for the "Relate" of EfficientLLM's Table 4, which names no relative encoding: this is the
    classic learned one that adds to the scores. ``ALiBi`` is the one without parameters. Unlike T5's,
    our scores keep their scale ``head_dim ** -0.5``, so that nothing but the position changes.

    Attributes:
        buckets: half of them hold one distance each, the others logarithmic ranges.
        max_distance: from here on all distances share the last bucket.
    """

    buckets: int = identity(default=32, converter=whole, validator=positive_int)
    max_distance: int = identity(default=128, converter=whole, validator=positive_int)

    def __attrs_post_init__(self) -> None:
        if self.buckets < 2:
            raise Invalid(f"buckets={self.buckets} tells no distances apart", "allowed: 2 or more")
        if self.max_distance <= self.exact:
            raise Invalid(
                f"max_distance={self.max_distance} leaves nothing beyond the first {self.exact} distances",
                f"allowed: {self.exact + 1} or more with buckets={self.buckets}",
            )

    @property
    def exact(self) -> int:
        """Distances, from 0, that have a bucket of their own."""
        return self.buckets // 2

    def parameters(self, shape: Shape, context_length: int) -> int:
        return self.buckets * shape.heads

    def dense_bias_per_token(self, attention: AttentionTechnique, shape: Shape, context_length: int) -> float:
        """PyTorch's fused CPU kernel gives a mask no gradient; the one that does keeps the softmax."""
        return shape.heads * context_length


@keyed("alibi")
class ALiBi(ScoreBias):
    """Attention with linear biases (Press et al. 2022, arXiv 2108.12409): a fixed slope per head.

    Where the heads are no power of two, the slopes that are missing are every other one of twice the
    number (the authors' code).
    """

    def dense_bias_per_token(self, attention: AttentionTechnique, shape: Shape, context_length: int) -> float:
        """Keys and values once more, in reverse, so that the mask need not be held."""
        return attention.kv_bytes_per_token(shape, 1)


@keyed("nope")
class NoPE(PositionTechnique):
    """No position encoding (Kazemnejad et al. 2023, arXiv 2305.19466): order enters by causality alone."""
