"""Megatron-Core's multi-head latent attention, with gradients that tensor parallelism leaves whole."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state as groups
from megatron.core.transformer.multi_latent_attention import MLASelfAttention
from torch import Tensor, nn

from effdsl_runtime.engines.megatron.stage_norm import StageNorm
from effdsl_runtime.model.mixers.latent import LATENT_NORM_EPS


class LatentNorm(StageNorm):
    """The norm of a latent, with DeepSeek's epsilon whatever the model's own."""

    def __init__(self, config: Any, hidden_size: int, **_: Any) -> None:
        super().__init__(config, hidden_size, LATENT_NORM_EPS)


class SharedDown(nn.Module):
    """The map to the latent and to the key that all heads share, whole on each device.

    Megatron-Core's own divides it, and then gives the key's rows the gradient of one device's heads alone.
    """

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.latent, self._shares_tokens = config.kv_lora_rank, config.sequence_parallel
        width = config.kv_lora_rank + config.qk_pos_emb_head_dim
        self.weight = nn.Parameter(torch.empty(width, config.hidden_size))
        self.weight.sequence_parallel = config.sequence_parallel  # type: ignore[attr-defined]

    def forward(self, x_tbd: Tensor) -> tuple[Tensor, None]:
        out_tbr = nn.functional.linear(x_tbd, self.weight)
        if self._shares_tokens:  # then gathering the key adds up its gradient
            return out_tbr, None
        latent_tbc, key_tbr = out_tbr[..., : self.latent], out_tbr[..., self.latent :]
        summed_tbr: Tensor = _SummedGradient.apply(key_tbr)  # type: ignore[no-untyped-call]
        return torch.cat((latent_tbc, summed_tbr), -1), None


class _SummedGradient(torch.autograd.Function):
    """The same, with the gradient of all devices of tensor parallelism. Megatron-Core's own leaves one as it
    is whose elements do not lie side by side, as those of a part of a row."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> Tensor:
        whole = slope.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(whole, group=groups.get_tensor_model_parallel_group())
        return whole


class StageLatentAttention(MLASelfAttention):  # type: ignore[misc]
    """Megatron-Core's, with :class:`SharedDown`."""

    def __init__(self, config: Any, *args: Any, **more: Any) -> None:
        super().__init__(config, *args, **more)
        self.linear_kv_down_proj = SharedDown(config)
