"""Attention to selected blocks by the Triton kernels of flash-linear-attention, which is optional.

https://github.com/fla-org/flash-linear-attention, ``fla/ops/nsa/parallel.py``. It needs a GPU and has
not been run on one yet: the tests hold what is handed over against a stand-in with its interface.
"""

from __future__ import annotations

from importlib.util import find_spec

from torch import Tensor

from effdsl.installing import how_to_install
from effdsl.techniques.technique import Unsupported

SMALLEST_GROUP = 16


def check_fla(group: int) -> None:
    """Refuse what these kernels cannot do on a GPU; ``group`` query heads share one key.

    Raises:
        Unsupported: with what to do instead.
    """
    if find_spec("fla") is None:
        raise Unsupported("the kernel fla needs the module fla", how_to_install("fla"))
    if group < SMALLEST_GROUP or group & (group - 1):
        raise Unsupported(
            f"the kernel fla needs a power of two of heads per key, {SMALLEST_GROUP} or more, not {group}",
            "fewer kv_heads, or leave out --kernel",
        )


def attend_selected(
    q_bhte: Tensor, k_bgte: Tensor, v_bgte: Tensor, chosen_bgtj: Tensor, count: int, block: int
) -> Tensor:
    """Attention of a whole context to the blocks that ``chosen_bgtj`` marks, at most ``count`` for a
    query, of ``block`` tokens each, up to the query itself. ``(b, h, t, e)``."""
    from fla.ops.nsa.parallel import parallel_nsa

    marked_bgtn, best_bgtn = chosen_bgtj.int().topk(min(count, chosen_bgtj.shape[3]), dim=3)
    indices_bgtn = best_bgtn.masked_fill(marked_bgtn == 0, -1)  # which its kernels skip
    q_bthe, k_btge, v_btge, indices_btgn = (x.transpose(1, 2) for x in (q_bhte, k_bgte, v_bgte, indices_bgtn))
    out_bthe: Tensor = parallel_nsa(
        q_bthe,
        k_btge,
        v_btge,
        block_indices=indices_btgn,
        block_counts=indices_btgn.shape[3],
        block_size=block,
    )
    return out_bthe.transpose(1, 2)
