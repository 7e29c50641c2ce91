"""Shapes of decoders: the paper's three, and a rule for every other size."""

from __future__ import annotations

from effdsl.declare import identity, keyed
from effdsl.units import Count
from effdsl.validate import positive_int


@keyed("shape")
class Shape:
    """Depth, width and vocabulary of a decoder in Qwen2.5's style: RMSNorm, SwiGLU, tied embeddings."""

    layers: int = identity(validator=positive_int)
    hidden_size: int = identity(validator=positive_int)
    heads: int = identity(validator=positive_int)
    head_dim: int = identity(validator=positive_int)
    intermediate_size: int = identity(validator=positive_int)
    vocab_size: int = identity(validator=positive_int)
    norm_eps: float = identity(default=1e-6)


def shape_for(scale: Count, vocab_size: int) -> Shape:
    """To be written (see the brief)."""
    raise NotImplementedError
