"""How positions enter the model."""

from __future__ import annotations

from effdsl.declare import identity, keyed
from effdsl.techniques.base import PositionTechnique
from effdsl.validate import number, positive, positive_fraction

QWEN_THETA = 1e6


@keyed("rope")
class RoPE(PositionTechnique):
    """Rotary position embedding (Su et al. 2021, arXiv 2104.09864): queries and keys turn with position.

    Attributes:
        theta: base of the wavelengths; Qwen2.5's 1e6.
        fraction: of each head that turns, its first elements; GPT-NeoX's 0.25, Qwen2.5's 1.
    """

    theta: float = identity(default=QWEN_THETA, converter=number, validator=positive)
    fraction: float = identity(
        since=2, absent=1.0, default=1.0, converter=number, validator=positive_fraction
    )


@keyed("nope")
class NoPE(PositionTechnique):
    """No position encoding (Kazemnejad et al. 2023, arXiv 2305.19466): order enters by causality alone."""
