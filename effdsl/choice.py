"""A combination of techniques: what a study's filter sees, and what people call it."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from effdsl.axes import Attention, Backbone, FeedForward, Position
from effdsl.axes import Shape as ShapeAxis
from effdsl.task import Labels
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.aspect import AspectRatio
from effdsl.techniques.backbone import BackboneTechnique, Parts, Transformer
from effdsl.techniques.base import AttentionTechnique, FeedForwardTechnique, PositionTechnique, Technique
from effdsl.units import Count

AXES: tuple[type, ...] = (Backbone, ShapeAxis, Attention, Position, FeedForward)
"""Every axis of pretraining, from the outside in."""
CHOSEN = ("scale", "backbone", "aspect", "attention", "position", "feed_forward")
"""What a filter may ask of a choice."""
BETWEEN = " · "


@attrs.frozen
class Choice:
    """A combination of techniques and scale, as a study's ``keep`` sees it.

    Attributes:
        chosen_backbone, aspect: what the study chose on these axes, if anything.
        parts: what it chose inside the backbone.
    """

    scale: Count
    chosen_backbone: BackboneTechnique | None = None
    aspect: AspectRatio | None = None
    parts: Parts = attrs.field(factory=Parts)

    @property
    def chosen(self) -> tuple[Technique, ...]:
        """The techniques in it that a study wrote down, from the outside in."""
        inside = (self.parts.attention, self.parts.position, self.parts.feed_forward)
        return tuple(part for part in (self.chosen_backbone, self.aspect, *inside) if part is not None)

    @property
    def backbone(self) -> BackboneTechnique:
        """The chosen backbone, or the transformer."""
        return self.chosen_backbone or Transformer()

    @property
    def attention(self) -> AttentionTechnique | None:
        """The chosen attention, or the backbone's usual one; ``None`` where it has none."""
        return self.parts.or_else(self.backbone.usual()).attention

    @property
    def position(self) -> PositionTechnique | None:
        """The same for positions."""
        return self.parts.or_else(self.backbone.usual()).position

    @property
    def feed_forward(self) -> FeedForwardTechnique | None:
        """The same for the feed-forward part."""
        return self.parts.or_else(self.backbone.usual()).feed_forward


def labels_of(choice: Choice, architecture: Architecture, axes: Sequence[type]) -> Labels:
    """What the cell of ``choice`` is called in a study with ``axes``, and anywhere."""
    shape = architecture.shape
    label: dict[type, str] = {Backbone: choice.backbone.label(shape)}
    if choice.aspect is not None:
        label[ShapeAxis] = choice.aspect.label(shape)
    if isinstance(architecture, Decoder):
        label[Attention] = architecture.attention.label(shape)
        label[Position] = architecture.position.label(shape)
        label[FeedForward] = architecture.feed_forward.label(shape)
    usual = _usual_labels(choice, architecture)
    named = [axis for axis in AXES if axis in axes]
    full = [axis for axis in AXES if axis in label and label[axis] != usual.get(axis)] or [Attention]
    return Labels(
        technique=_joined(label, [axis for axis in named if axis == named[0] or axis in full]),
        scale=str(choice.scale),
        full_name=_joined(label, full),
        backbone=label[Backbone],
        aspect=label.get(ShapeAxis, ""),
        attention=label.get(Attention, ""),
        position=label.get(Position, ""),
        feed_forward=label.get(FeedForward, ""),
    )


def written_labels(choice: Choice, axes: Sequence[type]) -> Labels:
    """The same, as the study has it written, for a combination that cannot be built.

    Here too the first axis is always named, and of the others what is not the backbone's usual part.
    """
    usual = choice.backbone.usual()
    written: dict[type, Technique | None] = {
        Backbone: choice.chosen_backbone,
        ShapeAxis: choice.aspect,
        Attention: choice.parts.attention,
        Position: choice.parts.position,
        FeedForward: choice.parts.feed_forward,
    }
    label = {axis: repr(technique).removesuffix("()") for axis, technique in written.items() if technique}
    unsaid: dict[type, Technique | None] = {
        Attention: usual.attention,
        Position: usual.position,
        FeedForward: usual.feed_forward,
    }
    on = [axis for axis in AXES if axis in axes]
    named = _joined(label, [a for a in on if a == on[0] or written[a] != unsaid.get(a)])
    return Labels(technique=named, scale=str(choice.scale), full_name=named)


def _usual_labels(choice: Choice, architecture: Architecture) -> dict[type, str]:
    """The labels that need no saying: the transformer's usual parts, or those of its own backbone."""
    shape, usual = architecture.shape, choice.backbone.usual()
    labels: dict[type, str] = {Backbone: Transformer().label(shape)}
    for axis, part in (
        (Attention, usual.attention),
        (Position, usual.position),
        (FeedForward, usual.feed_forward),
    ):
        if part is not None:
            labels[axis] = part.resolve(shape).label(shape)
    return labels


def _joined(label: dict[type, str], axes: Sequence[type]) -> str:
    return BETWEEN.join(label[axis] for axis in axes if axis in label)
