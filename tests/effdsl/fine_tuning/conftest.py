"""The oracle's side: small models of transformers, with peft's adapters for our methods in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import peft
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM

from effdsl.language_model import LanguageModel, language_model
from effdsl.techniques.fine_tuning.composed import GLoRA, LoHa, LoKr
from effdsl.techniques.fine_tuning.low_rank import DoRA, LoRA, LoRAPlus, LowRank, PiSSA, RSLoRA
from effdsl.techniques.fine_tuning.method import Method
from effdsl.techniques.fine_tuning.scaled import IA3, OFT, AdaLoRA, VeRA
from effdsl.techniques.fine_tuning.targets import ALL_LINEAR
from effdsl.techniques.fine_tuning.whole_layers import Freeze, Full

Config = dict[str, Any]

SMALL: Config = {
    "num_hidden_layers": 3,
    "hidden_size": 32,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 72,
    "vocab_size": 67,
    "max_position_embeddings": 64,
}
LATENT: Config = {
    "num_key_value_heads": 4,
    "first_k_dense_replace": 3,
    "kv_lora_rank": 16,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 6,
    "num_nextn_predict_layers": 0,
}
CONFIGS: dict[str, Config] = {
    "llama": SMALL | {"model_type": "llama", "head_dim": 12},
    "llama-biased": SMALL | {"model_type": "llama", "attention_bias": True, "mlp_bias": True},
    "mistral": SMALL | {"model_type": "mistral", "head_dim": 6},
    "qwen2": SMALL | {"model_type": "qwen2", "tie_word_embeddings": True},
    "phi3": SMALL | {"model_type": "phi3", "pad_token_id": 0, "eos_token_id": 1},
    "deepseek_v3": SMALL | LATENT | {"model_type": "deepseek_v3", "q_lora_rank": 20},
    "deepseek_v3-no-q-rank": SMALL | LATENT | {"model_type": "deepseek_v3", "q_lora_rank": None},
    "gpt_neox": SMALL | {"model_type": "gpt_neox"},
    "gpt_neox-sequential": SMALL | {"model_type": "gpt_neox", "use_parallel_residual": False},
}
METHODS: tuple[Method, ...] = (
    LoRA(),
    LoRA(rank=3, dropout=0.1),
    LoRAPlus(),
    RSLoRA(),
    DoRA(),
    DoRA(rank=2, dropout=0.1),
    PiSSA(rank=4),
    IA3(targets=ALL_LINEAR),
    Freeze(),
    Freeze(frozen_layers=2),
    Full(),
    LoHa(rank=3),
    LoKr(),
    LoKr(rank=2),
    GLoRA(rank=3),
    IA3(),
    VeRA(),
    OFT(block_size=2),
    AdaLoRA(),
)


def modelled(config: Config) -> LanguageModel:
    model = language_model(config)
    assert model is not None
    return model


def build(config: Config) -> nn.Module:
    """The model that transformers makes of ``config``, in float32 and with eager attention."""
    kept = {key: value for key, value in config.items() if key != "model_type"}
    built: nn.Module = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(config["model_type"], use_cache=False, **kept),
        attn_implementation="eager",
        dtype=torch.float32,
    )
    return built


def on_meta(config: Config) -> nn.Module:
    """The model without its weights."""
    with torch.device("meta"):
        return build(config)


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def trainable(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def apply(method: Method, config: Config, module: nn.Module) -> nn.Module:
    """``module`` as the resolved ``method`` trains it; the trained module has what peft adds."""
    return APPLY[type(method)](method, modelled(config), module)


def _peft(make: Callable[[Any, LanguageModel], peft.PeftConfig]) -> Callable[..., nn.Module]:
    def adapted(method: Any, model: LanguageModel, module: nn.Module) -> nn.Module:
        wrapped: nn.Module = peft.get_peft_model(module, make(method, model))
        return wrapped

    return adapted


def _lora(**kind: Any) -> Callable[..., nn.Module]:
    def config(method: LowRank, model: LanguageModel) -> peft.PeftConfig:
        sizes = {"r": method.rank, "lora_alpha": method.alpha, "lora_dropout": method.dropout}
        return peft.LoraConfig(**sizes, **_linears(method), **kind)

    return _peft(config)


def _pissa(method: PiSSA, model: LanguageModel, module: nn.Module) -> nn.Module:
    exact = method.iterations is None
    start = "pissa" if exact else f"pissa_niter_{method.iterations}"
    if next(module.parameters()).is_meta:  # nothing to take singular values of
        return _lora()(method, model, module)
    return _lora(init_lora_weights=start)(method, model, module)


def _freeze(method: Freeze, model: LanguageModel, module: nn.Module) -> nn.Module:
    module.requires_grad_(False)
    for layer in module.base_model.layers[-method.trained() :]:
        layer.requires_grad_(True)
    return module


def _full(method: Full, model: LanguageModel, module: nn.Module) -> nn.Module:
    return module


def _linears(method: Any) -> dict[str, Any]:
    return {"target_modules": list(method.names()), "task_type": "CAUSAL_LM"}


def _loha(method: LoHa, model: LanguageModel) -> peft.PeftConfig:
    return peft.LoHaConfig(r=method.rank, alpha=method.alpha, **_linears(method))


def _lokr(method: LoKr, model: LanguageModel) -> peft.PeftConfig:
    return peft.LoKrConfig(r=method.rank, alpha=method.alpha, **_linears(method))


def _glora(method: GLoRA, model: LanguageModel) -> peft.PeftConfig:
    return peft.GloraConfig(r=method.rank, **_linears(method))


def _ia3(method: IA3, model: LanguageModel) -> peft.PeftConfig:
    return peft.IA3Config(feedforward_modules=list(method.feed_forward(model)), **_linears(method))


def _vera(method: VeRA, model: LanguageModel) -> peft.PeftConfig:
    return peft.VeraConfig(r=method.rank, **_linears(method))


def _oft(method: OFT, model: LanguageModel) -> peft.PeftConfig:
    return peft.OFTConfig(r=0, oft_block_size=method.block_size, **_linears(method))


def _adalora(method: AdaLoRA, model: LanguageModel) -> peft.PeftConfig:
    return peft.AdaLoraConfig(
        target_r=method.rank,
        init_r=method.initial_rank,
        lora_alpha=method.alpha,
        lora_dropout=method.dropout,
        total_step=10,
        **_linears(method),
    )


APPLY: dict[type[Method], Callable[..., nn.Module]] = {
    LoRA: _lora(),
    LoRAPlus: _lora(),
    RSLoRA: _lora(use_rslora=True),
    DoRA: _lora(use_dora=True),
    PiSSA: _pissa,
    Freeze: _freeze,
    Full: _full,
    LoHa: _peft(_loha),
    LoKr: _peft(_lokr),
    GLoRA: _peft(_glora),
    IA3: _peft(_ia3),
    VeRA: _peft(_vera),
    OFT: _peft(_oft),
    AdaLoRA: _peft(_adalora),
}
