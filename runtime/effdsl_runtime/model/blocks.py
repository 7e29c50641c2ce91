"""What a query of NSA may see: complete compressed blocks, the selected blocks, its nearest tokens."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from effdsl.techniques.attention.nsa import Blocks
from effdsl_runtime.model.kernel import attend


def visible_compressed(blocks: Blocks, start: int, stop: int, count: int, device: torch.device) -> Tensor:
    """Which of ``count`` compressed blocks the queries at ``start..stop`` see: those whose last token is
    at or before them. ``(t, n)``, bool."""
    last_n = torch.arange(count, device=device) * blocks.compress_stride + blocks.compress_block - 1
    return last_n <= torch.arange(start, stop, device=device).unsqueeze(1)


def block_scores(chance_bgtn: Tensor, blocks: Blocks, context: int) -> Tensor:
    """The score of each block that can be selected, from the attention on compressed blocks.

    Eq. 9 with ``+ m - n``: block ``j`` sums ``chance[l'/d * j + m - n]`` over ``m < l'/d`` and
    ``n < l/d``, i.e. it gathers every compressed block by how much of it lies inside.

    Args:
        chance_bgtn: attention on the ``n`` compressed blocks, summed over the heads of a group (eq. 10).
        blocks: sizes.
        context: tokens, of which the last may be in an incomplete block.

    Returns:
        ``(b, g, t, j)`` for ``j = ceil(context / l')`` blocks.
    """
    overlap = blocks.compress_block // blocks.compress_stride
    within = blocks.select_block // blocks.compress_stride
    wanted = -(-context // blocks.select_block) * within
    padded_bgtm = F.pad(chance_bgtn, (overlap - 1, wanted - chance_bgtn.shape[3]))
    return padded_bgtm.unfold(3, overlap, 1).sum(4).unfold(3, within, within).sum(4)


def selected_blocks(scores_bgtj: Tensor, blocks: Blocks, start: int, stop: int) -> Tensor:
    """Which blocks the queries at ``start..stop`` select: ``(b, g, t, j)``, bool.

    The first block, the query's own and the one before it, then those of the highest score.
    """
    device = scores_bgtj.device
    query_t1 = torch.arange(start, stop, device=device).unsqueeze(1)
    own_t1 = query_t1 // blocks.select_block
    block_j = torch.arange(scores_bgtj.shape[3], device=device)
    begun_tj = block_j <= own_t1
    always_tj = ((block_j == 0) | (block_j >= own_t1 - 1)) & begun_tj
    ranked_bgtj = scores_bgtj.masked_fill(always_tj, torch.inf).masked_fill(~begun_tj, -torch.inf)
    best_bgtn = ranked_bgtj.topk(min(blocks.select_count, scores_bgtj.shape[3]), dim=3).indices
    return torch.zeros_like(ranked_bgtj, dtype=torch.bool).scatter_(3, best_bgtn, True) & begun_tj


def near_attention(q_bhte: Tensor, k_bgse: Tensor, v_bgse: Tensor, window: int) -> Tensor:
    """Attention to the nearest ``window`` tokens, the query's own included; queries are the last ``t``."""
    queries, keys = q_bhte.shape[2], k_bgse.shape[2]
    ones_ts = q_bhte.new_ones(queries, keys, dtype=torch.bool)
    near_ts = ones_ts.tril(keys - queries) & ones_ts.triu(keys - queries - window + 1)
    return attend(q_bhte, k_bgse, v_bgse, near_ts)


def windowed_attention(q_bhte: Tensor, k_bgte: Tensor, v_bgte: Tensor, window: int) -> Tensor:
    """The same over a whole context, computed in chunks: each of ``window`` queries meets its own
    ``window`` tokens and those before, instead of the whole context."""
    batch, _, tokens, _ = q_bhte.shape
    if tokens <= window:
        return attend(q_bhte, k_bgte, v_bgte)
    chunks = -(-tokens // window)
    end = chunks * window - tokens
    padded_bhte = F.pad(q_bhte, (0, 0, 0, end))
    q_xhwe = torch.unflatten(padded_bhte, 2, (chunks, window)).transpose(1, 2).flatten(0, 1)
    k_xgve, v_xgve = (
        F.pad(x, (0, 0, window, end)).unfold(2, 2 * window, window).mT.transpose(1, 2).flatten(0, 1)
        for x in (k_bgte, v_bgte)
    )
    mask_c1wv = _chunk_mask(chunks, window, q_bhte.device)
    out_xhwe = attend(q_xhwe, k_xgve, v_xgve, mask_c1wv.repeat(batch, 1, 1, 1))
    out_bhcwe = torch.unflatten(out_xhwe, 0, (batch, chunks)).transpose(1, 2)
    return out_bhcwe.flatten(2, 3)[:, :, :tokens]


def _chunk_mask(chunks: int, window: int, device: torch.device) -> Tensor:
    """``(chunk, 1, window, 2 * window)``: near and earlier, and nothing before the first token."""
    ones_wv = torch.ones(window, 2 * window, dtype=torch.bool, device=device)
    near_wv = ones_wv.tril(window) & ones_wv.triu(1)
    mask_c1wv = near_wv.repeat(chunks, 1, 1, 1)
    mask_c1wv[0, :, :, :window] = False
    return mask_c1wv
