"""Attention by PyTorch's FlexAttention: causal, with a bias by distance or with chosen blocks.

On a GPU it is compiled, and skips the tiles of keys that no query of a tile sees. What has been run is
its forward on a CPU, which the tests hold equal to the math kernel; neither the compiled kernels nor
the backward, which PyTorch has for GPUs only, have been run on a GPU yet.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from effdsl_runtime.model.chosen import ChosenBlocks


def flex_attend(
    q_bhte: Tensor,
    k_bgse: Tensor,
    v_bgsd: Tensor,
    scale: float | None,
    bias_hs: Tensor | None,
    chosen: ChosenBlocks | None,
) -> Tensor:
    """As :func:`effdsl_runtime.model.kernel.attend`; without ``chosen`` every earlier key is seen."""
    queries, keys, device = q_bhte.shape[2], k_bgse.shape[2], q_bhte.device
    mask = _causal(queries, keys, device) if chosen is None else _of_blocks(chosen, q_bhte.shape[1], keys)
    grouped = q_bhte.shape[1] != k_bgse.shape[1]
    add = None if bias_hs is None else _adding(bias_hs, keys - queries)
    run: Callable[..., Any] = flex_attention
    out: Tensor = (_compiled(run) if device.type == "cuda" else run)(
        q_bhte, k_bgse, v_bgsd, score_mod=add, block_mask=mask, scale=scale, enable_gqa=grouped
    )
    return out


def _adding(bias_hs: Tensor, before: int) -> Callable[..., Tensor]:
    """Adds the bias of a key's distance; ``before`` positions precede the first query."""

    def add(score: Tensor, b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return score + bias_hs[h, (t + before - s).clamp(min=0)]  # later keys are masked

    return add


@lru_cache(maxsize=8)
def _causal(queries: int, keys: int, device: torch.device) -> BlockMask:
    def seen(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return s <= t + (keys - queries)

    return create_block_mask(seen, None, None, queries, keys, device=str(device))


@torch.compiler.disable  # type: ignore[untyped-decorator]
def _of_blocks(chosen: ChosenBlocks, heads: int, keys: int) -> BlockMask:
    """Made anew for every choice, and on a GPU by a compiled function, so that nothing as large as the
    scores is held."""
    chosen_bhtj = chosen.chosen_bhtj
    batch, choosers, queries, _ = chosen_bhtj.shape

    def seen(b: Tensor, h: Tensor, t: Tensor, s: Tensor) -> Tensor:
        return chosen_bhtj[b % batch, h % choosers, t, s // chosen.block] & (s <= t + (keys - queries))

    device = chosen_bhtj.device
    make = _compiled(create_block_mask) if device.type == "cuda" else create_block_mask
    mask: BlockMask = make(seen, batch, heads, queries, keys, device=str(device))
    return mask


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=False)
