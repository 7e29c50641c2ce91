"""A decoder, declared: its shape and the technique on each of its dimensions.

The configuration owns the questions that need no tensors (parameters, FLOPs, cache); the runtime builds
the model from it.
"""

from __future__ import annotations

from effdsl.declare import identity, keyed
from effdsl.shapes import Shape
from effdsl.techniques.base import AttentionTechnique, PositionTechnique


@keyed("decoder")
class Decoder:
    """A decoder-only transformer (Qwen2.5's block) with resolved techniques.

    ``parameters()``, ``train_flops_per_token(...)`` and ``kv_bytes_per_token(...)`` are closed forms
    that the tests hold equal to the built model.
    """

    shape: Shape = identity()
    attention: AttentionTechnique = identity()
    position: PositionTechnique = identity()
