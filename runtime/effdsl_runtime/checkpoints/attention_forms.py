"""Decoders with RMSNorm and SwiGLU: Qwen2 where attention shares heads, DeepSeek-V3 where it is latent."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from effdsl.shapes import Shape
from effdsl.techniques.architecture import Architecture, Decoder, ParallelDecoder
from effdsl.techniques.attention import GQA, MLA
from effdsl.techniques.feed_forward import SwiGLU
from effdsl.techniques.position import RoPE
from effdsl_runtime.checkpoints.form import Form, Weights, family


@family
def qwen2(architecture: Architecture, weights: Weights, context_length: int) -> Form | None:
    """Qwen2 (arXiv 2407.10671): grouped-query attention with biases on q, k and v."""
    decoder = _rotating(architecture)
    if decoder is None or not isinstance(decoder.attention, GQA):
        return None
    shape, kv_heads = decoder.shape, decoder.attention.kv_heads
    config = _config("qwen2", "Qwen2ForCausalLM", decoder, context_length)
    config |= {"num_key_value_heads": kv_heads, "head_dim": shape.head_dim}
    theirs = _around_attention(weights, shape.layers)
    sizes = [heads * shape.head_dim for heads in (shape.heads, kv_heads, kv_heads)]
    for i in range(shape.layers):
        for kind in ("weight", "bias"):
            pieces = torch.split(weights[f"blocks.{i}.mixer.qkv.{kind}"], sizes)
            for part, piece in zip("qkv", pieces, strict=True):
                theirs[f"model.layers.{i}.self_attn.{part}_proj.{kind}"] = piece
    return Form(config, theirs)


@family
def deepseek_v3(architecture: Architecture, weights: Weights, context_length: int) -> Form | None:
    """DeepSeek-V3 (arXiv 2412.19437) with dense layers alone: multi-head latent attention."""
    decoder = _rotating(architecture)
    if decoder is None or not isinstance(decoder.attention, MLA):
        return None
    shape, mla = decoder.shape, decoder.attention
    kv_rank, rope_dim, nope_dim, v_dim = mla.sizes()
    config = _config("deepseek_v3", "DeepseekV3ForCausalLM", decoder, context_length)
    config |= {
        "num_key_value_heads": shape.heads,
        "kv_lora_rank": kv_rank,
        "q_lora_rank": mla.q_rank,
        "qk_rope_head_dim": rope_dim,
        "qk_nope_head_dim": nope_dim,
        "v_head_dim": v_dim,
        "first_k_dense_replace": shape.layers,
        "rope_interleave": True,
    }
    theirs = _around_attention(weights, shape.layers)
    for i in range(shape.layers):
        theirs |= _latent(weights, f"blocks.{i}.mixer.", f"model.layers.{i}.self_attn.", shape, mla)
    return Form(config, theirs)


def _rotating(architecture: Architecture) -> Decoder | None:
    """The sequential decoder with dense layers that rotates whole heads; ``None`` where it is another."""
    if not isinstance(architecture, Decoder) or isinstance(architecture, ParallelDecoder):
        return None
    position = architecture.position
    rotates = isinstance(position, RoPE) and position.fraction == 1
    return architecture if rotates and isinstance(architecture.feed_forward, SwiGLU) else None


def _config(model_type: str, model: str, decoder: Decoder, context_length: int) -> dict[str, Any]:
    shape, position = decoder.shape, decoder.position
    assert isinstance(position, RoPE)  # noqa: S101  as `_rotating` has checked
    return {
        "model_type": model_type,
        "architectures": [model],
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


NAMES = {
    "mixer_norm": "input_layernorm",
    "feed_forward_norm": "post_attention_layernorm",
    "feed_forward.gate": "mlp.gate_proj",
    "feed_forward.up": "mlp.up_proj",
    "feed_forward.down": "mlp.down_proj",
    "mixer.out": "self_attn.o_proj",
}


def _around_attention(weights: Weights, layers: int) -> dict[str, Tensor]:
    theirs = {
        "model.embed_tokens.weight": weights["embedding.weight"],
        "model.norm.weight": weights["norm.weight"],
    }
    for i in range(layers):
        for ours, name in NAMES.items():
            theirs[f"model.layers.{i}.{name}.weight"] = weights[f"blocks.{i}.{ours}.weight"]
    return theirs


def _latent(weights: Weights, here: str, there: str, shape: Shape, mla: MLA) -> dict[str, Tensor]:
    """The tensors of one layer's attention. DeepSeek turns pairs that are neighbours, we pairs that are
    half the head apart; it keeps keys and values by head, we all keys and then all values."""
    kv_rank, rope_dim, nope_dim, v_dim = mla.sizes()
    down = weights[here + "project.weight"]
    q, latent, key = torch.split(down, [down.shape[0] - kv_rank - rope_dim, kv_rank, rope_dim])
    theirs = {
        there + "kv_a_proj_with_mqa.weight": torch.cat((latent, _interleaved(key))),
        there + "kv_a_layernorm.weight": weights[here + "norm.weight"],
    }
    if mla.q_rank is None:
        theirs[there + "q_proj.weight"] = _query(q, shape.heads, nope_dim)
    else:
        theirs[there + "q_a_proj.weight"] = q
        theirs[there + "q_a_layernorm.weight"] = weights[here + "q_up.norm.weight"]
        theirs[there + "q_b_proj.weight"] = _query(weights[here + "q_up.up.weight"], shape.heads, nope_dim)
    up = weights[here + "up.weight"]
    k, v = torch.split(up, [shape.heads * nope_dim, shape.heads * v_dim])
    by_head = [torch.unflatten(part, 0, (shape.heads, -1)) for part in (k, v)]
    theirs[there + "kv_b_proj.weight"] = torch.cat(by_head, 1).flatten(0, 1)
    return theirs


def _query(rows: Tensor, heads: int, nope_dim: int) -> Tensor:
    by_head = torch.unflatten(rows, 0, (heads, -1))
    turned = torch.stack([_interleaved(head[nope_dim:]) for head in by_head])
    return torch.cat((by_head[:, :nope_dim], turned), 1).flatten(0, 1)


def _interleaved(rows: Tensor) -> Tensor:
    return torch.unflatten(rows, 0, (2, -1)).transpose(0, 1).flatten(0, 1)
