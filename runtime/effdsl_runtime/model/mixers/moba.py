"""Mixture of block attention (arXiv 2502.13189): each query selects the blocks that it attends to.

Written with dense masks, so it is right but not fast at long contexts: its results are marked
``reference``. What the paper leaves open is pinned in ``effdsl.techniques.attention.moba``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from effdsl.shapes import Shape
from effdsl.techniques.attention.moba import MoBA
from effdsl_runtime.kernel_option import check_kernel
from effdsl_runtime.model.chosen import ChosenBlocks
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.kernel import attend, kernel_name, without_autocast
from effdsl_runtime.model.mixer import Cache, Mixer, mixer
from effdsl_runtime.model.mixers.grouped_query import GroupedQueryAttention


class MixtureOfBlockAttention(GroupedQueryAttention):
    """Grouped-query attention, each query of each head to a few blocks of keys.

    The cache holds a key and a value per token and the mean key of every complete block.
    """

    def __init__(self, technique: MoBA, shape: Shape, position: Encoding) -> None:
        super().__init__(technique, shape, position)
        self.technique, self.block = technique, technique.block_size()

    @property
    def kernel(self) -> str:
        check_kernel(kernel_name(), self.out.weight.device.type, "MoBA")
        return "reference"

    def mix(self, q_bhte: Tensor, k_bgse: Tensor, v_bgse: Tensor, cache: Cache | None) -> Tensor:
        means_bgne = self._means(k_bgse, cache)
        if not self.technique.leaves_out(k_bgse.shape[2]):
            return attend(q_bhte, k_bgse, v_bgse)
        chosen_bhtj = chosen_blocks(q_bhte, means_bgne, self.block, self.technique.top_k, k_bgse.shape[2])
        return attend(q_bhte, k_bgse, v_bgse, chosen=ChosenBlocks(chosen_bhtj, self.block))

    def _means(self, k_bgse: Tensor, cache: Cache | None) -> Tensor:
        """The mean key of every complete block; with a cache only the new ones are computed."""
        known = cache.tokens("k_mean") if cache else 0
        complete = k_bgse.shape[2] // self.block
        fresh_bgse = k_bgse.detach()[:, :, known * self.block : complete * self.block]
        fresh_bgnse = torch.unflatten(fresh_bgse, 2, (complete - known, self.block))
        fresh_bgne = fresh_bgnse.mean(3, dtype=torch.float32).to(k_bgse.dtype)
        return fresh_bgne if cache is None else cache.extend("k_mean", fresh_bgne)


@mixer.register
def _(technique: MoBA, shape: Shape, position: Encoding) -> Mixer:
    return MixtureOfBlockAttention(technique, shape, position)


@torch.no_grad()
def chosen_blocks(q_bhte: Tensor, means_bgne: Tensor, block: int, top_k: int, keys: int) -> Tensor:
    """The blocks each query attends to: its own, and the ``top_k - 1`` earlier ones whose mean key gives
    the largest product with it (algorithm 1).

    Args:
        q_bhte: queries, which are the last ``t`` of the ``keys`` positions.
        means_bgne: mean key of each complete block.
        block: tokens of a block.
        top_k: blocks to choose; at most as many as there are.
        keys: positions there are.

    Returns:
        ``(b, h, t, j)``, bool, for ``j = ceil(keys / block)`` blocks.
    """
    blocks = -(-keys // block)
    with without_autocast(q_bhte.device):
        q_bgrte = torch.unflatten(q_bhte.float(), 1, (means_bgne.shape[1], -1))
        gate_bhtn = (q_bgrte @ means_bgne.float().unsqueeze(2).mT).flatten(1, 2)
    gate_bhtj = F.pad(gate_bhtn, (0, blocks - means_bgne.shape[2]))
    own_t1 = torch.arange(keys - q_bhte.shape[2], keys, device=q_bhte.device).unsqueeze(1) // block
    block_j = torch.arange(blocks, device=q_bhte.device)
    own_tj, later_tj = block_j == own_t1, block_j > own_t1
    ranked_bhtj = gate_bhtj.masked_fill(own_tj, torch.inf).masked_fill(later_tj, -torch.inf)
    best_bhtk = ranked_bhtj.topk(top_k, dim=3).indices
    return torch.zeros_like(ranked_bhtj, dtype=torch.bool).scatter_(3, best_bhtk, True) & ~later_tj
