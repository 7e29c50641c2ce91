"""The axis of aspect: depth against width at a given number of parameters."""

from __future__ import annotations

from typing import Any

from effdsl.declare import Invalid, identity, keyed
from effdsl.shapes import DEEPEST, SHALLOWEST, Shape
from effdsl.techniques.technique import Technique
from effdsl.validate import number, positive


def _buildable(_: Any, field: Any, value: Any) -> None:
    positive(_, field, value)
    if not DEEPEST <= value <= SHALLOWEST:
        raise Invalid(f"must be from {DEEPEST} (deep) to {SHALLOWEST} (shallow)")


@keyed("aspect-ratio")
class AspectRatio(Technique):
    """Width per layer (Kaplan et al. 2020, arXiv 2001.08361, section 3.1): 16 is deep, 128 shallow.

    Of the shapes of a scale the one that comes nearest is taken; its depth and width are in the plan.
    """

    axis = "aspect"

    ratio: float = identity(default=64.0, converter=number, validator=_buildable)

    def resolve(self, shape: Shape) -> AspectRatio:
        return self

    def label(self, shape: Shape) -> str:
        return f"{shape.layers} x {shape.hidden_size}"
