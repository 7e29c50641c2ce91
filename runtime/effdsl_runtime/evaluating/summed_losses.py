"""Loss of examples one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from effdsl_runtime.data.example_batches import NOT_PREDICTED, padded
from effdsl_runtime.data.model_tokenizer import Example
from effdsl_runtime.endings import Diverged

ELEMENTS = {"cpu": 1 << 25, "cuda": 1 << 29}
"""Logits at a time, at most."""
MOST_ROWS = 16
"""Sequences at a time, at most: larger batches are hardly faster."""


@torch.no_grad()
def summed_losses(
    model: Any, examples: Sequence[Example], device: torch.device, done: Callable[[int], None]
) -> list[float]:
    """Of each example the cross-entropy of its predicted tokens, summed, in nats.

    Logits are computed in the model's dtype, the loss in float32. Nothing is masked but by causality: what
    fills a batch up stands behind all that counts.

    Args:
        done: is told how many examples have been read.

    Raises:
        Diverged: when a loss is not finite.
    """
    rows = _rows(examples, model.config.vocab_size, device)
    training = model.training
    model.eval()
    losses: list[float] = []
    for start in range(0, len(examples), rows):
        losses += _losses(model, examples[start : start + rows], device)
        done(len(losses))
    model.train(training)
    if wrong := next((loss for loss in losses if not math.isfinite(loss)), None):
        raise Diverged(f"the loss of held-out text is {wrong}")
    return losses


def _rows(examples: Sequence[Example], vocab_size: int, device: torch.device) -> int:
    """Sequences of a batch: the same for every model of this vocabulary."""
    longest = max(len(example.tokens) for example in examples)
    elements = ELEMENTS.get(device.type, ELEMENTS["cpu"])
    return max(1, min(MOST_ROWS, elements // (longest * vocab_size)))


def _losses(model: Any, batch: Sequence[Example], device: torch.device) -> list[float]:
    input_ids_bt, labels_bt = padded(batch)
    logits_btv: Tensor = model(input_ids=input_ids_bt[:, :-1].to(device), use_cache=False).logits
    targets_bt = labels_bt[:, 1:].to(device)
    kept_bt = targets_bt != NOT_PREDICTED
    loss_n = F.cross_entropy(logits_btv[kept_bt].float(), targets_bt[kept_bt], reduction="none")
    loss_bt = torch.zeros(kept_bt.shape, dtype=torch.float64, device=device)
    loss_bt[kept_bt] = loss_n.double()
    losses: list[float] = loss_bt.sum(1).tolist()
    return losses
