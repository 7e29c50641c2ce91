"""How Megatron-Core computes each technique: by its own modules, by ours in its layers' place, or not at all.

Of megatron-core 0.16. What a layer of ours may be divided by is less: Megatron-Core splits only matrices that
it knows. Each function here dispatches on the type of a technique; one of a user's own is taken for a layer
of ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch
from typing import ClassVar

import attrs

from effdsl.own import source_of
from effdsl.techniques.architecture import Architecture, Decoder, ParallelDecoder, RecurrentDecoder
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.attention.mla import MLA
from effdsl.techniques.feed_forward import MoE, SwiGLU
from effdsl.techniques.position import AbsolutePosition, NoPE, RoPE, T5Bias
from effdsl.techniques.technique import (
    AttentionTechnique,
    FeedForwardTechnique,
    PositionTechnique,
    RecurrentTechnique,
)
from effdsl.whole import OwnDecoder

Part = AttentionTechnique | PositionTechnique | FeedForwardTechnique | RecurrentTechnique


@attrs.frozen
class Lowering:
    """How Megatron-Core computes a technique, and by what its layers can be divided.

    Attributes:
        modules: what computes it, in words.
        no_tensor_parallel: why ``tensor_parallel`` cannot divide it; empty where it can.
        no_pipeline: why its layers cannot be dealt out to the stages of a pipeline; empty where they can.
    """

    modules: ClassVar[str]
    no_tensor_parallel: str = ""
    no_pipeline: str = ""

    def over(self, other: Lowering) -> Lowering:
        """The lowering of a layer that has both techniques."""
        return other


class Stock(Lowering):
    """By modules of Megatron-Core."""

    modules = "stock modules"


class OwnLayer(Lowering):
    """By our block, whole, in the place of a layer of Megatron-Core's."""

    modules = "ModuleSpec with our layer"

    def over(self, other: Lowering) -> Lowering:
        if isinstance(other, NotAtAll):
            return other
        reasons = (self.no_tensor_parallel or other.no_tensor_parallel, self.no_pipeline or other.no_pipeline)
        return OwnLayer(*reasons)


class NotAtAll(Lowering):
    """Not: ``no_tensor_parallel`` and ``no_pipeline`` say why."""

    modules = "not at all"

    def over(self, other: Lowering) -> Lowering:
        return self


def our_layer(name: str, no_pipeline: str = "") -> OwnLayer:
    """What computes ``name``, for which Megatron-Core has no modules."""
    return OwnLayer(
        f"a layer of ours computes {name}, and Megatron-Core cannot split its matrices", no_pipeline
    )


@singledispatch
def lowering(part: Part) -> Lowering:
    """How Megatron-Core computes a technique of a decoder; by our layer unless it has it."""
    return our_layer(type(part).__name__)


@lowering.register(GQA)
@lowering.register(MLA)
@lowering.register(RoPE)
@lowering.register(NoPE)
@lowering.register(AbsolutePosition)
@lowering.register(SwiGLU)
@lowering.register(MoE)
def _(part: Part) -> Lowering:
    return Stock()


@lowering.register
def _(part: PositionTechnique) -> Lowering:
    """One of a user's own may share parameters between layers, as T5's does."""
    name = type(part).__name__
    return our_layer(name, _shared(name) if source_of(part) is not None else "")


@lowering.register
def _(part: T5Bias) -> Lowering:
    return our_layer("T5Bias", _shared("T5Bias"))


def _shared(name: str) -> str:
    return f"the layers of a model share what {name} learns, and the stages of a pipeline cannot"


@singledispatch
def lowering_of(architecture: Architecture) -> Lowering:
    """How Megatron-Core computes ``architecture``: all its layers by stock modules, or all by ours."""
    name = type(architecture).__name__
    return NotAtAll(*[f"nothing says how {name} is made into layers"] * 2)


@lowering_of.register
def _(architecture: Decoder) -> Lowering:
    together = turned(architecture.attention, architecture.position)
    return _together([*map(lowering, _parts(architecture)), together])


@lowering_of.register
def _(architecture: ParallelDecoder) -> Lowering:
    parallel = our_layer("blocks whose halves read the same input")
    return _together([*map(lowering, _parts(architecture)), parallel])


@lowering_of.register
def _(architecture: RecurrentDecoder) -> Lowering:
    return lowering(architecture.layer)


@lowering_of.register
def _(architecture: OwnDecoder) -> Lowering:
    name = type(architecture.backbone).__name__
    return NotAtAll(
        *[f"{name} builds its whole model by itself, and Megatron-Core wants it layer by layer"] * 2
    )


@singledispatch
def turned(attention: AttentionTechnique, position: PositionTechnique) -> Lowering:
    """How Megatron-Core computes the two together, each of which it may know."""
    return Stock()


@turned.register
def _(attention: MLA, position: PositionTechnique) -> Lowering:
    """It turns the shared key whatever the position, and all of it."""
    whole = isinstance(position, RoPE) and position.fraction == 1
    return Stock() if whole else our_layer(f"MLA with {type(position).__name__}")


def _parts(architecture: Decoder) -> tuple[Part, ...]:
    return architecture.attention, architecture.position, architecture.feed_forward


def _together(parts: Iterable[Lowering]) -> Lowering:
    whole: Lowering = Stock()
    for part in parts:
        whole = part.over(whole)
    return whole
