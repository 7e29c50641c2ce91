"""The modules that stand in Megatron-Core's layers: its own, with our norm and attention; or our whole block.

Its layers take and give ``(t, b, d)``, ours ``(b, t, d)``.
"""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import torch
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec
from megatron.core.transformer.moe.moe_utils import MoEAuxLossAutoScaler
from megatron.core.transformer.spec_utils import ModuleSpec
from torch import Tensor, nn

from effdsl.stages.lowering import Lowering, OwnLayer, Stock, lowering_of
from effdsl.techniques.architecture import Architecture, Decoder
from effdsl.techniques.attention.mla import MLA
from effdsl_runtime.engines.megatron.stage_latent import LatentNorm, StageLatentAttention
from effdsl_runtime.engines.megatron.stage_norm import StageNorm, sum_gradients
from effdsl_runtime.model.decoder import DecoderLM
from effdsl_runtime.model.feed_forward import Routings
from effdsl_runtime.model.kernel import attend
from effdsl_runtime.model.routing import balance_penalty


class CausalAttention(nn.Module):
    """Softmax attention by our kernels, of the heads that are on this device."""

    def __init__(self, config: Any, *_: Any, softmax_scale: float | None = None, **__: Any) -> None:
        super().__init__()
        self.scale = softmax_scale

    def forward(self, query_tbhe: Tensor, key_tbge: Tensor, value_tbge: Tensor, *_: Any, **__: Any) -> Tensor:
        q_bhte, k_bgte, v_bgte = (x.permute(1, 2, 0, 3) for x in (query_tbhe, key_tbge, value_tbge))
        return attend(q_bhte, k_bgte, v_bgte, scale=self.scale).permute(2, 0, 1, 3).flatten(2)


class OurLayer(nn.Module):
    """A block of ours as a layer. What it adds to the loss for uneven routing enters its backward pass, as
    that of Megatron-Core's experts does, for the loss itself is computed on another device."""

    def __init__(self, config: Any, block: nn.Module, layer_number: int = 1, **_: Any) -> None:
        super().__init__()
        self.block, self._layers, self.layer_number = block, config.num_layers, layer_number

    def forward(self, hidden_states: Tensor, *_: Any, **__: Any) -> tuple[Tensor, None]:
        routings = Routings()
        out_tbd = self.block(hidden_states.transpose(0, 1), None, routings).transpose(0, 1).contiguous()
        if routings and torch.is_grad_enabled():
            out_tbd = MoEAuxLossAutoScaler.apply(out_tbd, balance_penalty(routings) / self._layers)
        return out_tbd, None


class OurNorm(nn.Module):
    """The norm of ours after the last block."""

    def __new__(cls, config: Any, norm: nn.Module, **_: Any) -> Any:
        return sum_gradients(norm, config)


def layer_spec(architecture: Architecture, block: nn.Module) -> ModuleSpec:
    """What builds one layer, whose weights are those of ``block``."""
    return _spec(lowering_of(architecture), architecture, block)


@singledispatch
def _spec(lowered: Lowering, architecture: Architecture, block: nn.Module) -> ModuleSpec:
    raise NotImplementedError(f"Megatron-Core computes {type(architecture).__name__} {lowered.modules}")


@_spec.register
def _(lowered: OwnLayer, architecture: Architecture, block: nn.Module) -> ModuleSpec:
    return ModuleSpec(module=OurLayer, params={"block": block})


@_spec.register
def _(lowered: Stock, architecture: Architecture, block: nn.Module) -> ModuleSpec:
    latent = isinstance(architecture, Decoder) and isinstance(architecture.attention, MLA)
    spec = get_gpt_layer_local_spec(
        num_experts=architecture.experts, normalization="RMSNorm", multi_latent_attention=latent
    )
    layer = spec.submodules
    layer.input_layernorm = layer.pre_mlp_layernorm = StageNorm
    attention = layer.self_attention
    attention.submodules.core_attention = CausalAttention
    if latent:
        attention.module = StageLatentAttention
        attention.submodules.q_layernorm = attention.submodules.kv_layernorm = LatentNorm
    return spec


def final_norm_spec(model: DecoderLM) -> ModuleSpec:
    """What gives the norm after the last block."""
    return ModuleSpec(module=OurNorm, params={"norm": model.norm})
