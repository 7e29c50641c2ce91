"""Native sparse attention (Yuan et al. 2025, arXiv 2502.11089).

A query attends to compressed blocks, to a few selected blocks of raw tokens and to a window of its
nearest tokens; gates mix the three. What the paper leaves open is pinned here:

- the hidden size of both MLPs is the head size, with SiLU; no biases;
- keys are compressed before they are rotated, and a compressed key turns to its block's first position;
- eq. 9 is taken with ``+ m - n``, so that a selected block gathers the scores of exactly the compressed
  blocks that overlap it (its printed ``- m - n`` looks at earlier blocks);
- a compressed block is visible once its last token is; a query that sees none gets zero from the branch;
- of the selected blocks the first and the query's own and previous one are always taken.
"""

from __future__ import annotations

from typing import NamedTuple

from effdsl.declare import Invalid, evolve, identity, keyed
from effdsl.shapes import Shape, reference_parameters
from effdsl.techniques.block_selection import SMALL_BELOW, selected_keys
from effdsl.techniques.position import ScoreBias
from effdsl.techniques.technique import AttentionTechnique, PositionTechnique, Unsupported, check_kv_heads
from effdsl.validate import one_of, optional, positive_int, whole

ALWAYS_SELECTED = 3  # the first block, the query's own and the one before it


class Blocks(NamedTuple):
    """Sizes in tokens (``select_count`` in blocks); the paper's l, d, l', n, w."""

    compress_block: int
    compress_stride: int
    select_block: int
    select_count: int
    window: int


PAPER_BLOCKS = Blocks(32, 16, 64, 16, 512)
SMALL_BLOCKS = Blocks(8, 4, 16, 4, 64)


