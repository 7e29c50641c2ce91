"""Blocks of keys that each query chose, as the sparse attentions hand them to a kernel."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class ChosenBlocks(NamedTuple):
    """Each query sees the tokens of its blocks, up to itself.

    Attributes:
        chosen_bhtj: whether a query takes the block ``j``; its own among them, so that it sees a key.
            Batch and heads may be 1, where all share.
        block: tokens of a block.
    """

    chosen_bhtj: Tensor
    block: int

    def seen(self, keys: int) -> Tensor:
        """``(b, h, t, s)``, bool, for queries that are the last ``t`` of ``keys`` positions."""
        token_s = torch.arange(keys, device=self.chosen_bhtj.device)
        query_t1 = token_s[keys - self.chosen_bhtj.shape[2] :].unsqueeze(1)
        return self.chosen_bhtj[..., token_s // self.block] & (token_s <= query_t1)
