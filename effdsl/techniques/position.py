"""How positions enter the model."""

from __future__ import annotations

from effdsl.declare import identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.base import PositionTechnique, labelled
from effdsl.validate import number, positive

QWEN_THETA = 1e6


@keyed("rope")
class RoPE(PositionTechnique):
    """Rotary position embedding (Su et al. 2021, arXiv 2104.09864): queries and keys turn with position.

    Attributes:
        theta: base of the wavelengths; Qwen2.5's 1e6.
    """

    theta: float = identity(default=QWEN_THETA, converter=number, validator=positive)

    def label(self, shape: Shape) -> str:
        return labelled("RoPE", {} if self.theta == QWEN_THETA else {"theta": self.theta})


@keyed("nope")
class NoPE(PositionTechnique):
    """No position encoding (Kazemnejad et al. 2023, arXiv 2305.19466): order enters by causality alone."""

    def label(self, shape: Shape) -> str:
        return "NoPE"
