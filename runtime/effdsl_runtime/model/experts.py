"""A mixture of experts: each token is computed by the few experts that its router chooses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from effdsl.shapes import Shape
from effdsl.techniques.feed_forward import MoE
from effdsl_runtime.model.feed_forward import FeedForwardModule, Routing, Routings, feed_forward, gated
from effdsl_runtime.model.grouped_matmul import grouped_product


class ExpertLinear(nn.Module):
    """A linear map for each expert, ``weight`` of ``(experts, out, in)``; applied to rows sorted by expert.

    Each expert's matrix starts from a seed of its own, so that it is the same among more experts.
    """

    def __init__(self, experts: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, out_features, in_features))

    def forward(self, x_ni: Tensor, ends_e: Tensor) -> Tensor:
        return grouped_product(x_ni, self.weight.to(x_ni.dtype), ends_e)


class ExpertProjection(ExpertLinear):
    """The experts' maps into the residual stream; they start smaller, the deeper the model."""


class Experts(FeedForwardModule):
    """Mixtral's layer (Jiang et al. 2024, arXiv 2401.04088, section 2.1) without dropping a token.

    Tokens are sorted by expert, so that each expert multiplies its own at once; the router's
    probabilities are float32.
    """

    def __init__(self, technique: MoE, shape: Shape) -> None:
        super().__init__()
        experts, width = technique.experts, technique.width()
        self.top_k, self.balance = technique.top_k, technique.balance
        self.router = nn.Linear(shape.hidden_size, experts, bias=False)
        self.gate = ExpertLinear(experts, shape.hidden_size, width)
        self.up = ExpertLinear(experts, shape.hidden_size, width)
        self.down = ExpertProjection(experts, width, shape.hidden_size)

    def forward(self, x_btd: Tensor, routings: Routings | None = None) -> Tensor:
        x_nd = x_btd.flatten(0, 1)
        logits_ne = self.router(x_nd)
        chance_ne = logits_ne.float().softmax(1)
        weight_nk, chosen_nk = chance_ne.topk(self.top_k, dim=1)
        expert_m, order_m = chosen_nk.flatten().sort(stable=True)  # m = n * k, token by token
        every_e = torch.arange(chance_ne.shape[1], device=x_nd.device)
        ends_e = torch.searchsorted(expert_m, every_e, right=True, out_int32=True)
        if routings is not None:
            computed_e = ends_e.diff(prepend=ends_e.new_zeros(1))
            routings.append(Routing(chance_ne, chosen_nk, computed_e, self.balance))
        # Autocast knows nothing of grouped products: they take the dtype it gave the router.
        x_md = x_nd.to(logits_ne.dtype).index_select(0, order_m // self.top_k)
        out_md = self.down(gated(self.gate(x_md, ends_e), self.up(x_md, ends_e)), ends_e)
        out_nkd = out_md.index_select(0, order_m.argsort()).unflatten(0, (-1, self.top_k))
        share_nk = weight_nk / weight_nk.sum(1, keepdim=True)
        out_nd: Tensor = (out_nkd * share_nk.to(out_md.dtype).unsqueeze(2)).sum(1)
        return out_nd.view_as(x_btd)


@feed_forward.register
def _(technique: MoE, shape: Shape) -> FeedForwardModule:
    return Experts(technique, shape)
