"""A table at any width: no number is broken, nothing is lost."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from effdsl.tables import FittingTable

NAMES = ("technique", "scale", "memory over baseline", "parameters", "tasks", "reason")
numbers = st.integers(0, 10**12).map(lambda n: f"{n:,}")
words = st.lists(st.sampled_from(["NSA(window=12)", "·", "ALiBi", "needs", "more"]), max_size=12).map(
    " ".join
)
rows = st.lists(
    st.tuples(words, st.sampled_from(["1M", "0.5B"]), numbers, numbers, words, words), min_size=1, max_size=4
)


def printed(found: list[tuple[str, ...]], width: int) -> list[str]:
    """The lines of a table whose third and fourth columns are numbers."""
    out = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    table = FittingTable(keys=2)
    for place, name in enumerate(NAMES):
        table.add_column(name, no_wrap=place in (2, 3))
    for row in found:
        table.add_row(*row)
    out.print(table)
    return out.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.slow
@given(rows, st.integers(60, 200))
def test_every_number_stands_whole_in_a_line_and_no_line_is_too_long(
    found: list[tuple[str, ...]], width: int
) -> None:
    lines = printed(found, width)
    assert all(len(line) <= width for line in lines)
    seen = [token for line in lines for token in line.split()]
    for row in found:
        assert set(row[2:4]) <= set(seen)
        assert {word for text in (*row[:1], *row[4:]) for word in text.split()} <= set(seen)


def test_what_does_not_fit_beside_the_rest_follows_below_with_the_names_of_the_rows() -> None:
    row = ("GQA", "1M", "1,234,567,890", "9,876,543,210", "3 unavailable", "x" * 20)
    assert len(printed([row], 200)) == 2
    narrow = printed([row], 60)
    assert [line.split()[0] for line in narrow if line.startswith("GQA")] == ["GQA", "GQA"]
    assert "" in narrow


def test_a_name_keeps_its_place_beside_many_numbers() -> None:
    row = ("learnable_absolute", "0.5713 (1)", "50.27 (3)", "7.555e-08 (1)", "532.3 (1)")
    table = FittingTable()
    for place, label in enumerate(("technique", "loss", "AMU (GB)", "ST (samples/param/s)", "AEC (W)")):
        table.add_column(label, no_wrap=place > 0)
    table.add_row(*row)
    out = Console(file=io.StringIO(), width=60)
    out.print(table)
    lines = out.file.getvalue().splitlines()  # type: ignore[attr-defined]
    named = [line for line in lines if line.startswith("learnable_absolute ")]
    assert len(named) == 2
    assert all(any(value in line for line in named) for value in row)


def test_where_even_the_key_is_too_wide_text_gives_way_and_the_number_stays() -> None:
    lines = printed([("many words that say whose row this is", "0.5B", "1,234,567,890", "7", "", "")], 40)
    assert all(len(line) <= 40 for line in lines)
    assert any("1,234,567,890" in line for line in lines)
