"""Prompts out of a text."""

from __future__ import annotations

import numpy as np
import pytest
from effdsl_runtime.data.examples import ExamplePart, PartFacts
from effdsl_runtime.data.text_files import DataError
from effdsl_runtime.generating.prompts import prompts_of
from hypothesis import given
from hypothesis import strategies as st


def part(tokens: int) -> ExamplePart:
    """A text that counts its tokens, so that a piece says where it is from."""
    counted = np.arange(tokens, dtype=np.uint16)
    return ExamplePart(counted, np.ones(tokens, bool), np.array([tokens]), PartFacts())


@given(st.integers(1, 40), st.integers(1, 30), st.integers(0, 200), st.integers(0, 2**32))
def test_pieces_of_the_text_no_two_the_same(length: int, count: int, more: int, seed: int) -> None:
    """Each is a stretch of the text, of the length asked for, with a start of its own."""
    found = prompts_of(part(length + count - 1 + more), length, count, seed).numpy()
    assert found.shape == (count, length)
    assert (np.diff(found, axis=1) == 1).all()
    assert len(set(found[:, 0])) == count


def test_they_depend_on_the_seed_alone() -> None:
    """The same for every precision of a repeat, others for the next repeat."""
    first, again, other = (prompts_of(part(5000), 16, 8, seed) for seed in (3, 3, 4))
    assert first.equal(again)
    assert not first.equal(other)


def test_a_text_that_is_too_short_is_refused() -> None:
    """With how much there is and what is wanted."""
    with pytest.raises(DataError, match="20 tokens, too few for 6 prompts of 16"):
        prompts_of(part(20), 16, 6, 0)
