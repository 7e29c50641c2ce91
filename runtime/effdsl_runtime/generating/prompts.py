"""Prompts of one length, no two the same, out of the held-out part of some text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from effdsl.techniques.precision.weight_format import WeightFormat
from effdsl_runtime.data.examples import ExamplePart
from effdsl_runtime.data.text_files import DataError


def prompts_of(part: ExamplePart, length: int, count: int, seed: int) -> Tensor:
    """``(count, length)``: pieces of ``part``, whose examples are read as one text.

    They begin at different tokens, as far from one another as the text allows: a cache of prefixes finds
    nothing. Which, depends on ``seed`` and on nothing else.

    Raises:
        DataError: when the text has fewer than ``count`` places to begin at.
    """
    starts = len(part.tokens) - length + 1
    if starts < count:
        raise DataError(
            f"the held-out part has {len(part.tokens):,} tokens, too few for {count:,} prompts of "
            f"{length:,}; give more text with data=, or a smaller load="
        )
    apart = starts // count
    order = np.random.default_rng(seed)
    first = int(order.integers(0, starts - apart * (count - 1)))
    chosen = order.permutation(count) * apart + first
    pieces = [np.asarray(part.tokens[start : start + length], dtype=np.int64) for start in chosen]
    return torch.from_numpy(np.stack(pieces))


def calibration_of(weight_format: WeightFormat, part: ExamplePart) -> Sequence[Tensor]:
    """What ``weight_format`` is fitted to: pieces ``(1, tokens)`` of ``part``; none where it is fitted to
    nothing.

    Raises:
        DataError: when there is too little text.
    """
    wanted = weight_format.fitted_to
    if wanted is None:
        return ()
    return prompts_of(part, wanted.tokens, wanted.samples, wanted.seed)[:, None].unbind()
