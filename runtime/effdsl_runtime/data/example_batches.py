"""Batches of examples: the same, in the same order, for every method of a repeat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from effdsl_runtime.data.model_tokenizer import Example

NOT_PREDICTED = -100
"""What losses leave out, by the convention of torch and transformers."""

ASKED = 64  # examples, for their usual length


def example_batches(part: Sequence[Example], batch_size: int, seed: int) -> Iterator[list[Example]]:
    """Endless batches; an epoch serves every example once, in an order that depends on ``seed`` and on which
    epoch it is. A batch may begin in one epoch and end in the next."""
    order = _order(len(part), seed)
    while True:
        yield [part[next(order)] for _ in range(batch_size)]


def padded(batch: Sequence[Example], pad: int = 0) -> tuple[Tensor, Tensor]:
    """``input_ids_bt``, filled up on the right to the longest, and the ``labels_bt`` of the same tokens, not
    of the next ones: the shift is left to the loss, as in transformers.

    Args:
        batch: examples.
        pad: what fills up. It stands after all else and is never predicted, so no token sees it that counts.
    """
    longest = max(len(example.tokens) for example in batch)
    input_ids_bt = torch.full((len(batch), longest), pad)
    labels_bt = torch.full((len(batch), longest), NOT_PREDICTED)
    for row, (tokens, predicted) in enumerate(batch):
        tokens_t = torch.tensor(tokens)
        input_ids_bt[row, : len(tokens)] = tokens_t
        labels_bt[row, : len(tokens)] = tokens_t.where(torch.tensor(predicted), NOT_PREDICTED)
    return input_ids_bt, labels_bt


def predicted_tokens(example: Example) -> int:
    """How many of its tokens count in the loss."""
    return sum(example.predicted)


def spread(part: Sequence[Example], tokens: int) -> list[Example]:
    """Examples at even distances, about as many as have ``tokens`` predicted tokens; at least one."""
    count = len(part)
    usual = fmean(predicted_tokens(part[i]) for i in range(0, count, max(1, count // ASKED)))
    wanted = max(1, min(count, round(tokens / max(1.0, usual))))
    return [part[i * count // wanted] for i in range(wanted)]


def _order(count: int, seed: int) -> Iterator[int]:
    epoch = 0
    while True:
        yield from map(int, np.random.default_rng([seed, epoch]).permutation(count))
        epoch += 1
