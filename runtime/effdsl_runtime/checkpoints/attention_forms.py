"""Decoders with RMSNorm and SwiGLU: Qwen2 where attention shares heads, DeepSeek-V3 where it is latent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from effdsl.exported import exported
from effdsl.shapes import Shape
from effdsl.techniques.architecture import Architecture, Decoder, ParallelDecoder
from effdsl.techniques.attention import MLA
from effdsl_runtime.checkpoints.form import Form, Weights, family


@family
def sequential(architecture: Architecture, weights: Weights, context_length: int) -> Form | None:
    """Qwen2 or DeepSeek-V3, as :mod:`effdsl.exported` says."""
    if not isinstance(architecture, Decoder) or isinstance(architecture, ParallelDecoder):
        return None
    config = exported(architecture, context_length)
    if config is None:
        return None
    theirs = _around_attention(weights, architecture.shape.layers)
    for i in range(architecture.shape.layers):
        here, there = f"blocks.{i}.mixer.", f"model.layers.{i}.self_attn."
        if isinstance(architecture.attention, MLA):
            theirs |= _latent(weights, here, there, architecture.shape, architecture.attention)
        else:
            sizes = [heads * config["head_dim"] for heads in _heads(config)]
            theirs |= _grouped_query(weights, here, there, sizes)
    return Form(config, theirs)


def _heads(config: Mapping[str, Any]) -> tuple[int, int, int]:
    kv_heads = config["num_key_value_heads"]
    return config["num_attention_heads"], kv_heads, kv_heads


def _grouped_query(weights: Weights, here: str, there: str, sizes: list[int]) -> dict[str, Tensor]:
    """The tensors of one layer's queries, keys and values, which we keep in one matrix."""
    theirs: dict[str, Tensor] = {}
    for kind in ("weight", "bias"):
        pieces = torch.split(weights[f"{here}qkv.{kind}"], sizes)
        theirs |= {f"{there}{part}_proj.{kind}": piece for part, piece in zip("qkv", pieces, strict=True)}
    return theirs


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
