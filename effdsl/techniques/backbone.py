"""The axis of backbones: what a whole decoder is made of, and which other axes it has."""

from __future__ import annotations

from typing import TypeVar, cast

import attrs

from effdsl.declare import evolve, keyed
from effdsl.shapes import Shape, reference_parameters
from effdsl.techniques.architecture import Architecture, Decoder, ParallelDecoder, RecurrentDecoder
from effdsl.techniques.attention.gqa import GQA, MHA
from effdsl.techniques.feed_forward import GELU, SwiGLU
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import (
    AttentionTechnique,
    FeedForwardTechnique,
    PositionTechnique,
    RecurrentTechnique,
    Technique,
    Unsupported,
)

PYTHIA_THETA, PYTHIA_FRACTION, PYTHIA_NORM_EPS = 1e4, 0.25, 1e-5
A = TypeVar("A", bound=Architecture)
Whole = tuple[AttentionTechnique, PositionTechnique, FeedForwardTechnique]


@attrs.frozen
class Parts:
    """What a study chose inside a decoder; ``None`` where it left the choice to the backbone."""

    attention: AttentionTechnique | None = None
    position: PositionTechnique | None = None
    feed_forward: FeedForwardTechnique | None = None

    def or_else(self, usual: Parts) -> Parts:
        """These parts, and those of ``usual`` where nothing was chosen."""
        return Parts(
            self.attention or usual.attention,
            self.position or usual.position,
            self.feed_forward or usual.feed_forward,
        )


class BackboneTechnique(Technique):
    """A decoder that other techniques vary where it has such parts."""

    axis = "backbone"

    def usual(self) -> Parts:
        """Its parts where a study chooses none."""
        return Parts()

    def resolve(self, shape: Shape) -> BackboneTechnique:
        return self

    def assemble(self, shape: Shape, parts: Parts) -> Architecture:
        """The decoder of ``parts`` at about the size of ``shape``.

        Raises:
            Unsupported: when it has no place for a part, or two parts do not go together.
        """
        raise NotImplementedError


@keyed("transformer")
class Transformer(BackboneTechnique):
    """Qwen2.5's decoder (arXiv 2412.15115), which every other study varies."""

    def usual(self) -> Parts:
        return Parts(GQA(), RoPE(), SwiGLU())

    def assemble(self, shape: Shape, parts: Parts) -> Decoder:
        return Decoder(shape, *_resolved(parts.or_else(self.usual()), shape))


@keyed("pythia")
class Pythia(BackboneTechnique):
    """Pythia's decoder (Biderman et al. 2023, arXiv 2304.01373), which is GPT-NeoX's.

    Multi-head attention and GELU side by side in each block, a quarter of each head rotated, LayerNorm,
    biases everywhere, an output layer of its own. Its norms add GPT-NeoX's 1e-5 to the variance, not the
    transformer's 1e-6. As wide as the transformer of its size, and as deep as brings it nearest to its
    parameters; with experts, as deep as with the dense layer they stand in for.
    """

    def usual(self) -> Parts:
        return Parts(MHA(), RoPE(theta=PYTHIA_THETA, fraction=PYTHIA_FRACTION), GELU())

    def assemble(self, shape: Shape, parts: Parts) -> ParallelDecoder:
        attention, position, feed_forward = _resolved(parts.or_else(self.usual()), shape)
        own = evolve(shape, norm_eps=PYTHIA_NORM_EPS)
        dense = nearest_depth(ParallelDecoder(own, attention, position, feed_forward.dense()), own)
        return evolve(dense, feed_forward=feed_forward)


def nearest_depth(architecture: A, shape: Shape) -> A:
    """``architecture`` with the number of layers that brings it nearest to the transformer of ``shape``."""
    wanted = reference_parameters(shape)

    def deep(layers: int) -> A:
        return evolve(architecture, shape=evolve(shape, layers=layers))

    # The context sizes no layer, at most a table of positions.
    one, two = deep(1).parameters(1), deep(2).parameters(1)
    return deep(max(1, round((wanted - one) / (two - one)) + 1))


def _resolved(parts: Parts, shape: Shape) -> Whole:
    """The parts, none of them open, resolved; they must go together."""
    attention, position, feed_forward = cast(Whole, attrs.astuple(parts, recurse=False))
    attention, position = attention.resolve(shape), position.resolve(shape)
    if reason := attention.refuses(position):
        raise Unsupported(reason)
    return attention, position, feed_forward.resolve(shape)


class Recurrent(BackboneTechnique):
    """A backbone without attention: each layer keeps a state of fixed size. It has no other axis."""

    def assemble(self, shape: Shape, parts: Parts) -> RecurrentDecoder:
        chosen = [part for part in attrs.astuple(parts, recurse=False) if part is not None]
        if chosen:
            raise Unsupported(
                f"{type(self).__name__} has no {chosen[0].axis}",
                f"leave {', '.join(type(part).__name__ for part in chosen)} to the transformer",
            )
        return nearest_depth(RecurrentDecoder(shape, self.layer(shape)), shape)

    def layer(self, shape: Shape) -> RecurrentTechnique:
        """What each of its layers is at ``shape``, resolved.

        Raises:
            Unsupported: when it cannot be built at this shape.
        """
        raise NotImplementedError
