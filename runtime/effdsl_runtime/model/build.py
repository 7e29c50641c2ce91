"""From a declared architecture to a module."""

from __future__ import annotations

from functools import singledispatch

from torch import nn

from effdsl.architecture import Decoder
from effdsl.shapes import Shape
from effdsl.techniques.attention import GQA, MLA
from effdsl.techniques.base import AttentionTechnique
from effdsl.techniques.nsa import NSA
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.grouped_query import GroupedQueryAttention
from effdsl_runtime.model.initial import initialise
from effdsl_runtime.model.latent import LatentAttention
from effdsl_runtime.model.mixer import Mixer
from effdsl_runtime.model.rope import rotation
from effdsl_runtime.model.sparse import NativeSparseAttention


def build(architecture: Decoder, context_length: int, seed: int) -> DecoderLM:
    """The model of ``architecture`` on the CPU, in float32, with the initial weights of ``seed``."""
    model = assemble(architecture, context_length)
    initialise(model, architecture.shape.layers, seed)
    return model


def assemble(architecture: Decoder, context_length: int) -> DecoderLM:
    """The same with undefined weights, on the default device; ``meta`` gives shapes only."""
    shape = architecture.shape
    head_dim = rotated_dim(architecture.attention, shape)
    rotate = rotation(architecture.position, head_dim, context_length)
    return DecoderLM(shape, context_length, lambda: mixer(architecture.attention, shape, rotate))


@singledispatch
def rotated_dim(attention: AttentionTechnique, shape: Shape) -> int:
    """How many elements of a head its position turns."""
    return shape.head_dim


@rotated_dim.register
def _(attention: MLA, shape: Shape) -> int:
    return attention.sizes()[1]


@singledispatch
def mixer(attention: AttentionTechnique, shape: Shape, rotate: nn.Module) -> Mixer:
    """The module of one block's ``attention``, resolved for ``shape``."""
    raise NotImplementedError(f"no module for {type(attention).__name__}; resolve it first")


@mixer.register
def _(attention: GQA, shape: Shape, rotate: nn.Module) -> Mixer:
    return GroupedQueryAttention(attention, shape, rotate)


@mixer.register
def _(attention: MLA, shape: Shape, rotate: nn.Module) -> Mixer:
    return LatentAttention(attention, shape, rotate)


@mixer.register
def _(attention: NSA, shape: Shape, rotate: nn.Module) -> Mixer:
    return NativeSparseAttention(attention, shape, rotate)
