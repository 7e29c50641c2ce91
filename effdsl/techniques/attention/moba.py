"""Mixture of block attention (Lu et al. 2025, arXiv 2502.13189).

A query attends to its own block of tokens, up to itself, and to the earlier blocks whose mean key it
resembles most. As in the authors' code, where the paper leaves it open:

- ``top_k`` counts the query's own block, which is always taken;
- the gate is the plain product of a query with the mean of a block's keys, both after rotation, in
  float32 and not scaled; it only selects, so no gradient flows through it;
- every query head selects for itself, also where heads share keys.

The block that is not complete yet is the own block of its queries, so its mean is never asked for.
"""

from __future__ import annotations

from effdsl.declare import evolve, identity, keyed
from effdsl.shapes import Shape, reference_parameters
from effdsl.techniques.attention.gqa import GroupedQuery
from effdsl.techniques.block_selection import SMALL_BELOW, selected_keys
from effdsl.techniques.position import ScoreBias
from effdsl.techniques.technique import PositionTechnique, check_kv_heads
from effdsl.validate import optional, positive_int, whole

PAPER_BLOCK, SMALL_BLOCK = 512, 32
PAPER_TOP_K = 3


@keyed("moba")
class MoBA(GroupedQuery):
    """Mixture of block attention over ``kv_heads`` key-value heads, with the weights of GQA.

    Attributes:
        kv_heads: key-value heads.
        block: tokens of a block; default the paper's 512, and 32 for shapes under 95M parameters
            (counted with two key-value heads), so that there is something to leave out.
        top_k: blocks that a query attends to, its own among them; default the paper's 3.
    """

    kv_heads: int = identity(default=2, converter=whole, validator=positive_int)
    block: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    top_k: int = identity(default=PAPER_TOP_K, converter=whole, validator=positive_int)

    def resolve(self, shape: Shape) -> MoBA:
        check_kv_heads("MoBA", self.kv_heads, shape)
        usual = SMALL_BLOCK if reference_parameters(shape) < SMALL_BELOW else PAPER_BLOCK
        return evolve(self, block=self.block or usual)

    def refuses(self, position: PositionTechnique) -> str:
        if not isinstance(position, ScoreBias):
            return ""
        name = type(position).__name__
        return f"MoBA takes no {name}: the mean key that selects a block has no one distance"

    def block_size(self) -> int:
        """Tokens of a block of a resolved MoBA."""
        if self.block is None:
            raise ValueError("resolve(shape) first: this MoBA leaves its block open")
        return self.block

    def leaves_out(self, context_length: int) -> bool:
        """Whether a context has more blocks than a query attends to."""
        return context_length > self.block_size() * self.top_k

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """As the runtime computes it: the choice of blocks masks the whole score matrix, and the gate,
        forward only, meets every complete block; where nothing is left out there is no gate."""
        gated = context_length // self.block_size() if self.leaves_out(context_length) else 0
        return self._flops(shape, context_length, gated)

    def causal_train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """A query meets the keys it selects, and in the gate the blocks before its own."""
        block = self.block_size()
        keys = selected_keys(context_length, block, self.top_k) / context_length
        if not self.leaves_out(context_length):
            return self._flops(shape, keys, 0)
        full, rest = divmod(context_length, block)
        gated = (block * full * (full - 1) // 2 + rest * full) / context_length
        return self._flops(shape, keys, gated)

    def kv_bytes_per_token(self, shape: Shape, bytes_per_element: int) -> float:
        """A key and a value per token, and one mean key per complete block, all in the same dtype."""
        key = self.kv_heads * shape.head_dim * bytes_per_element
        return key * (2 + 1 / self.block_size())

    def cache_bytes(self, shape: Shape, context_length: int, bytes_per_element: int) -> float:
        key = self.kv_heads * shape.head_dim * bytes_per_element
        return key * (2 * context_length + context_length // self.block_size())

    def remark(self, context_length: int) -> str:
        if self.leaves_out(context_length):
            return ""
        return f"not sparse: {self.top_k} blocks of {self.block_size()} hold the whole context"

    def dense_masks_per_token(self, shape: Shape, context_length: int) -> float:
        """Where blocks are left out, one element per query head and key."""
        return shape.heads * context_length if self.leaves_out(context_length) else 0

    def _flops(self, shape: Shape, keys: float, gated: float) -> float:
        """A gate's product is computed once, a key's six times: scores and values, thrice each."""
        return self.flops_with(shape, keys) + 2 * shape.heads * shape.head_dim * gated