@keyed("nsa")
class NSA(AttentionTechnique):
    """Native sparse attention over ``kv_heads`` groups of heads, which share their choice of blocks.

    What is left open takes the paper's sizes; for shapes under 95M parameters (counted with two
    key-value heads), whose contexts are a few hundred tokens, 8, 4, 16, 4 and 64, so that there is
    something to leave out.

    Attributes:
        kv_heads: key-value heads.
        compress_block, compress_stride: tokens that one compressed key stands for, and between two.
        select_block, select_count: tokens of a selectable block, and blocks a query selects.
        window: nearest tokens that are always attended to.
        phi: how a block is compressed: ``"mlp"`` (the paper's, with a position code inside the block),
            ``"linear"`` (one matrix, with the code) or ``"mean"`` (nothing to learn).
        shared_kv: one key and value for all three branches instead of the paper's one for each.
        gate: ``"mlp"`` (the paper's) or ``"linear"``, then a sigmoid per head and branch.
    """

    kv_heads: int = identity(default=2, converter=whole, validator=positive_int)
    compress_block: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    compress_stride: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    select_block: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    select_count: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    window: int | None = identity(default=None, converter=whole, validator=optional(positive_int))
    phi: str = identity(default="mlp", validator=one_of("mean", "linear", "mlp"))
    shared_kv: bool = identity(default=False, validator=one_of(True, False))
    gate: str = identity(default="mlp", validator=one_of("linear", "mlp"))

    def __attrs_post_init__(self) -> None:
        if self.select_count is not None and self.select_count < ALWAYS_SELECTED:
            raise Invalid(
                f"select_count={self.select_count} leaves out blocks that are always selected",
                f"allowed: {ALWAYS_SELECTED} or more (the first, the query's own and the one before it)",
            )

    def resolve(self, shape: Shape) -> NSA:
        check_kv_heads("NSA", self.kv_heads, shape)
        usual = SMALL_BLOCKS if reference_parameters(shape) < SMALL_BELOW else PAPER_BLOCKS
        chosen = {f: v if (v := getattr(self, f)) is not None else getattr(usual, f) for f in Blocks._fields}
        stride = chosen["compress_stride"]
        for name in ("compress_block", "select_block"):
            if chosen[name] % stride:
                raise Unsupported(
                    f"NSA: {name}={chosen[name]} is not a multiple of compress_stride={stride}",
                    f"e.g. {name}={-(-chosen[name] // stride) * stride}",
                )
        return evolve(self, **chosen)

    def blocks(self) -> Blocks:
        """The sizes of a resolved NSA."""
        sizes = [getattr(self, field) for field in Blocks._fields]
        if None in sizes:
            raise ValueError("resolve(shape) first: this NSA leaves sizes open")
        return Blocks(*sizes)

    def refuses(self, position: PositionTechnique) -> str:
        if not isinstance(position, ScoreBias):
            return ""
        name = type(position).__name__
        return f"NSA takes no {name}: a compressed key stands for many tokens, so it has no one distance"

    @property
    def projections(self) -> int:
        """How many pairs of key and value are projected: one per branch unless they share."""
        return 1 if self.shared_kv else 3

    @property
    def products(self) -> int:
        """q, k and v; the output; compressed scores and values; the layers of phi and of the gate."""
        return 4 + {"mean": 0, "linear": 1, "mlp": 2}[self.phi] + (1 if self.gate == "linear" else 2)

    def parameters(self, shape: Shape) -> int:
        biases = (shape.heads + 2 * self.projections * self.kv_heads) * shape.head_dim
        code = 0 if self.phi == "mean" else 2 * self.blocks().compress_block * shape.head_dim
        return self._matrices(shape) + biases + 2 * self._phi_matrices(shape) + code

    def train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        """As the runtime computes it: selection masks the whole score matrix, the window two windows."""
        window = self.blocks().window
        chunks = -(-context_length // window)
        in_window = (
            context_length if window >= context_length else chunks * window * 2 * window / context_length
        )
        keys = self.compressed(context_length) + context_length + in_window
        return self._dense_flops(shape, context_length) + 12 * shape.heads * shape.head_dim * keys

    def causal_train_flops_per_token(self, shape: Shape, context_length: int) -> float:
        keys = visible_keys(self.blocks(), context_length) / context_length
        return self._dense_flops(shape, context_length) + 12 * shape.heads * shape.head_dim * keys

    def kv_bytes_per_token(self, shape: Shape, bytes_per_element: int) -> float:
        """Raw tokens to select from and one compressed token per stride.

        Beside these the cache holds a constant: the window's tokens and those of blocks that are not
        complete yet.
        """
        return self._token_bytes(shape, bytes_per_element) * (1 + 1 / self.blocks().compress_stride)

    def cache_bytes(self, shape: Shape, context_length: int, bytes_per_element: int) -> float:
        """Raw tokens to select from, compressed ones, those in the window, and raw ones that a block
        which is not complete yet will need."""
        blocks, compressed = self.blocks(), self.compressed(context_length)
        pending = context_length - compressed * blocks.compress_stride
        tokens = context_length + compressed + min(blocks.window, context_length) + pending
        return self._token_bytes(shape, bytes_per_element) * tokens

    def activations_per_token(self, shape: Shape, context_length: int) -> float:
        heads, groups = shape.heads * shape.head_dim, self.kv_heads * shape.head_dim
        scores = shape.heads * self.compressed(context_length)
        # q; k and v of each branch, those of the window once more in its chunks; three outputs, their
        # gated sum
        return 5 * heads + 2 * (self.projections + 2) * groups + 2 * scores

    def remark(self, context_length: int) -> str:
        blocks = self.blocks()
        remarks = []
        if blocks.select_count * blocks.select_block >= context_length:
            held = f"{blocks.select_count} blocks of {blocks.select_block} hold the whole context"
            remarks.append(f"not sparse: {held}")
        if not self.compressed(context_length):
            remarks.append(f"nothing compressed: no block of {blocks.compress_block:,} fits the context")
        return "; ".join(remarks)

    def dense_masks_per_token(self, shape: Shape, context_length: int) -> float:
        """Of the selection: one element per group and key."""
        return self.kv_heads * context_length

    def compressed(self, context_length: int) -> int:
        """Complete blocks in a context."""
        blocks = self.blocks()
        return max(0, (context_length - blocks.compress_block) // blocks.compress_stride + 1)

    def _token_bytes(self, shape: Shape, bytes_per_element: int) -> int:
        """Of one key and value in one branch."""
        return 2 * self.kv_heads * shape.head_dim * bytes_per_element

    def _matrices(self, shape: Shape) -> int:
        heads, groups = shape.heads * shape.head_dim, self.kv_heads * shape.head_dim
        gates = 3 * shape.heads
        gate = (
            shape.hidden_size * gates
            if self.gate == "linear"
            else shape.head_dim * (shape.hidden_size + gates)
        )
        return 2 * shape.hidden_size * (heads + self.projections * groups) + gate

    def _phi_matrices(self, shape: Shape) -> int:
        """Elements of the matrices that compress keys; those for values are as many."""
        if self.phi == "mean":
            return 0
        first = self.blocks().compress_block * shape.head_dim**2
        return first + (shape.head_dim**2 if self.phi == "mlp" else 0)

    def _dense_flops(self, shape: Shape, context_length: int) -> float:
        compressing = 2 * self.kv_heads * self._phi_matrices(shape) * self.compressed(context_length)
        return 6 * (self._matrices(shape) + compressing / context_length)


def visible_keys(blocks: Blocks, context_length: int) -> int:
    """Keys that causality and the choice of blocks show to all queries of a context, in all branches."""
    length, stride, size, count, window = blocks
    complete = max(0, (context_length - length) // stride + 1)
    compressed = complete * (context_length - length + 1) - stride * complete * (complete - 1) // 2
    in_window = min(window, context_length)
    near = context_length * in_window - in_window * (in_window - 1) // 2
    return compressed + selected_keys(context_length, size, count) + near
