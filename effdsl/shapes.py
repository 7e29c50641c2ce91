"""Shapes of decoders: the paper's three, and a rule for every other size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache

from effdsl.declare import Invalid, evolve, identity, keyed
from effdsl.units import Count
from effdsl.validate import positive_int

ASPECT = 64
SHALLOWEST, DEEPEST = 128, 16
USUAL_HEADS_STEP, FINE_HEADS_STEP = 4, 2
CLOSE_ENOUGH = 0.05
TOO_FAR = 0.25
SMALL = 100 * 10**6
"""Parameters below which a model is trained on a laptop: short contexts, small batches, small blocks."""
WIDEST = 65_536


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


QWEN = {  # the paper's sizes, which are Qwen2.5's: layers, width, heads, head size, SwiGLU width
    Count(5 * 10**8): (24, 896, 14, 64, 4864),
    Count(15 * 10**8): (28, 1536, 12, 128, 8960),
    Count(3 * 10**9): (36, 2048, 16, 128, 11008),
}


@lru_cache
def shape_for(scale: Count, vocab_size: int, aspect: float | None = None) -> Shape:
    """The shape of a decoder of about ``scale`` parameters.

    0.5B, 1.5B and 3B are Qwen2.5's, unless an ``aspect`` (width per layer) is asked for. Any other
    size: heads of 32 below width 512, 64 below 1536 and 128 from there; as many of them as make the
    width, a multiple of four, so that they share 1, 2 or 4 key-value heads; SwiGLU of 8/3 of the width,
    in steps of 32. Of the depths and widths within 5% of
    ``scale`` the one nearest to 64 wide per layer (Kaplan et al. 2020, arXiv 2001.08361, section 3.1:
    loss hardly depends on the ratio), or to ``aspect``, and then by steps of two heads; of none, the one
    nearest in size. Counted with the embedding and with two key-value heads.

    With a vocabulary of 2,048 every size from 1M to 100B comes within 16% of its name.

    Raises:
        Invalid: when no shape with this vocabulary comes within 25%, naming those nearest.
    """
    if scale in QWEN and aspect is None:
        return Shape(*QWEN[scale], vocab_size=vocab_size)
    wanted = scale.value
    heads_step = USUAL_HEADS_STEP if aspect is None else FINE_HEADS_STEP
    known = [(reference_parameters(shape), shape) for shape in _candidates(wanted, vocab_size, heads_step)]
    ranked = ((*_rank(count, wanted, shape, aspect or ASPECT), shape) for count, shape in known)
    error, _, best = min(ranked, key=_first_two)
    if error > TOO_FAR:
        raise Invalid(_too_far(scale, vocab_size), _nearest_sizes([count for count, _ in known], wanted))
    return best


def reference_parameters(shape: Shape) -> int:
    """Parameters with GQA of two key-value heads (one where the heads are odd) and tied embeddings."""
    kv_heads = 2 if shape.heads % 2 == 0 else 1
    width, head_dim = shape.hidden_size, shape.head_dim
    attention = 2 * width * (shape.heads + kv_heads) * head_dim + (shape.heads + 2 * kv_heads) * head_dim
    layer = attention + 3 * width * shape.intermediate_size + 2 * width
    return shape.layers * layer + width * (shape.vocab_size + 1)


def _candidates(wanted: int, vocab_size: int, heads_step: int) -> Iterator[Shape]:
    """Every width, up to the first whose shallowest model is too large, with the depths it may have."""
    width = 128
    while width <= WIDEST:
        shape = _shape(1, width, vocab_size)
        layers = range(max(1, width // SHALLOWEST), width // DEEPEST + 1)
        one = reference_parameters(shape)
        per_layer = one - width * (vocab_size + 1)
        nearest = round((wanted - one) / per_layer) + 1
        for depth in {min(max(nearest + near, layers[0]), layers[-1]) for near in (-1, 0, 1)}:
            yield evolve(shape, layers=depth)
        if one + per_layer * (layers[0] - 1) > wanted * (1 + TOO_FAR):
            return
        width += heads_step * _head_dim(width)


def _shape(layers: int, width: int, vocab_size: int) -> Shape:
    head_dim = _head_dim(width)
    feed_forward = round(8 * width / 3 / 32) * 32
    return Shape(layers, width, width // head_dim, head_dim, feed_forward, vocab_size)


def _head_dim(width: int) -> int:
    return 32 if width < 512 else 64 if width < 1536 else 128


def _rank(count: int, wanted: int, shape: Shape, wanted_aspect: float) -> tuple[float, float]:
    """Distance in size, zero when close enough; then distance from the usual aspect."""
    error = abs(count - wanted) / wanted
    aspect = abs(math.log(shape.hidden_size / shape.layers / wanted_aspect))
    return (0.0 if error <= CLOSE_ENOUGH else error), aspect


def _first_two(ranked: tuple[float, float, Shape]) -> tuple[float, float]:
    return ranked[:2]


def _too_far(scale: Count, vocab_size: int) -> str:
    return f"no shape of {scale} with a vocabulary of {vocab_size:,}: an embedding alone is 128 wide or more"


def _nearest_sizes(counts: list[int], wanted: int) -> str:
    """The sizes on either side of ``wanted`` that have a shape, e.g. ``nearest: 20.2M, 40.2M``."""
    below = [count for count in counts if count < wanted]
    above = [count for count in counts if count >= wanted]
    sides = ([max(below)] if below else []) + ([min(above)] if above else [])
    shown = ", ".join(str(Count(round(float(f"{count:.3g}")))) for count in sides)
    return f"nearest: {shown}; a smaller vocabulary allows smaller models"
