"""Integers of few bits come back from their bytes, of which there are no more than needed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from effdsl_runtime.quantizing.packing import pack, unpack
from hypothesis import given
from hypothesis import strategies as st


@st.composite
def matrices(draw: st.DrawFn) -> tuple[int, list[list[int]]]:
    """Bits, and rows of integers that they hold."""
    bits = draw(st.sampled_from([2, 3, 4]))
    columns = draw(st.integers(1, 40))
    row = st.lists(st.integers(0, 2**bits - 1), min_size=columns, max_size=columns)
    return bits, draw(st.lists(row, min_size=1, max_size=4))


@given(matrices())
def test_they_come_back(matrix: tuple[int, list[list[int]]]) -> None:
    """Whatever their number and bits."""
    bits, rows = matrix
    packed = pack(torch.tensor(rows, dtype=torch.uint8), bits)
    assert unpack(packed, bits, len(rows[0])).tolist() == rows


@given(matrices())
def test_a_row_is_one_stream_of_bits(matrix: tuple[int, list[list[int]]]) -> None:
    """The lowest bit of the first integer first, written as one large number."""
    bits, rows = matrix
    for row, found in zip(rows, pack(torch.tensor(rows, dtype=torch.uint8), bits).tolist(), strict=True):
        number = sum(value << (bits * place) for place, value in enumerate(row))
        assert bytes(found) == number.to_bytes(len(found), "little")


@pytest.mark.parametrize(("bits", "sizes"), [(4, (1, 32)), (3, (3, 24)), (2, (1, 16))])
def test_there_are_no_gaps(bits: int, sizes: Sequence[int]) -> None:
    """Bytes of one integer alone, and of 64."""
    found = [pack(torch.zeros(1, count, dtype=torch.uint8), bits).shape[1] for count in (1, 64)]
    assert tuple(found) == sizes
