"""Native sparse attention (arXiv 2502.11089): compressed, selected and near tokens, mixed by gates.

Written with dense masks, so it is right but not fast at long contexts: its results are marked
``reference``. What the paper leaves open is pinned in ``effdsl.techniques.attention.nsa``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl.techniques.attention.nsa import NSA
from effdsl_runtime.kernel_option import check_kernel
from effdsl_runtime.model.blocks import (
    block_scores,
    near_attention,
    selected_blocks,
    visible_compressed,
    windowed_attention,
)
from effdsl_runtime.model.chosen import ChosenBlocks
from effdsl_runtime.model.compress import compressor
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.fla import attend_selected, check_fla
from effdsl_runtime.model.kernel import attend, kernel_name
from effdsl_runtime.model.layers import FusedLinear, Projection
from effdsl_runtime.model.mixer import Cache, Mixer, flat, heads, mixer

BRANCHES = ("compressed", "selected", "near")
KeyValue = tuple[Tensor, Tensor]


class NativeSparseAttention(Mixer):
    """Three branches of attention over groups of heads, with keys and values of their own."""

    def __init__(self, technique: NSA, shape: Shape, rotate: Encoding) -> None:
        super().__init__()
        self.blocks, self.rotate = technique.blocks(), rotate
        self.groups, self.head_dim = technique.kv_heads, shape.head_dim
        suffixes = ("",) if technique.shared_kv else tuple(f"_{branch}" for branch in BRANCHES)
        width = technique.kv_heads * shape.head_dim
        parts = {f"{part}{suffix}": width for suffix in suffixes for part in "kv"}
        self.qkv = FusedLinear(shape.hidden_size, {"q": shape.heads * shape.head_dim, **parts}, bias=True)
        self.compress_k = compressor(technique, shape.head_dim)
        self.compress_v = compressor(technique, shape.head_dim)
        self.gate = gate(technique, shape)
        self.out = Projection(shape.heads * shape.head_dim, shape.hidden_size)

    @property
    def kernel(self) -> str:
        weight = self.out.weight
        check_kernel(kernel_name(), weight.device.type, "NSA")
        if kernel_name() == "fla":
            check_fla(weight.shape[1] // self.head_dim // self.groups)
            return "fla"
        return "reference"

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        q_bhte, *rest = (heads(part, self.head_dim) for part in self.qkv(x_btd))
        pairs: list[KeyValue] = list(zip(rest[::2], rest[1::2], strict=True))
        compressed, selected, near = pairs * (len(BRANCHES) // len(pairs))
        start = cache.length if cache else 0
        positions = slice(start, start + x_btd.shape[1])
        q_bhte = self.rotate(q_bhte, positions)
        compressed_bhte, scores_bgtj = self._compressed(q_bhte, compressed, start, cache)
        selected_bhte = self._selected(q_bhte, selected, scores_bgtj, positions, cache)
        near_bhte = self._near(q_bhte, near, positions, cache)
        gate_btch = torch.unflatten(self.gate(x_btd).sigmoid(), 2, (len(BRANCHES), -1))
        gate_cbht1 = gate_btch.permute(2, 0, 3, 1).unsqueeze(-1)  # c: the branch
        mixed_bhte = gate_cbht1[0] * compressed_bhte + gate_cbht1[1] * selected_bhte
        mixed_bhte = mixed_bhte + gate_cbht1[2] * near_bhte
        out: Tensor = self.out(flat(mixed_bhte))
        return out

    def _compressed(
        self, q_bhte: Tensor, raw: KeyValue, start: int, cache: Cache | None
    ) -> tuple[Tensor, Tensor]:
        """The branch's output, and the score of each selectable block ``(b, g, t, j)`` (eq. 8 to 10)."""
        k_bgne, v_bgne = self._compress(*raw, cache)
        stop = start + q_bhte.shape[2]
        visible_tn = visible_compressed(self.blocks, start, stop, k_bgne.shape[2], q_bhte.device)
        q_bgrte = torch.unflatten(q_bhte, 1, (self.groups, -1))
        scores_bgrtn = (q_bgrte @ k_bgne.unsqueeze(2).mT) * self.head_dim**-0.5
        hidden = torch.finfo(scores_bgrtn.dtype).min
        chance_bgrtn = scores_bgrtn.masked_fill(~visible_tn, hidden).softmax(-1) * visible_tn
        out_bgrte = chance_bgrtn.to(v_bgne.dtype) @ v_bgne.unsqueeze(2)
        return out_bgrte.flatten(1, 2), block_scores(chance_bgrtn.detach().sum(2), self.blocks, stop)

    def _compress(self, k_bgte: Tensor, v_bgte: Tensor, cache: Cache | None) -> KeyValue:
        """Compressed keys, rotated, and values; with a cache, all of them, old and new."""
        first = 0
        if cache is not None:
            k_bgte, v_bgte = cache.extend("k_pending", k_bgte), cache.extend("v_pending", v_bgte)
            first = cache.tokens("k_compressed")
        k_bgne, v_bgne = self.compress_k(k_bgte), self.compress_v(v_bgte)
        stride = self.blocks.compress_stride
        after = first + k_bgne.shape[2]
        k_bgne = self.rotate(k_bgne, slice(first * stride, after * stride, stride))
        if cache is not None:
            for pending in ("k_pending", "v_pending"):
                cache.drop_first(pending, (after - first) * stride)
            k_bgne, v_bgne = cache.extend("k_compressed", k_bgne), cache.extend("v_compressed", v_bgne)
        return k_bgne, v_bgne

    def _selected(
        self, q_bhte: Tensor, raw: KeyValue, scores_bgtj: Tensor, positions: slice, cache: Cache | None
    ) -> Tensor:
        k_bgse, v_bgse = self.rotate(raw[0], positions), raw[1]
        if cache is not None:
            k_bgse, v_bgse = cache.extend("k_selected", k_bgse), cache.extend("v_selected", v_bgse)
        chosen_bgtj = selected_blocks(scores_bgtj, self.blocks, positions.start, positions.stop)
        block = self.blocks.select_block
        if kernel_name() == "fla" and cache is None:
            return attend_selected(q_bhte, k_bgse, v_bgse, chosen_bgtj, self.blocks.select_count, block)
        # The groups join the batch, so that the heads of one share one choice.
        q_xrte = torch.unflatten(q_bhte, 1, (self.groups, -1)).flatten(0, 1)
        k_x1se, v_x1se = k_bgse.flatten(0, 1).unsqueeze(1), v_bgse.flatten(0, 1).unsqueeze(1)
        chosen = ChosenBlocks(chosen_bgtj.flatten(0, 1).unsqueeze(1), block)
        out_xrte = attend(q_xrte, k_x1se, v_x1se, chosen=chosen)
        return torch.unflatten(out_xrte, 0, (-1, self.groups)).flatten(1, 2)

    def _near(self, q_bhte: Tensor, raw: KeyValue, positions: slice, cache: Cache | None) -> Tensor:
        window = self.blocks.window
        k_bgte, v_bgte = self.rotate(raw[0], positions), raw[1]
        if cache is None:
            return windowed_attention(q_bhte, k_bgte, v_bgte, window)
        k_bgse, v_bgse = cache.extend("k_near", k_bgte), cache.extend("v_near", v_bgte)
        out_bhte = near_attention(q_bhte, k_bgse, v_bgse, window)
        for held in ("k_near", "v_near"):
            cache.drop_first(held, cache.tokens(held) - window)
        return out_bhte


@mixer.register
def _(technique: NSA, shape: Shape, position: Encoding) -> Mixer:
    return NativeSparseAttention(technique, shape, position)


def gate(technique: NSA, shape: Shape) -> nn.Module:
    """From hidden states to the logits of the gates, ``(b, t, 3 * h)``, branch by branch."""
    gates = 3 * shape.heads
    if technique.gate == "linear":
        return nn.Linear(shape.hidden_size, gates, bias=False)
    return nn.Sequential(
        nn.Linear(shape.hidden_size, shape.head_dim, bias=False),
        nn.SiLU(),
        nn.Linear(shape.head_dim, gates, bias=False),
    )
