"""A table at any width: no number is broken, nothing is lost."""

from __future__ import annotations

import io

from effdsl_runtime.tables import Column, print_columns
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

NAMES = ("technique", "scale", "memory over baseline", "parameters", "tasks", "reason")
numbers = st.integers(0, 10**12).map(lambda n: f"{n:,}")
words = st.lists(st.sampled_from(["NSA(window=12)", "·", "ALiBi", "needs", "more"]), max_size=12).map(
    " ".join
)
rows = st.lists(
    st.tuples(words, st.sampled_from(["1M", "0.5B"]), numbers, numbers, words, words), min_size=1, max_size=4
)


def printed(found: list[tuple[str, ...]], width: int) -> list[str]:
    out = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    values = zip(*found, strict=True)
    is_text = (True, True, False, False, True, True)
    print_columns(out, list(map(Column, NAMES, values, is_text)), keys=2)
    return out.file.getvalue().splitlines()  # type: ignore[attr-defined]


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
