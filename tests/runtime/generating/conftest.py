"""Small models of every kind that keeps something of the tokens it has seen."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

SMALL: dict[str, Any] = {
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "vocab_size": 97,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
ATTENTION = SMALL | {
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 64,
}
LATENT: dict[str, Any] = {
    "num_key_value_heads": 4,
    "first_k_dense_replace": 2,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 8,
    "q_lora_rank": None,
}
KINDS: dict[str, dict[str, Any]] = {
    "llama": ATTENTION,
    "qwen2": ATTENTION | {"tie_word_embeddings": True},
    "gpt_neox": ATTENTION,
    "deepseek_v3": ATTENTION | LATENT,
    "mixtral": ATTENTION | {"num_local_experts": 4},
    "mamba": SMALL,
    "mamba2": SMALL | {"num_heads": 8, "head_dim": 16, "n_groups": 1, "state_size": 16},
}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def built(kind: str, **changes: Any) -> Any:
    """A model of transformers with random weights, large enough that its likeliest tokens vary."""
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **KINDS[kind] | changes)
    model: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(4)
    return model.eval()
