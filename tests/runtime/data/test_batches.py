"""Batches: which tokens a model sees, and in which order."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from effdsl_runtime.data.batches import batches, held_out_windows
from effdsl_runtime.data.codec import ByteCodec
from effdsl_runtime.data.corpus import Corpus, CorpusFacts
from effdsl_runtime.data.text_files import DataError
from hypothesis import given
from hypothesis import strategies as st

sizes = st.integers(1, 40)


def counting(train: int, held_out: int = 2) -> Corpus:
    """A corpus whose tokens are their own positions."""
    parts = (np.arange(n, dtype=np.uint32) for n in (train, held_out))
    return Corpus(*parts, ByteCodec(), CorpusFacts(train, held_out, 1.0, 0.0))


@given(windows=st.integers(1, 30), context_length=sizes, seed=st.integers(0, 2**31), extra=st.integers(0, 39))
def test_an_epoch_predicts_each_token_at_most_once(
    windows: int, context_length: int, seed: int, extra: int
) -> None:
    """All windows of an epoch together predict different tokens: as many as whole windows fit."""
    corpus = counting(windows * context_length + 1 + min(extra, context_length - 1))
    epoch = islice(batches(corpus, 1, context_length, seed), windows)
    targets = np.concatenate([batch[:, 1:].ravel() for batch in epoch])
    assert len(set(targets.tolist())) == windows * context_length


@given(batch_size=st.integers(1, 8), context_length=sizes, seed=st.integers(0, 2**31))
def test_windows_are_contiguous(batch_size: int, context_length: int, seed: int) -> None:
    """Every row of a batch is a run of consecutive tokens, one longer than the context."""
    for batch in islice(batches(counting(500), batch_size, context_length, seed), 5):
        assert batch.shape == (batch_size, context_length + 1)
        assert (np.diff(batch, axis=1) == 1).all()


def test_the_same_seed_gives_the_same_batches() -> None:
    """Batches depend on the seed and on nothing that came before."""
    one, other = (list(islice(batches(counting(5000), 4, 16, 7), 50)) for _ in range(2))
    assert np.array_equal(one, other)


def test_another_seed_gives_other_batches() -> None:
    """Repeats see the text in different orders."""
    one, other = (next(batches(counting(5000), 4, 16, seed)) for seed in (0, 1))
    assert not np.array_equal(one, other)


def test_a_longer_batch_sees_the_same_windows_sooner() -> None:
    """The order of windows does not depend on how many make a batch."""
    small = np.concatenate(list(islice(batches(counting(5000), 2, 16, 3), 6)))
    large = np.concatenate(list(islice(batches(counting(5000), 6, 16, 3), 2)))
    assert np.array_equal(small, large)


@given(held_out=st.integers(2, 3000), context_length=sizes, tokens=st.integers(1, 4000))
def test_held_out_windows_predict_different_tokens(held_out: int, context_length: int, tokens: int) -> None:
    """No held-out token is predicted twice, and no more than asked for beyond one window."""
    corpus = counting(2, held_out)
    if held_out <= context_length:
        with pytest.raises(DataError, match="held-out part has"):
            held_out_windows(corpus, context_length, tokens)
        return
    targets = held_out_windows(corpus, context_length, tokens)[:, 1:]
    assert len(set(targets.ravel().tolist())) == targets.size <= max(tokens, context_length)


def test_held_out_windows_spread_over_the_whole_part() -> None:
    """The windows evaluated come from beginning, middle and end."""
    starts = held_out_windows(counting(2, 10_001), 10, 100)[:, 0]
    assert starts.tolist() == list(range(0, 10_000, 1000))


def test_a_text_shorter_than_the_context_is_refused() -> None:
    """The message names the part, its size and the context length."""
    with pytest.raises(DataError, match="training part has 10 tokens, fewer than context_length=16"):
        next(batches(counting(10), 1, 16, 0))
