"""From a declared architecture to a module. What builds one technique registers beside its module."""

from __future__ import annotations

from functools import singledispatch

from torch import nn

import effdsl_runtime.model.mixers  # noqa: F401  both register what they build
from effdsl.techniques.architecture import Architecture, Decoder, ParallelDecoder, RecurrentDecoder
from effdsl.whole import OwnDecoder
from effdsl_runtime.model.decoder import Block, DecoderLM, ResidualBlock
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.feed_forward import feed_forward
from effdsl_runtime.model.initial import initialise
from effdsl_runtime.model.mixer import mixer, rotated_dim
from effdsl_runtime.model.of_a_users_own import own_module
from effdsl_runtime.model.parallel import ParallelBlock
from effdsl_runtime.model.positions import encoding, stem
from effdsl_runtime.model.recurrent import recurrent


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
