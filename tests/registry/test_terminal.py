"""How rows look on terminals of any width: nothing is cut, and narrow ones get a block per row."""

from __future__ import annotations

import io

import pytest
from effdsl_registry.rows import Column, Rows
from effdsl_registry.store import Store
from effdsl_registry.terminal import print_rows
from rich.console import Console


def printed(rows: Rows, width: int) -> str:
    out = io.StringIO()
    print_rows(rows, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def all_results(store: Store) -> Rows:
    with store.reading() as connection:
        connection.execute("FROM results LIMIT 2")
        return Rows.of(connection)


@pytest.mark.slow
@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_every_column_of_results_is_there_at_any_width(filled: Store, width: int) -> None:
    """The view has more columns than a terminal is wide, and each is named once per row."""
    rows = all_results(filled)
    lines = printed(rows, width).splitlines()
    assert max(map(len, lines)) <= width
    assert sum(line.startswith("row ") for line in lines) == 2
    named = [line.split()[0] for line in lines if line.split() and not line.startswith("row ")]
    for column in rows.columns:
        assert named.count(column.name) == 2
    key = next(str(row[0]) for row in rows.rows)
    assert key in "".join(line.split()[-1] for line in lines if line.split())


def test_rows_that_fit_are_a_table() -> None:
    rows = Rows((Column("technique", "VARCHAR"), Column("ppl", "DOUBLE")), [("MQA", 1.5), ("GQA", 20.25)])
    head, _, first, second = filter(None, map(str.strip, printed(rows, 40).splitlines()))
    assert head.split() == ["technique", "ppl"]
    assert first.split() == ["MQA", "1.5"]
    assert second.split() == ["GQA", "20.25"]


def test_a_table_turns_into_blocks_exactly_when_it_is_too_wide() -> None:
    rows = Rows((Column("a", "VARCHAR"), Column("b", "VARCHAR")), [("x" * 10, "y" * 10)])
    narrowest = min(width for width in range(15, 60) if "row 1" not in printed(rows, width))
    assert max(map(len, printed(rows, narrowest).splitlines())) <= narrowest
    assert "x" * 10 in printed(rows, narrowest)
    assert "row 1 of 1" in printed(rows, narrowest - 1)


def test_a_long_value_is_folded_and_not_cut() -> None:
    rows = Rows((Column("text", "VARCHAR"),), [("abcdefghij" * 20,)])
    assert "".join(printed(rows, 40).replace("text", "").split()[4:]) == "abcdefghij" * 20


def test_nobodys_name_is_markup() -> None:
    rows = Rows((Column("[red]a", "VARCHAR"), Column("b", "VARCHAR")), [("[bold]x[/]", "y" * 40)])
    for width in (30, 200):
        assert "[bold]x[/]" in printed(rows, width)
        assert "[red]a" in printed(rows, width)


def test_no_rows_of_many_columns_name_the_columns() -> None:
    rows = Rows(tuple(Column(f"column_{n}", "DOUBLE") for n in range(20)), [])
    text = printed(rows, 60)
    assert text.startswith("no rows; columns: column_0, ")
    assert "column_19" in text
