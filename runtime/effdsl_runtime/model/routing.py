"""What is asked of routings: how even they are, in training, and what they were like, at the end."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor

from effdsl_runtime.model.feed_forward import Routing


@attrs.frozen
class RoutingStatistics:
    """How a trained model sent the held-out tokens to its experts.

    Attributes:
        shares: by layer, the share of what was computed that each expert computed.
        entropy: of the mean probabilities of a layer's experts, in nats, mean over layers.
        dropped: the share of all choices that no expert computed.
    """

    shares: tuple[tuple[float, ...], ...]
    entropy: float
    dropped: float


def balance_loss(routing: Routing) -> Tensor:
    """The load-balancing loss of one layer (Fedus et al. 2021, arXiv 2101.03961, equations 4 to 6).

    Experts times the sum over experts of the share of tokens sent there and its mean probability. Each of
    a token's ``k`` choices counts and nothing is divided by ``k``, as in transformers' Mixtral, which
    takes the means over all layers at once: perfectly even is ``k``, the most uneven ``experts``.
    """
    tokens, experts = routing.chance_ne.shape
    sent_e = routing.computed_e.float() / tokens
    return experts * (sent_e * routing.chance_ne.mean(0)).sum()


def balance_penalty(routings: Sequence[Routing]) -> Tensor | float:
    """What is added to the training loss: the weighted :func:`balance_loss`, mean over layers; 0 without."""
    if not routings:
        return 0.0
    return torch.stack([routing.weight * balance_loss(routing) for routing in routings]).mean()


def routed(routings: Sequence[Routing], layers: int) -> RoutingStatistics | None:
    """How the tokens of several forward passes were sent; ``None`` without experts.

    Args:
        routings: of the first pass layer by layer, then of the next.
        layers: how many routings each pass gave.
    """
    if not routings:
        return None
    by_layer = [routings[layer::layers] for layer in range(layers)]
    chance_le = torch.stack([torch.cat([r.chance_ne for r in layer]).double().mean(0) for layer in by_layer])
    computed_le = torch.stack([torch.stack([r.computed_e for r in layer]).sum(0) for layer in by_layer])
    sent = sum(routing.chosen_nk.numel() for routing in routings)
    return RoutingStatistics(
        shares=tuple(map(tuple, (computed_le / computed_le.sum(1, keepdim=True)).tolist())),
        entropy=float(torch.special.entr(chance_le).sum(1).mean()),
        dropped=1 - int(computed_le.sum()) / sent,
    )
