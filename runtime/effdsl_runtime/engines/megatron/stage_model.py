"""This process's stage of a model, as Megatron-Core builds it from a declared architecture."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch
import torch.nn.functional as F
from megatron.core import parallel_state as groups
from megatron.core.models.gpt import GPTModel
from megatron.core.transformer import MLATransformerConfig, TransformerConfig
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules
from torch import Tensor, nn

from effdsl.engines.megatron import Megatron
from effdsl.stages.lowering import Stock, lowering_of
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention.gqa import GQA
from effdsl.techniques.attention.mla import MLA
from effdsl.techniques.feed_forward import MoE
from effdsl.techniques.position import RoPE
from effdsl.techniques.technique import AttentionTechnique, FeedForwardTechnique, PositionTechnique
from effdsl_runtime.engines.megatron.stage_layers import final_norm_spec, layer_spec
from effdsl_runtime.engines.megatron.stage_norm import sum_gradients
from effdsl_runtime.model.decoder import DecoderLM, Stem

RECOMPUTED: dict[str | None, dict[str, Any]] = {
    "none": {},
    "selective": {"recompute_granularity": "selective", "recompute_modules": ["core_attn"]},
    "full": {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1},
}


def layers_here(architecture: Architecture, engine: Megatron) -> range:
    """The numbers, from 0, of the layers of this process's stage."""
    each = architecture.shape.layers // (engine.pipeline_parallel or 1)
    first = groups.get_pipeline_model_parallel_rank() * each
    return range(first, first + each)


def stage_model(
    architecture: Architecture, whole: DecoderLM, engine: Megatron, device: torch.device
) -> GPTModel:
    """The stage, on the CPU, float32. Its stock modules have undefined weights; the others are those of
    ``whole``."""
    config = transformer_config(architecture, engine, device)
    last = groups.is_pipeline_last_stage()
    specs = [layer_spec(architecture, whole.blocks[i]) for i in layers_here(architecture, engine)]
    first = groups.is_pipeline_first_stage()
    model = GPTModel(
        config=config,
        transformer_layer_spec=TransformerBlockSubmodules(specs, final_norm_spec(whole)),
        vocab_size=architecture.shape.vocab_size,
        max_sequence_length=whole.context_length,
        pre_process=first,
        post_process=last,
        share_embeddings_and_output_weights=whole.output is None,
        **_rotation(architecture),
    )
    if first and type(whole.stem) is not Stem:
        _put_behind_embedding(model, whole.stem, config)
    return model


def transformer_config(architecture: Architecture, engine: Megatron, device: torch.device) -> Any:
    """What Megatron-Core is told of ``architecture`` and its layout."""
    shape = architecture.shape
    kind, settings = TransformerConfig, dict[str, Any]()
    if isinstance(architecture, Decoder) and isinstance(lowering_of(architecture), Stock):
        kind, of_attention = _attention(architecture.attention, architecture.position)
        settings = of_attention | _feed_forward(architecture.feed_forward, architecture)
    return kind(
        num_layers=shape.layers,
        hidden_size=shape.hidden_size,
        num_attention_heads=shape.heads,
        kv_channels=shape.head_dim,
        ffn_hidden_size=shape.intermediate_size,
        normalization="RMSNorm",
        layernorm_epsilon=shape.norm_eps,
        gated_linear_unit=True,
        activation_func=F.silu,
        add_bias_linear=False,
        attention_dropout=0.0,
        hidden_dropout=0.0,
        params_dtype=torch.float32,
        pipeline_dtype=torch.float32,
        use_cpu_initialization=True,
        perform_initialization=False,
        gradient_accumulation_fusion=False,
        tensor_model_parallel_size=engine.tensor_parallel,
        pipeline_model_parallel_size=engine.pipeline_parallel,
        expert_model_parallel_size=engine.expert_parallel,
        context_parallel_size=engine.context_parallel,
        sequence_parallel=engine.sequence_parallel,
        # The other one, of fewer bytes, wants CUDA's streams.
        moe_token_dispatcher_type="alltoall" if device.type == "cuda" else "allgather",
        **RECOMPUTED[engine.recompute],
        **settings,
    )


@singledispatch
def _attention(technique: AttentionTechnique, position: PositionTechnique) -> tuple[type, dict[str, Any]]:
    """What Megatron-Core is told of an attention of its own, and in which of its classes."""
    raise NotImplementedError


@_attention.register
def _(technique: GQA, position: PositionTechnique) -> tuple[type, dict[str, Any]]:
    return TransformerConfig, {"num_query_groups": technique.kv_heads, "add_qkv_bias": True}


@_attention.register
def _(technique: MLA, position: PositionTechnique) -> tuple[type, dict[str, Any]]:
    kv_rank, rope_dim, nope_dim, v_dim = technique.sizes()
    assert isinstance(position, RoPE)  # noqa: S101  or a layer of ours would compute it
    return MLATransformerConfig, {
        "q_lora_rank": technique.q_rank,
        "kv_lora_rank": kv_rank,
        "qk_head_dim": nope_dim,
        "qk_pos_emb_head_dim": rope_dim,
        "v_head_dim": v_dim,
        "rope_type": "rope",
        "rotary_base": position.theta,
    }


@singledispatch
def _feed_forward(technique: FeedForwardTechnique, architecture: Decoder) -> dict[str, Any]:
    """What it is told of a feed-forward layer of its own, beside the shape."""
    return {}


@_feed_forward.register
def _(technique: MoE, architecture: Decoder) -> dict[str, Any]:
    """Its balance divides by the choices of a token and adds up layers; ours does neither."""
    return {
        "num_moe_experts": technique.experts,
        "moe_ffn_hidden_size": technique.width(),
        "moe_router_topk": technique.top_k,
        "moe_router_load_balancing_type": "aux_loss",
        "moe_aux_loss_coeff": technique.balance * technique.top_k / architecture.shape.layers,
    }


def _rotation(architecture: Architecture) -> dict[str, Any]:
    """How Megatron-Core turns queries and keys; positions of any other kind come with modules of ours."""
    stock = isinstance(lowering_of(architecture), Stock)
    if not stock or not isinstance(architecture, Decoder) or not isinstance(architecture.position, RoPE):
        return {"position_embedding_type": "none"}
    size, position = architecture.shape.head_dim, architecture.position
    turned = 2 * round(position.fraction * size / 2)
    percent = (turned + 0.5) / size  # of which it takes the whole part
    return {
        "position_embedding_type": "rope",
        "rotary_base": position.theta,
        "rotary_percent": min(percent, 1),
    }


def _put_behind_embedding(model: GPTModel, stem: Stem, config: Any) -> None:
    """Have ``stem`` work on what the embedding gives: ``(t, b, d)``, of this device's tokens."""
    model.stem = sum_gradients(stem, config)

    def behind(embedding: nn.Module, given: Any, out_tbd: Tensor) -> Tensor:
        start = groups.get_tensor_model_parallel_rank() * len(out_tbd) if config.sequence_parallel else 0
        x_btd: Tensor = stem(out_tbd.transpose(0, 1), start)
        return x_btd.transpose(0, 1).contiguous()

    model.embedding.register_forward_hook(behind)
