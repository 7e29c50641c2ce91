"""Batches of windows over a corpus: the same for every technique of a repeat."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from effdsl_runtime.data.codec import Tokens
from effdsl_runtime.data.corpus import Corpus
from effdsl_runtime.data.text_files import DataError

Windows = npt.NDArray[np.int64]


def batches(corpus: Corpus, batch_size: int, context_length: int, seed: int) -> Iterator[Windows]:
    """Endless batches of windows ``x_bs`` with s = context_length + 1: inputs and, one on, targets.

    An epoch cuts the training part into windows that do not overlap, from a random start, and serves
    them in a random order; the batches depend on the arguments and on nothing else.

    Raises:
        DataError: when the training part is shorter than one window.
    """
    order = _order(len(corpus.train), context_length, seed)
    while True:
        starts_b = [next(order) for _ in range(batch_size)]
        yield _windows(corpus.train, starts_b, context_length)


def held_out_windows(corpus: Corpus, context_length: int, tokens: int) -> Windows:
    """Windows ``x_ns`` spread evenly over the held-out part, predicting about ``tokens`` tokens.

    Raises:
        DataError: when the held-out part is shorter than one window.
    """
    there = _window_count("held-out", len(corpus.held_out), context_length)
    wanted = min(there, max(1, tokens // context_length))
    starts_n = [(i * there // wanted) * context_length for i in range(wanted)]
    return _windows(corpus.held_out, starts_n, context_length)


def _order(tokens: int, context_length: int, seed: int) -> Iterator[int]:
    count = _window_count("training", tokens, context_length)
    random = np.random.default_rng(seed)
    while True:
        slack = tokens - 1 - count * context_length
        offset = int(random.integers(slack + 1))
        for window in random.permutation(count):
            yield offset + int(window) * context_length


def _window_count(part: str, tokens: int, context_length: int) -> int:
    count = (tokens - 1) // context_length
    if count < 1:
        raise DataError(
            f"the {part} part has {tokens:,} tokens, fewer than context_length={context_length} + 1;"
            " give more text or a shorter context_length"
        )
    return count


def _windows(tokens: Tokens, starts: list[int], context_length: int) -> Windows:
    return np.stack([tokens[start : start + context_length + 1] for start in starts]).astype(np.int64)
