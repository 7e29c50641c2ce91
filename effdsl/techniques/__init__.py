"""Techniques: the points on each axis of a study."""

from effdsl.techniques.attention import GQA, MHA, MLA, MQA, NSA
from effdsl.techniques.base import AttentionTechnique, PositionTechnique, Technique, Unsupported
from effdsl.techniques.position import NoPE, RoPE

__all__ = [
    "GQA",
    "MHA",
    "MLA",
    "MQA",
    "NSA",
    "AttentionTechnique",
    "NoPE",
    "PositionTechnique",
    "RoPE",
    "Technique",
    "Unsupported",
]
