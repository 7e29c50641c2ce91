"""From a declared position encoding to its modules: one in front of the blocks, one inside attention."""

from __future__ import annotations

from functools import singledispatch

from effdsl.own import source_of
from effdsl.shapes import Shape
from effdsl.techniques.position import (
    AbsolutePosition,
    ALiBi,
    Learned,
    NoPE,
    RoPE,
    Sinusoidal,
    T5Bias,
)
from effdsl.techniques.technique import PositionTechnique
from effdsl_runtime.model.absolute import LearnedStem, SinusoidalStem
from effdsl_runtime.model.decoder import Stem
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.of_a_users_own import own_module
from effdsl_runtime.model.rope import Rotary
from effdsl_runtime.model.score_bias import LearnedBias, LinearBias


@singledispatch
def stem(position: PositionTechnique, shape: Shape, context_length: int) -> Stem:
    """What ``position`` does to the embedded tokens; most do nothing."""
    if source_of(position) is None:
        return Stem()
    return own_module(position, Stem, shape, context_length, method="stem", usual=Stem)


@stem.register
def _(position: Sinusoidal, shape: Shape, context_length: int) -> Stem:
    return SinusoidalStem(shape.hidden_size, context_length)


@stem.register
def _(position: Learned, shape: Shape, context_length: int) -> Stem:
    return LearnedStem(shape.hidden_size, context_length)


@singledispatch
def encoding(position: PositionTechnique, heads: int, turned: int, context_length: int) -> Encoding:
    """What ``position`` does inside attention, to ``heads`` heads that have ``turned`` elements to turn."""
    return own_module(position, Encoding, heads, turned, context_length, usual=Encoding)


@encoding.register(NoPE)
@encoding.register(AbsolutePosition)
def _(position: PositionTechnique, heads: int, turned: int, context_length: int) -> Encoding:
    return Encoding()


@encoding.register
def _(position: RoPE, heads: int, turned: int, context_length: int) -> Encoding:
    return Rotary(2 * round(position.fraction * turned / 2), context_length, position.theta)


@encoding.register
def _(position: T5Bias, heads: int, turned: int, context_length: int) -> Encoding:
    return LearnedBias(position, heads, context_length)


@encoding.register
def _(position: ALiBi, heads: int, turned: int, context_length: int) -> Encoding:
    return LinearBias(heads, context_length)
