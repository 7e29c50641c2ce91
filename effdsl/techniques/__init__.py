"""Techniques: the points on each axis of a study."""

from effdsl.techniques.attention import GQA, MHA, MLA, MQA, NSA
from effdsl.techniques.base import AttentionTechnique, PositionTechnique, Technique, Unsupported
from effdsl.techniques.position import ALiBi, Learned, NoPE, RoPE, Sinusoidal, T5Bias

__all__ = [
    "GQA",
    "MHA",
    "MLA",
    "MQA",
    "NSA",
    "ALiBi",
    "AttentionTechnique",
    "Learned",
    "NoPE",
    "PositionTechnique",
    "RoPE",
    "Sinusoidal",
    "T5Bias",
    "Technique",
    "Unsupported",
]
