"""Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1 and appendix C)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl.techniques.attention.mla import MLA
from effdsl_runtime.kernel_option import check_kernel
from effdsl_runtime.model.encoding import Encoding
from effdsl_runtime.model.kernel import attend, kernel_name, kernel_on
from effdsl_runtime.model.layers import FusedLinear, Projection
from effdsl_runtime.model.mixer import Cache, Mixer, flat, heads, mixer, rotated_dim

LATENT_NORM_EPS = 1e-6  # DeepSeek's, whatever the model's own


class LatentAttention(Mixer):
    """Keys and values of all heads from one latent; one rotated key shared by the heads.

    A whole context is computed with keys and values rebuilt. With a cache, which holds the latent and
    the shared key, the maps from the latent move to the query and the output instead, which makes it
    multi-query attention over the latent.
    """

    def __init__(self, technique: MLA, shape: Shape, position: Encoding) -> None:
        super().__init__()
        kv_rank, rope_dim, nope_dim, v_dim = technique.sizes()
        self.heads, self.nope_dim, self.rope_dim, self.v_dim = shape.heads, nope_dim, rope_dim, v_dim
        self.position = position
        q_dim = nope_dim + rope_dim
        self.scale = q_dim**-0.5
        from_input = {"q_latent": technique.q_rank} if technique.q_rank else {"q": shape.heads * q_dim}
        self.project = FusedLinear(shape.hidden_size, {**from_input, "latent": kv_rank, "key": rope_dim})
        self.q_up = _Query(technique.q_rank, shape.heads * q_dim) if technique.q_rank else nn.Identity()
        self.norm = nn.RMSNorm(kv_rank, eps=LATENT_NORM_EPS)
        self.up = FusedLinear(kv_rank, {"k": shape.heads * nope_dim, "v": shape.heads * v_dim})
        self.out = Projection(shape.heads * v_dim, shape.hidden_size)

    @property
    def kernel(self) -> str:
        device = self.out.weight.device
        check_kernel(kernel_name(), device.type, "MLA")
        return kernel_on(device, structured=self.position.bias(1) is not None)

    def forward(self, x_btd: Tensor, cache: Cache | None = None) -> Tensor:
        q_btd, latent_btc, key_btr = self.project(x_btd)
        start = cache.length if cache else 0
        positions = slice(start, start + x_btd.shape[1])
        q_bhte = heads(self.q_up(q_btd), self.nope_dim + self.rope_dim)
        q_bhtn, q_bhtr = torch.split(q_bhte, [self.nope_dim, self.rope_dim], dim=3)
        q_bhtr = self.position(q_bhtr, positions)
        latent_btc = self.norm(latent_btc.to(self.norm.weight.dtype)).to(latent_btc.dtype)
        key_b1tr = self.position(key_btr.unsqueeze(1), positions)
        if cache is None:
            out_bhtv = self._rebuilt(q_bhtn, q_bhtr, latent_btc, key_b1tr)
        else:
            both_b1te = torch.cat((latent_btc.unsqueeze(1), key_b1tr), dim=3)
            out_bhtv = self._absorbed(q_bhtn, q_bhtr, cache.extend("latent and key", both_b1te))
        out: Tensor = self.out(flat(out_bhtv))
        return out

    def _rebuilt(self, q_bhtn: Tensor, q_bhtr: Tensor, latent_btc: Tensor, key_b1tr: Tensor) -> Tensor:
        k_btd, v_btd = self.up(latent_btc)
        key_bhtr = key_b1tr.expand(-1, self.heads, -1, -1)
        k_bhte = torch.cat((heads(k_btd, self.nope_dim), key_bhtr), dim=3)
        q_bhte = torch.cat((q_bhtn, q_bhtr), dim=3)
        bias_hs = self.position.bias(k_bhte.shape[2])
        return attend(q_bhte, k_bhte, heads(v_btd, self.v_dim), scale=self.scale, bias_hs=bias_hs)

    def _absorbed(self, q_bhtn: Tensor, q_bhtr: Tensor, both_b1se: Tensor) -> Tensor:
        """``both_b1se``: latent and shared key side by side. They are the values too, which copies nothing
        that is cached; what comes of the key is left out."""
        k_oc, v_oc = torch.split(self.up.weight, list(self.up.parts.values()))
        k_hnc = torch.unflatten(k_oc, 0, (self.heads, self.nope_dim))
        v_hvc = torch.unflatten(v_oc, 0, (self.heads, self.v_dim))
        q_bhte = torch.cat((q_bhtn @ k_hnc, q_bhtr), dim=3)
        bias_hs = self.position.bias(both_b1se.shape[2])
        mixed_bhte = attend(q_bhte, both_b1se, both_b1se, scale=self.scale, bias_hs=bias_hs)
        return mixed_bhte[..., : k_hnc.shape[2]] @ v_hvc.mT


@mixer.register
def _(technique: MLA, shape: Shape, position: Encoding) -> Mixer:
    return LatentAttention(technique, shape, position)


@rotated_dim.register
def _(technique: MLA, shape: Shape) -> int:
    return technique.sizes()[1]


class _Query(nn.Module):
    """The query from its normed latent."""

    def __init__(self, rank: int, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(rank, eps=LATENT_NORM_EPS)
        self.up = nn.Linear(rank, width, bias=False)

    def forward(self, latent_btc: Tensor) -> Tensor:
        out: Tensor = self.up(self.norm(latent_btc.to(self.norm.weight.dtype)))
        return out
