"""The one place that picks an attention kernel.

``auto``, the default, is PyTorch's ``scaled_dot_product_attention`` (``sdpa``); on a GPU, where a bias or
chosen blocks come with a whole context, FlexAttention (``flex``). ``math`` is PyTorch's reference.
``fla`` computes NSA's selected blocks with the kernels of flash-linear-attention. None of the choices
for a GPU has been run on one yet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import (
    SDPBackend,
    activate_flash_attention_impl,
    list_flash_attention_impls,
    sdpa_kernel,
)

from effdsl_runtime.kernel_option import Kernel
from effdsl_runtime.model.chosen import ChosenBlocks
from effdsl_runtime.model.flex import flex_attend

HOPPER = (9, 0)

_kernel: Kernel = "auto"  # of the process; torch.compile cannot trace a ContextVar


def kernel_name() -> Kernel:
    """The kernel that is asked for."""
    return _kernel


@contextmanager
def use_kernel(kernel: Kernel) -> Iterator[None]:
    """Attend with ``kernel`` inside the block."""
    global _kernel
    before, _kernel = _kernel, kernel
    try:
        yield
    finally:
        _kernel = before


def kernel_on(device: torch.device, structured: bool = False) -> Kernel:
    """What attends on ``device``; ``structured`` where attention has a bias or chosen blocks."""
    asked = kernel_name()
    if asked not in ("auto", "fla"):
        return asked
    return "flex" if structured and device.type == "cuda" else "sdpa"


def use_fastest_flash(device: torch.device) -> None:
    """Have ``sdpa`` use FlashAttention 3 where the GPU is a Hopper, PyTorch knows it and it is installed."""
    if device.type != "cuda" or torch.cuda.get_device_capability(device) != HOPPER:
        return
    if "FA3" in list_flash_attention_impls() and find_spec("flash_attn_interface"):
        activate_flash_attention_impl("FA3")


def products_like(weight: Tensor) -> AbstractContextManager[object]:
    """Products in the dtype of ``weight`` where it has fewer than 32 bits: mixers compute some things in
    float32 and leave it to autocast to bring both sides of a product together. Else whatever is on."""
    narrow = weight.dtype in (torch.bfloat16, torch.float16)
    return torch.autocast(weight.device.type, weight.dtype) if narrow else nullcontext()


def without_autocast(device: torch.device) -> AbstractContextManager[object]:
    """Products in the dtype of what is multiplied, whatever autocast says."""
    has_autocast = torch.amp.is_autocast_available(device.type)
    return torch.autocast(device.type, enabled=False) if has_autocast else nullcontext()


def attend(
    q_bhte: Tensor,
    k_bgse: Tensor,
    v_bgsd: Tensor,
    mask: Tensor | None = None,
    scale: float | None = None,
    bias_hs: Tensor | None = None,
    chosen: ChosenBlocks | None = None,
) -> Tensor:
    """Softmax attention; ``h`` query heads share ``g`` heads of keys and values, ``h`` a multiple of ``g``.

    Args:
        q_bhte: queries, which are the last ``t`` of the ``s`` positions.
        k_bgse: keys.
        v_bgsd: values; ``d`` may differ from ``e``.
        mask: true where a query may look, broadcast to ``(b, h, t, s)``; default every earlier position
            and its own. At least one key per query.
        scale: of the scores; default ``e ** -0.5``.
        bias_hs: added to the scaled score of the key ``s`` positions before the query; not with a mask.
        chosen: blocks of keys that each query sees; instead of a mask or a bias.

    Returns:
        ``(b, h, t, d)``.
    """
    queries, keys = q_bhte.shape[2], k_bgse.shape[2]
    structured = queries == keys and (bias_hs is not None or chosen is not None)
    if mask is None and kernel_on(q_bhte.device, structured) == "flex":
        return flex_attend(q_bhte, k_bgse, v_bgsd, scale, bias_hs, chosen)
    if chosen is not None:
        mask = chosen.seen(keys)
    if bias_hs is not None:
        k_bgse, v_bgsd, mask = _biased(q_bhte, k_bgse, v_bgsd, bias_hs.float())
    is_causal = mask is None and queries == keys
    if mask is None and 1 < queries < keys:
        mask = q_bhte.new_ones(queries, keys, dtype=torch.bool).tril(keys - queries)
    if kernel_name() == "math":
        with sdpa_kernel(SDPBackend.MATH):
            return _scaled_dot_product(q_bhte, k_bgse, v_bgsd, mask, is_causal, scale)
    if q_bhte.device.type == "cpu" and q_bhte.dtype == torch.bfloat16:
        # The CPU's bfloat16 kernel is slower, and less exact, than its float32 one.
        with without_autocast(q_bhte.device):
            return _fused(q_bhte.float(), k_bgse.float(), v_bgsd.float(), mask, is_causal, scale)
    return _fused(q_bhte, k_bgse, v_bgsd, mask, is_causal, scale)


def _biased(q_bhte: Tensor, k_bgse: Tensor, v_bgsd: Tensor, bias_hs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Keys, values and the mask ``(1, h, t, s)`` that adds ``bias_hs``, minus infinity for later keys.

    With the keys in reverse each row of the mask is the one above moved by one, so that all of them are
    views of one row, and nothing as large as the scores is held.
    """
    if q_bhte.shape[2] == 1:
        return k_bgse, v_bgsd, bias_hs.flip(1)[None, :, None]
    later_hs = bias_hs.new_full((bias_hs.shape[0], q_bhte.shape[2] - 1), -math.inf)
    mask = torch.cat((later_hs, bias_hs), 1).unfold(1, k_bgse.shape[2], 1).unsqueeze(0)
    if mask.device.type == "cuda":  # whose kernels want aligned rows, in the dtype of the queries
        mask = mask.to(q_bhte.dtype).contiguous()
    return k_bgse.flip(2), v_bgsd.flip(2), mask


def _fused(
    q_bhte: Tensor, k_bgse: Tensor, v_bgsd: Tensor, mask: Tensor | None, is_causal: bool, scale: float | None
) -> Tensor:
    """PyTorch's choice of kernel, which for values narrower than keys would be the slow one: zeros
    widen them, and add nothing."""
    value_dim, missing = v_bgsd.shape[3], q_bhte.shape[3] - v_bgsd.shape[3]
    if missing > 0:
        v_bgsd = F.pad(v_bgsd, (0, missing))
    return _scaled_dot_product(q_bhte, k_bgse, v_bgsd, mask, is_causal, scale)[..., :value_dim]


def _scaled_dot_product(
    q_bhte: Tensor, k_bgse: Tensor, v_bgsd: Tensor, mask: Tensor | None, is_causal: bool, scale: float | None
) -> Tensor:
    grouped = q_bhte.shape[1] != k_bgse.shape[1]
    return F.scaled_dot_product_attention(
        q_bhte, k_bgse, v_bgsd, mask, is_causal=is_causal, scale=scale, enable_gqa=grouped
    )
