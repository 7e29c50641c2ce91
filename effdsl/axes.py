"""Axes: the dimensions of choice of a study. ``*`` makes the product of axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

import attrs

from effdsl.declare import Invalid, language, transport
from effdsl.problems import Problem, is_broken, nearest, report, spelled
from effdsl.techniques.aspect import AspectRatio
from effdsl.techniques.backbone import BackboneTechnique
from effdsl.techniques.fine_tuning.method import Method
from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique, Technique


class Axis:
    """Base of all axes.

    Attributes:
        name: what records, filters and tables call it.
        kind: what its points must be.
        within: the axis whose usual technique has it: a recurrent backbone has no attention.
    """

    name: ClassVar[str]
    kind: ClassVar[type[Technique]]
    within: ClassVar[type[Axis] | None] = None
    techniques: tuple[Technique, ...]

    def __mul__(self, other: object) -> Axes:
        return Axes((self,)) * other

    def __add__(self, other: object) -> Axes:
        return Axes((self,)) + other

    def __str__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.techniques))})"


@attrs.frozen
class Axes:
    """The product of axes: one cell for every combination of their techniques."""

    axes: tuple[Axis, ...]

    def __mul__(self, other: object) -> Axes:
        if is_broken(other):
            return self
        if not isinstance(other, (Axis, Axes)):
            report(
                Problem(
                    f"{spelled(other)} is not an axis, and multiplies none",
                    "e.g. Attention([MQA]) * Position([RoPE])",
                )
            )
            return self
        return Axes(self.axes + (other.axes if isinstance(other, Axes) else (other,)))

    def __add__(self, other: object) -> Axes:
        hint = "e.g. Attention([MQA]) * Position([RoPE])"
        report(Problem(f"{self} + {spelled(other)}: axes are multiplied, not added", hint))
        return self

    def __str__(self) -> str:
        return " * ".join(map(str, self.axes))


def points_on(kind: type[Technique]) -> Callable[[Any], Any]:
    """Converter: a list of techniques of ``kind``; a class stands for its defaults."""

    def convert(points: Any) -> tuple[Technique, ...]:
        listed = [points] if isinstance(points, (Technique, type)) else points
        if not isinstance(listed, (list, tuple)):
            raise Invalid("expected a list of techniques", f"allowed: {', '.join(names_on(kind))}")
        made = [
            point() if isinstance(point, type) and issubclass(point, Technique) else point for point in listed
        ]
        wrong = [point for point in made if not isinstance(point, kind) and not is_broken(point)]
        if wrong:
            raise Invalid(
                "; ".join(_misplaced(point) for point in wrong), f"allowed: {', '.join(names_on(kind))}"
            )
        if not made:
            raise Invalid("needs at least one technique", f"allowed: {', '.join(names_on(kind))}")
        return tuple(cast(Technique, point) for point in made if not is_broken(point))

    return convert


def _misplaced(point: object) -> str:
    if isinstance(point, Technique):
        return f"{type(point).__name__} is a technique of the axis {point.axis}"
    if isinstance(point, str):
        names = [cls.__name__ for cls in _all(Technique)]
        write = (
            f"write {point} without quotes" if point in names else f"{nearest(point, names)}write the class"
        )
        return f"{point!r} is a string; {write}"
    return f"{point!r} is not a technique"


def _all(kind: type[Technique]) -> list[type[Technique]]:
    """Every declared technique of ``kind``, in the order of declaration."""
    found: dict[str, type[Technique]] = {}
    for child in (kind, *kind.__subclasses__()):
        # attrs rebuilds slotted classes: the first of the two has no tag.
        if "__tag__" in vars(child):
            found[child.__name__] = child
    for child in kind.__subclasses__():
        found |= {c.__name__: c for c in _all(child)}
    return list(found.values())


def names_on(kind: type[Technique]) -> list[str]:
    """Names of the techniques an axis of ``kind`` takes."""
    return sorted(cls.__name__ for cls in _all(kind))


@language
class Backbone(Axis):
    """What the whole decoder is made of: ``Backbone([Transformer, Mamba2, RWKV4, Pythia])``."""

    name: ClassVar[str] = "backbone"
    kind: ClassVar[type[Technique]] = BackboneTechnique
    techniques: tuple[Technique, ...] = transport(converter=points_on(BackboneTechnique))


@language
class Attention(Axis):
    """Which attention mixes the tokens: ``Attention([MQA, GQA(kv_heads=4), MLA, NSA])``."""

    name: ClassVar[str] = "attention"
    within: ClassVar[type[Axis] | None] = Backbone
    kind: ClassVar[type[Technique]] = AttentionTechnique
    techniques: tuple[Technique, ...] = transport(converter=points_on(AttentionTechnique))


@language
class Position(Axis):
    """How positions enter the model: ``Position([RoPE, NoPE])``."""

    name: ClassVar[str] = "position"
    within: ClassVar[type[Axis] | None] = Backbone
    kind: ClassVar[type[Technique]] = PositionTechnique
    techniques: tuple[Technique, ...] = transport(converter=points_on(PositionTechnique))


@language
class FeedForward(Axis):
    """What a block does to each token by itself: ``FeedForward([SwiGLU, MoE(experts=8, top_k=2)])``."""

    name: ClassVar[str] = "feed_forward"
    within: ClassVar[type[Axis] | None] = Backbone
    kind: ClassVar[type[Technique]] = FeedForwardTechnique
    techniques: tuple[Technique, ...] = transport(converter=points_on(FeedForwardTechnique))


@language
class FineTuning(Axis):
    """How weights that exist are trained on: ``FineTuning([LoRA, DoRA, Freeze, Full])``."""

    name: ClassVar[str] = "fine_tuning"
    kind: ClassVar[type[Technique]] = Method
    techniques: tuple[Technique, ...] = transport(converter=points_on(Method))


@language
class Precision(Axis):
    """How the weights of a model that exists are stored: ``Precision([BF16, INT8, INT4, NF4])``."""

    name: ClassVar[str] = "precision"
    kind: ClassVar[type[Technique]] = WeightFormat
    techniques: tuple[Technique, ...] = transport(converter=points_on(WeightFormat))


@language
class Aspect(Axis):
    """Depth against width at one size: ``Aspect([AspectRatio(32), AspectRatio(64), AspectRatio(128)])``."""

    name: ClassVar[str] = "aspect"
    kind: ClassVar[type[Technique]] = AspectRatio
    techniques: tuple[Technique, ...] = transport(converter=points_on(AspectRatio))
