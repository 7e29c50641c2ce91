"""Which of transformers' models a decoder of ours is, and what that model's ``config.json`` says of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from effdsl.techniques.architecture import Architecture, Decoder, ParallelDecoder
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.attention.mla import MLA
from effdsl.techniques.feed_forward import GELU, SwiGLU
from effdsl.techniques.position import RoPE

Config = Mapping[str, Any]


@singledispatch
def exported(architecture: Architecture, context_length: int) -> Config | None:
    """The configuration of the model that ``architecture`` equals; ``None`` where this module knows none.

    Recurrent decoders have one too, which only the runtime needs.
    """
    return None


@exported.register
def _sequential(decoder: Decoder, context_length: int) -> Config | None:
    """Qwen2 (arXiv 2407.10671) where attention shares heads, DeepSeek-V3 (arXiv 2412.19437) with dense layers
    where it is latent; with RMSNorm, SwiGLU and whole heads that rotate."""
    position, attention = decoder.position, decoder.attention
    if not isinstance(position, RoPE) or position.fraction != 1:
        return None
    if not isinstance(decoder.feed_forward, SwiGLU):
        return None
    if isinstance(attention, GQA):
        return _with_rms_norm(decoder, position, context_length) | _qwen2(decoder, attention)
    if isinstance(attention, MLA):
        return _with_rms_norm(decoder, position, context_length) | _deepseek_v3(decoder, attention)
    return None


@exported.register
def _parallel(decoder: ParallelDecoder, context_length: int) -> Config | None:
    """GPT-NeoX (arXiv 2204.06745): every head its own keys and values, a part of each rotated."""
    shape, attention, position = decoder.shape, decoder.attention, decoder.position
    is_its = isinstance(attention, GQA) and attention.kv_heads == shape.heads
    if not is_its or not isinstance(position, RoPE) or not isinstance(decoder.feed_forward, GELU):
        return None
    return {
        "model_type": "gpt_neox",
        "architectures": ["GPTNeoXForCausalLM"],
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden_size,
        "num_attention_heads": shape.heads,
        "intermediate_size": 4 * shape.hidden_size,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": context_length,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": position.theta,
            "partial_rotary_factor": position.fraction,
        },
        "layer_norm_eps": shape.norm_eps,
        "hidden_act": "gelu",
        "attention_bias": True,
        "use_parallel_residual": True,
        "tie_word_embeddings": False,
    }


def _with_rms_norm(decoder: Decoder, position: RoPE, context_length: int) -> dict[str, Any]:
    shape = decoder.shape
    return {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden_size,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate_size,
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": context_length,
        "rope_parameters": {"rope_type": "default", "rope_theta": position.theta},
        "rms_norm_eps": shape.norm_eps,
        "tie_word_embeddings": True,
    }


def _qwen2(decoder: Decoder, attention: GQA) -> dict[str, Any]:
    return {
        "model_type": "qwen2",
        "architectures": ["Qwen2ForCausalLM"],
        "num_key_value_heads": attention.kv_heads,
        "head_dim": decoder.shape.head_dim,
    }


def _deepseek_v3(decoder: Decoder, attention: MLA) -> dict[str, Any]:
    kv_rank, rope_dim, nope_dim, v_dim = attention.sizes()
    return {
        "model_type": "deepseek_v3",
        "architectures": ["DeepseekV3ForCausalLM"],
        "num_key_value_heads": decoder.shape.heads,
        "kv_lora_rank": kv_rank,
        "q_lora_rank": attention.q_rank,
        "qk_rope_head_dim": rope_dim,
        "qk_nope_head_dim": nope_dim,
        "v_head_dim": v_dim,
        "first_k_dense_replace": decoder.shape.layers,
        "rope_interleave": True,
    }
