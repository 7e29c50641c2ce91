"""Which Hugging Face model a decoder of ours is, and its configuration and weights as that model's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from torch import Tensor

from effdsl.techniques.architecture import Architecture

Weights = Mapping[str, Tensor]


@attrs.frozen
class Form:
    """A decoder as a model of transformers.

    Attributes:
        config: what ``config.json`` says of it.
        weights: its tensors by that model's names; one that is shared stands once.
    """

    config: Mapping[str, Any]
    weights: Weights


Family = Callable[[Architecture, Weights, int], Form | None]
"""From an architecture, its weights by our names and its context: its form; ``None`` where the family's
model is another."""
FAMILIES: list[Family] = []


def family(one: Family) -> Family:
    """Register a family of models; the first that has a form for an architecture gives it."""
    FAMILIES.append(one)
    return one


def form_of(architecture: Architecture, weights: Weights, context_length: int) -> Form | None:
    """``architecture`` as a model that transformers has; ``None`` where it has none."""
    found = (one(architecture, weights, context_length) for one in FAMILIES)
    return next((form for form in found if form is not None), None)
