"""Small models of every architecture that is told apart, with weights in which every matrix counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from effdsl_runtime.checkpoints.auto import EffdslConfig, EffdslForCausalLM
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM

from effdsl.key import canonical_json
from effdsl.language_model import LanguageModel, language_model
from effdsl.shapes import Shape
from effdsl.techniques.attention import NSA, MoBA
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.backbone import Parts, Transformer
from effdsl.techniques.feed_forward import MoE
from effdsl.techniques.technique import AttentionTechnique

VOCABULARY = 67
SMALL: dict[str, Any] = {
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 2,
}
LATENT: dict[str, Any] = {
    "num_key_value_heads": 4,
    "first_k_dense_replace": 2,
    "kv_lora_rank": 32,
    "qk_rope_head_dim": 16,
    "qk_nope_head_dim": 16,
    "v_head_dim": 32,
    "q_lora_rank": 32,
    "num_nextn_predict_layers": 0,
}
RECURRENT: dict[str, Any] = {"num_hidden_layers": 2, "hidden_size": 64, "vocab_size": VOCABULARY}
CONFIGS: dict[str, dict[str, Any]] = {
    "llama": SMALL,
    "qwen2": SMALL | {"tie_word_embeddings": True},
    "deepseek_v3": SMALL | LATENT,
    "gpt_neox": SMALL,
    "gpt2": {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": VOCABULARY, "n_positions": 64},
    "mixtral": SMALL | {"num_local_experts": 4},
    "mamba": RECURRENT | {"state_size": 8},
    "mamba2": RECURRENT | {"state_size": 8, "num_heads": 8, "head_dim": 16, "n_groups": 1},
    "rwkv": RECURRENT | {"rescale_every": 3, "context_length": 64},
}
SHAPE = Shape(layers=2, hidden_size=64, heads=4, head_dim=16, intermediate_size=96, vocab_size=VOCABULARY)
OWN: dict[str, tuple[AttentionTechnique, MoE | None]] = {
    "NSA": (NSA(window=16, select_block=8, compress_block=8, compress_stride=4, select_count=3), None),
    "MoBA": (MoBA(), None),
    "MoE": (GQA(), MoE(experts=4)),
}
KINDS = [*CONFIGS, *OWN]
TOKENS_BT = torch.randint(0, VOCABULARY, (2, 32), generator=torch.Generator().manual_seed(7))


def built(kind: str, seed: int = 0) -> Any:
    """A model of ``kind``, in float32, for evaluation."""
    model: Any
    if kind in OWN:
        attention, feed_forward = OWN[kind]
        parts = Parts(attention=attention) if feed_forward is None else Parts(feed_forward=feed_forward)
        written = canonical_json(Transformer().resolve(SHAPE).assemble(SHAPE, parts))
        model = EffdslForCausalLM(EffdslConfig(architecture=written, max_position_embeddings=64))
    else:
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **CONFIGS[kind]))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * parameter.shape[-1] ** -0.5 if parameter.dim() > 1 else 1 + 0.2 * noise)
    return model.eval()


def closed_form(kind: str) -> LanguageModel:
    """``kind`` as closed forms know it."""
    model = language_model({"model_type": kind, **CONFIGS[kind]})
    assert model is not None
    return model


@torch.no_grad()
def logits(model: Any, tokens_bt: Tensor = TOKENS_BT) -> Tensor:
    found: Tensor = model(tokens_bt, use_cache=False).logits.float()
    return found


def rms_ratio(found: Tensor, wanted: Tensor) -> float:
    """Root mean square of what is off, over that of what is wanted."""
    off = (found.double() - wanted.double()).pow(2).mean()
    return float((off / wanted.double().pow(2).mean()).sqrt())


def linear(outputs: int, inputs: int, seed: int = 0, bias: bool = False) -> nn.Linear:
    """A linear layer of normal weights, some rows and columns of it far larger than others."""
    generator = torch.Generator().manual_seed(seed)
    made = nn.Linear(inputs, outputs, bias=bias)
    with torch.no_grad():
        rows = torch.logspace(-1, 1, outputs).unsqueeze(1)
        made.weight.copy_(rows * torch.randn(outputs, inputs, generator=generator))
        if made.bias is not None:
            made.bias.copy_(torch.randn(outputs, generator=generator))
    return made


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Every architecture."""
    name: str = request.param
    return name
