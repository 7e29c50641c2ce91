"""From a declared architecture to a module."""

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch

from torch import nn

from effdsl.shapes import Shape
from effdsl.techniques import feed_forward as feed_forwards
from effdsl.techniques.architecture import Architecture, Decoder, ParallelDecoder, RecurrentDecoder
from effdsl.techniques.attention import GQA, MLA
from effdsl.techniques.base import AttentionTechnique, FeedForwardTechnique, RecurrentTechnique
from effdsl.techniques.mamba import Mamba2Layer, MambaLayer
from effdsl.techniques.moba import MoBA
from effdsl.techniques.nsa import NSA
from effdsl.techniques.rwkv import RWKV4Layer
from effdsl.whole import OwnDecoder
from effdsl_runtime.model.decoder import Block, DecoderLM, MixerBlock, ResidualBlock
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.experts import Experts
from effdsl_runtime.model.feed_forward import GELU, FeedForward, SwiGLU
from effdsl_runtime.model.grouped_query import GroupedQueryAttention
from effdsl_runtime.model.initial import initialise
from effdsl_runtime.model.latent import LatentAttention
from effdsl_runtime.model.mamba import SelectiveMixer
from effdsl_runtime.model.mamba2 import DualMixer
from effdsl_runtime.model.mixer import Mixer
from effdsl_runtime.model.moba import MixtureOfBlockAttention
from effdsl_runtime.model.of_a_users_own import own_module
from effdsl_runtime.model.parallel import ParallelBlock
from effdsl_runtime.model.positions import encoding, stem
from effdsl_runtime.model.rwkv import NormStem, RWKV4Block
from effdsl_runtime.model.sparse import NativeSparseAttention


def build(architecture: Architecture, context_length: int, seed: int) -> DecoderLM:
    """The model of ``architecture`` on the CPU, in float32, with the initial weights of ``seed``."""
    model = assemble(architecture, context_length)
    initialise(model, architecture.shape.layers, seed)
    return model


@singledispatch
def assemble(architecture: Architecture, context_length: int) -> DecoderLM:
    """The same with undefined weights, on the default device; ``meta`` gives shapes only."""
    raise NotImplementedError(f"no module for {type(architecture).__name__}")


@assemble.register
def _(architecture: Decoder, context_length: int) -> DecoderLM:
    shape = architecture.shape
    blocks = _blocks(Block, architecture, context_length)
    norm = nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps)
    before = stem(architecture.position, shape, context_length)
    return DecoderLM(shape, context_length, blocks, norm, stem=before)


@assemble.register
def _(architecture: ParallelDecoder, context_length: int) -> DecoderLM:
    shape = architecture.shape
    blocks = _blocks(ParallelBlock, architecture, context_length)
    norm = nn.LayerNorm(shape.hidden_size, eps=shape.norm_eps)
    before = stem(architecture.position, shape, context_length)
    return DecoderLM(shape, context_length, blocks, norm, tied=False, stem=before)


@assemble.register
def _(architecture: RecurrentDecoder, context_length: int) -> DecoderLM:
    return recurrent(architecture.layer, architecture.shape, context_length)


@assemble.register
def _(architecture: OwnDecoder, context_length: int) -> DecoderLM:
    return own_module(architecture.backbone, DecoderLM, architecture.shape, context_length)


@singledispatch
def recurrent(layer: RecurrentTechnique, shape: Shape, context_length: int) -> DecoderLM:
    """The model whose layers are ``layer``, without attention."""
    raise NotImplementedError(f"no module for {type(layer).__name__}")


@recurrent.register
def _(layer: RWKV4Layer, shape: Shape, context_length: int) -> DecoderLM:
    blocks = [RWKV4Block(shape, number) for number in range(shape.layers)]
    norm = nn.LayerNorm(shape.hidden_size, eps=shape.norm_eps)
    return DecoderLM(shape, context_length, blocks, norm, tied=False, stem=NormStem(shape))


@recurrent.register
def _(layer: MambaLayer, shape: Shape, context_length: int) -> DecoderLM:
    return _mixers_alone([SelectiveMixer(layer, shape) for _ in range(shape.layers)], shape, context_length)


@recurrent.register
def _(layer: Mamba2Layer, shape: Shape, context_length: int) -> DecoderLM:
    return _mixers_alone([DualMixer(layer, shape) for _ in range(shape.layers)], shape, context_length)


def _mixers_alone(mixers: Sequence[Mixer], shape: Shape, context_length: int) -> DecoderLM:
    blocks = [MixerBlock(mixer, shape) for mixer in mixers]
    return DecoderLM(shape, context_length, blocks, nn.RMSNorm(shape.hidden_size, eps=shape.norm_eps))


def _blocks(
    kind: type[Block] | type[ParallelBlock], architecture: Decoder, context_length: int
) -> list[ResidualBlock]:
    """One block of ``kind`` per layer; they share what positions do in attention."""
    shape = architecture.shape
    position = _encoding(architecture, context_length)
    return [
        kind(
            mixer(architecture.attention, shape, position),
            feed_forward(architecture.feed_forward, shape),
            shape,
        )
        for _ in range(shape.layers)
    ]


def _encoding(architecture: Decoder, context_length: int) -> Encoding:
    shape = architecture.shape
    turned = rotated_dim(architecture.attention, shape)
    return encoding(architecture.position, shape.heads, turned, context_length)


@singledispatch
def rotated_dim(attention: AttentionTechnique, shape: Shape) -> int:
    """How many elements of a head its position turns."""
    return shape.head_dim


@rotated_dim.register
def _(attention: MLA, shape: Shape) -> int:
    return attention.sizes()[1]


@singledispatch
def mixer(attention: AttentionTechnique, shape: Shape, position: Encoding) -> Mixer:
    """The module of one block's ``attention``, resolved for ``shape``."""
    return own_module(attention, Mixer, shape, position)


@mixer.register
def _(attention: GQA, shape: Shape, position: Encoding) -> Mixer:
    return GroupedQueryAttention(attention, shape, position)


@mixer.register
def _(attention: MLA, shape: Shape, position: Encoding) -> Mixer:
    return LatentAttention(attention, shape, position)


@mixer.register
def _(attention: NSA, shape: Shape, position: Encoding) -> Mixer:
    return NativeSparseAttention(attention, shape, position)


@mixer.register
def _(attention: MoBA, shape: Shape, position: Encoding) -> Mixer:
    return MixtureOfBlockAttention(attention, shape, position)


@singledispatch
def feed_forward(technique: FeedForwardTechnique, shape: Shape) -> FeedForward:
    """The module of one block's feed-forward part."""
    return own_module(technique, FeedForward, shape)


@feed_forward.register
def _(technique: feed_forwards.SwiGLU, shape: Shape) -> FeedForward:
    return SwiGLU(shape.hidden_size, shape.intermediate_size)


@feed_forward.register
def _(technique: feed_forwards.GELU, shape: Shape) -> FeedForward:
    return GELU(shape.hidden_size)


@feed_forward.register
def _(technique: feed_forwards.MoE, shape: Shape) -> FeedForward:
    return Experts(technique, shape)
