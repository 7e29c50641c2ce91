"""Blocks of tokens, of which a query selects a few: what the sparse attentions share."""

from __future__ import annotations

from effdsl.shapes import CLOSE_ENOUGH, SMALL

SMALL_BELOW = (1 - CLOSE_ENOUGH) * SMALL
"""Parameters: a shape for a scale of ``SMALL``, which is not small, may have that few."""


def selected_keys(context_length: int, block: int, count: int) -> int:
    """Keys that all queries of a context see together in ``count`` blocks of ``block`` tokens each: their
    own block up to themselves, the others whole and before it, fewer where there are fewer."""
    full, rest = divmod(context_length, block)
    others = min(full, count - 1)
    earlier = others * (others - 1) // 2 + (full - others) * (count - 1)  # whole blocks before each block
    own = full * block * (block + 1) // 2 + rest * (rest + 1) // 2
    return own + block * block * earlier + rest * block * others
