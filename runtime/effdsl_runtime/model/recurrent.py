"""Models without attention: each layer keeps a state of fixed size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from torch import nn

from effdsl.shapes import Shape
from effdsl.techniques.technique import RecurrentTechnique
from effdsl_runtime.model.decoder import DecoderLM, MixerBlock
from effdsl_runtime.model.mixer import Mixer


@singledispatch
def recurrent(layer: RecurrentTechnique, shape: Shape, context_length: int) -> DecoderLM:
    """The model whose layers are ``layer``; each built-in one registers beside its module."""
    raise NotImplementedError(f"no module for {type(layer).__name__}")


def mixers_alone(mixers: Sequence[Mixer], shape: Shape, context_length: int) -> DecoderLM:
    """The model whose blocks are nothing but ``mixers``."""
    blocks = [MixerBlock(mixer, shape) for mixer in mixers]
    return DecoderLM(shape, context_length, blocks, nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps))
