"""Pythia's decoder as GPT-NeoX."""

from __future__ import annotations

import torch

from effdsl.techniques.architecture import Architecture, ParallelDecoder
from effdsl.techniques.attention import GQA
from effdsl.techniques.feed_forward import GELU
from effdsl.techniques.position import RoPE
from effdsl_runtime.checkpoints.form import Form, Weights, family

NAMES = {
    "mixer_norm": "input_layernorm",
    "feed_forward_norm": "post_attention_layernorm",
    "mixer.out": "attention.dense",
    "feed_forward.up": "mlp.dense_h_to_4h",
    "feed_forward.down": "mlp.dense_4h_to_h",
}


@family
def gpt_neox(architecture: Architecture, weights: Weights, context_length: int) -> Form | None:
    """GPT-NeoX (arXiv 2204.06745): every head its own keys and values, a part of each rotated."""
    if not isinstance(architecture, ParallelDecoder):
        return None
    shape, attention, position = architecture.shape, architecture.attention, architecture.position
    is_its = isinstance(attention, GQA) and attention.kv_heads == shape.heads
    if not is_its or not isinstance(position, RoPE) or not isinstance(architecture.feed_forward, GELU):
        return None
    config = {
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
    theirs = {
        "gpt_neox.embed_in.weight": weights["embedding.weight"],
        "lm_head.weight": weights["output.weight"],
    }
    for kind in ("weight", "bias"):
        theirs[f"gpt_neox.final_layer_norm.{kind}"] = weights[f"norm.{kind}"]
        for i in range(shape.layers):
            here, there = f"blocks.{i}.", f"gpt_neox.layers.{i}."
            qkv = torch.unflatten(weights[f"{here}mixer.qkv.{kind}"], 0, (3, shape.heads, shape.head_dim))
            theirs[f"{there}attention.query_key_value.{kind}"] = qkv.transpose(0, 1).flatten(0, 2)
            for ours, name in NAMES.items():
                own = "mixer_bias" if (ours, kind) == ("mixer.out", "bias") else f"{ours}.{kind}"
                theirs[f"{there}{name}.{kind}"] = weights[here + own]
    return Form(config, theirs)
