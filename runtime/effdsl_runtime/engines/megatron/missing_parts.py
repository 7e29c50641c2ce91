"""What Megatron-Core 0.16.1 wants of CUDA and of TransformerEngine, replaced where they are not there.

Nothing of this touches a machine with CUDA but what the missing TransformerEngine leaves undefined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from megatron.core.tensor_parallel import random as rng
from megatron.core.transformer import multi_latent_attention
from megatron.core.transformer.moe import moe_utils
from torch import Tensor
from torch.overrides import TorchFunctionMode

CPU = torch.device("cpu")


def replace_missing() -> None:
    """Make Megatron-Core of use on this machine; called once, before a model is built."""
    if not hasattr(moe_utils, "te_general_gemm"):  # a name that its import leaves undefined, and that is read
        moe_utils.te_general_gemm = None
    if not isinstance(multi_latent_attention.TELinear, type):  # a stand-in, of which nothing is an instance
        multi_latent_attention.TELinear = _NoLinear
    if not torch.cuda.is_available():
        _on_a_cpu()


class _NoLinear:
    """What stands for TransformerEngine's linear map where that is missing."""


def _on_a_cpu() -> None:
    cuda: Any = torch.cuda
    cuda.current_device = lambda: CPU
    cuda.synchronize = lambda device=None: None
    cuda.get_rng_state = lambda device="cuda": torch.get_rng_state()
    cuda.manual_seed = lambda seed: None
    Tensor.cuda = lambda tensor, *_, **__: tensor  # type: ignore[method-assign]
    rng._get_cuda_rng_state = lambda *_, **__: torch.get_rng_state()
    rng._set_cuda_rng_state = lambda state, *_, **__: torch.set_rng_state(state)
    mode: Any = _NoCuda()
    mode.__enter__()  # and is never left


class _NoCuda(TorchFunctionMode):
    """What is asked for on a CUDA device is made on the CPU."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if str(kwargs.get("device", "")).startswith("cuda"):
            kwargs["device"] = CPU
        kwargs.pop("pin_memory", None)
        return func(*args, **kwargs)
