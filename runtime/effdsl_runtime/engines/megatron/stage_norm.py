"""Norms of a stage, and gradients that its devices have to add up."""

from __future__ import annotations

from typing import Any

from torch import nn


def sum_gradients(module: nn.Module, config: Any) -> nn.Module:
    """Have the gradients of ``module`` summed over the devices that share the tokens that it sees."""
    for parameter in module.parameters():
        parameter.sequence_parallel = config.sequence_parallel  # type: ignore[attr-defined]
    return module


class StageNorm(nn.RMSNorm):
    """An RMSNorm whose gradients Megatron-Core sums where devices share the tokens; its own refuses that."""

    def __init__(self, config: Any, hidden_size: int, eps: float, **_: Any) -> None:
        super().__init__(hidden_size, eps=eps)
        sum_gradients(self, config)
