"""Grouped-query attention; with one key-value head MQA, with all of them MHA."""

from __future__ import annotations

from torch import Tensor

from effdsl.shapes import Shape
from effdsl.techniques.attention.gqa import GQA, GroupedQuery
from effdsl_runtime.kernel_option import check_kernel
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.kernel import attend, kernel_name, kernel_on
from effdsl_runtime.model.layers import FusedLinear, Projection
from effdsl_runtime.model.mixer import Cache, Mixer, flat, heads, mixer


class GroupedQueryAttention(Mixer):
    """Qwen2's attention: biases on q, k and v, none on the output."""

    def __init__(self, technique: GroupedQuery, shape: Shape, position: Encoding) -> None:
        super().__init__()
        self.head_dim, self.position = shape.head_dim, position
        groups = technique.kv_heads * shape.head_dim
        parts = {"q": shape.heads * shape.head_dim, "k": groups, "v": groups}
        self.qkv = FusedLinear(shape.hidden_size, parts, bias=True)
        self.out = Projection(parts["q"], shape.hidden_size)

    @property
    def kernel(self) -> str:
        device = self.out.weight.device
        check_kernel(kernel_name(), device.type, "GQA")
        return kernel_on(device, structured=self.position.bias(1) is not None)

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        q_bhte, k_bgte, v_bgte = (heads(part, self.head_dim) for part in self.qkv(x_btd))
        start = cache.length if cache else 0
        positions = slice(start, start + x_btd.shape[1])
        q_bhte, k_bgte = self.position(q_bhte, positions), self.position(k_bgte, positions)
        if cache is not None:
            k_bgte, v_bgte = cache.extend("k", k_bgte), cache.extend("v", v_bgte)
        out: Tensor = self.out(flat(self.mix(q_bhte, k_bgte, v_bgte, cache)))
        return out

    def mix(self, q_bhte: Tensor, k_bgse: Tensor, v_bgse: Tensor, cache: Cache | None) -> Tensor:
        """What each query takes from the values, ``(b, h, t, e)``; queries are the last ``t`` positions."""
        return attend(q_bhte, k_bgse, v_bgse, bias_hs=self.position.bias(k_bgse.shape[2]))


@mixer.register
def _(technique: GQA, shape: Shape, position: Encoding) -> Mixer:
    return GroupedQueryAttention(technique, shape, position)
