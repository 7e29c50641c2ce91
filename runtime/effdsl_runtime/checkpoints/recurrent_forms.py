"""Mamba, Mamba-2 and RWKV-4 as the models of those names."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from effdsl.techniques.architecture import Architecture, RecurrentDecoder
from effdsl.techniques.mamba import Mamba2Layer, MambaLayer
from effdsl.techniques.rwkv import RWKV4Layer
from effdsl_runtime.checkpoints.form import Form, Weights, family

FEWEST = 2
MAMBA = {
    "mixer_norm": "norm",
    "mixer.project": "mixer.in_proj",
    "mixer.conv": "mixer.conv1d",
    "mixer.select": "mixer.x_proj",
    "mixer.step.": "mixer.dt_proj.",
    "mixer.step_bias": "mixer.dt_bias",
    "mixer.out": "mixer.out_proj",
}
RWKV = {
    "time_norm.": "ln1.",
    "channel_norm.": "ln2.",
    "time.mix_": "attention.time_mix_",
    "time.log_decay": "attention.time_decay",
    "time.first": "attention.time_first",
    "time.out.": "attention.output.",
    "time.": "attention.",
    "channel.mix_": "feed_forward.time_mix_",
    "channel.": "feed_forward.",
}


@family
def mamba(architecture: Architecture, weights: Weights, context_length: int) -> Form | None:
    """Mamba (arXiv 2312.00752) and Mamba-2 (arXiv 2405.21060)."""
    if not isinstance(architecture, RecurrentDecoder):
        return None
    shape, layer = architecture.shape, architecture.layer
    if not isinstance(layer, (MambaLayer, Mamba2Layer)) or layer.inner % shape.hidden_size:
        return None
    if isinstance(layer, MambaLayer):
        config: dict[str, Any] = {"model_type": "mamba", "architectures": ["MambaForCausalLM"]}
        config |= {"time_step_rank": layer.step_rank, "intermediate_size": layer.inner}
    else:
        config = {"model_type": "mamba2", "architectures": ["Mamba2ForCausalLM"], "n_groups": 1}
        config |= {"num_heads": layer.heads, "head_dim": layer.inner // layer.heads}
    config |= {
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "layer_norm_epsilon": shape.norm_eps,
        "state_size": layer.state_size,
        "conv_kernel": layer.conv_width,
        "expand": layer.inner // shape.hidden_size,
        "tie_word_embeddings": True,
    }
    theirs: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        there = _in_block(name, "backbone.layers.", MAMBA)
        there = there.replace("embedding.", "backbone.embeddings.")
        theirs[there] = tensor.T.unsqueeze(1) if there.endswith("conv1d.weight") else tensor
    theirs["backbone.norm_f.weight"] = theirs.pop("norm.weight")
    return Form(config, theirs)


@family
def rwkv(architecture: Architecture, weights: Weights, context_length: int) -> Form | None:
    """RWKV-4 (arXiv 2305.13048); transformers cannot make one of a single layer."""
    if not isinstance(architecture, RecurrentDecoder) or not isinstance(architecture.layer, RWKV4Layer):
        return None
    shape = architecture.shape
    if shape.layers < FEWEST:
        return None
    config = {
        "model_type": "rwkv",
        "architectures": ["RwkvForCausalLM"],
        "vocab_size": shape.vocab_size,
        "context_length": context_length,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layers,
        "layer_norm_epsilon": shape.norm_eps,
        "rescale_every": shape.layers + 1,  # never
        "tie_word_embeddings": False,
    }
    around = {
        "embedding.weight": "rwkv.embeddings.weight",
        "output.weight": "head.weight",
        "norm.": "rwkv.ln_out.",
        "stem.norm.": "rwkv.blocks.0.pre_ln.",
    }
    theirs: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        there = _in_block(name, "rwkv.blocks.", RWKV)
        outside = next((ours for ours in around if name.startswith(ours)), None)
        if outside is not None:
            there = name.replace(outside, around[outside], 1)
        theirs[there] = tensor.reshape(1, 1, -1) if "time_mix" in there else tensor
    return Form(config, theirs)


def _in_block(name: str, prefix: str, names: dict[str, str]) -> str:
    """The name of a tensor of a block by the first of ``names`` that its own begins with."""
    if not name.startswith("blocks."):
        return name
    _, number, part = name.split(".", 2)
    ours = next((ours for ours in names if part.startswith(ours)), "")
    return f"{prefix}{number}.{part.replace(ours, names[ours], 1) if ours else part}"
