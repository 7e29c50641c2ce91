"""Batches of examples: their order, and what stands where an example is shorter than the longest."""

from __future__ import annotations

from itertools import chain, islice

import torch
from effdsl_runtime.data.example_batches import example_batches, padded
from effdsl_runtime.data.model_tokenizer import Example
from hypothesis import given
from hypothesis import strategies as st

EXAMPLES = [Example([i, i], [False, True]) for i in range(10)]


def first_tokens(seed: int, batch_size: int, count: int, examples: list[Example] = EXAMPLES) -> list[int]:
    """Which examples the first ``count`` of all batches are."""
    batches = example_batches(examples, batch_size, seed)
    return [example.tokens[0] for example in islice(chain.from_iterable(batches), count)]


@given(st.integers(0, 2**32), st.integers(1, 25), st.integers(1, 12))
def test_every_epoch_serves_every_example_once(seed: int, batch_size: int, examples: int) -> None:
    """Whatever the batch size, examples come epoch by epoch, and none is dropped between two."""
    there = min(examples, len(EXAMPLES))
    served = first_tokens(seed, batch_size, 3 * there, EXAMPLES[:there])
    for epoch in range(3):
        assert sorted(served[epoch * there : (epoch + 1) * there]) == list(range(there))


def test_the_order_is_that_of_the_seed() -> None:
    """The same seed gives the same order whatever the batch size; another seed or epoch another."""
    assert first_tokens(3, 4, 30) == first_tokens(3, 7, 30)
    assert first_tokens(3, 4, 30) != first_tokens(4, 4, 30)
    assert first_tokens(3, 4, 30)[:10] != first_tokens(3, 4, 30)[10:20]


def test_padding_is_never_predicted() -> None:
    """Counted by hand, with a padding that is the end of text."""
    batch = [Example([5, 6, 9], [False, True, True]), Example([7, 9], [False, True])]
    input_ids_bt, labels_bt = padded(batch, pad=9)
    assert torch.equal(input_ids_bt, torch.tensor([[5, 6, 9], [7, 9, 9]]))
    assert torch.equal(labels_bt, torch.tensor([[-100, 6, 9], [-100, 9, -100]]))
    assert input_ids_bt.dtype == labels_bt.dtype == torch.int64
