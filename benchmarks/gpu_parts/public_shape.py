"""A model of 1.5B parameters that exists, by its shape: its weights are random, and nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from effdsl import Hub
from effdsl.language_model import LanguageModel
from effdsl.public_models import public_model
from gpu_parts.setting import Setting

MODEL = "qwen2.5-1.5b"
TOY = {
    "num_hidden_layers": 3,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 160,
    "vocab_size": 512,
}


def config_of(setting: Setting) -> dict[str, object]:
    known = public_model(MODEL)
    assert known is not None
    return known.config() | (TOY if setting.toy else {})


def random_model(config: Mapping[str, object], device: torch.device, dtype: torch.dtype | None = None) -> Any:
    """A model of transformers as ``config`` describes it, made on ``device``."""
    from transformers import AutoConfig, AutoModelForCausalLM

    named = {name: value for name, value in config.items() if name != "model_type"}
    asked = AutoConfig.for_model(str(config["model_type"]), **named)
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForCausalLM.from_config(asked, attn_implementation="sdpa", dtype=dtype)


def weights_of(shape: LanguageModel) -> Hub:
    """Random weights of the model's shape pass for its own."""
    weights = Hub(MODEL)
    object.__setattr__(weights, "model", shape)
    return weights
