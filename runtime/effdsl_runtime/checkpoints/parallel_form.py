"""Pythia's decoder as GPT-NeoX."""

from __future__ import annotations

import torch

from effdsl.exported import exported
from effdsl.techniques.architecture import Architecture, ParallelDecoder
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
    """GPT-NeoX, as :mod:`effdsl.exported` says."""
    if not isinstance(architecture, ParallelDecoder):
        return None
    config, shape = exported(architecture, context_length), architecture.shape
    if config is None:
        return None
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
