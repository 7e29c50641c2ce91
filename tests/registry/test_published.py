"""What the paper printed, in every store."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import duckdb
import pytest
from effdsl_registry import published, schema
from effdsl_registry.store import Store

from effdsl.metrics import BY_NAME

FOLDER = files("effdsl_registry.published")


def csv_values() -> Iterator[tuple[int, int, str, str]]:
    """(table, line, column, printed) of every metric column that is not empty."""
    for table in published.TABLES:
        with FOLDER.joinpath(table.file).open(encoding="utf-8", newline="") as file:
            for line, row in enumerate(csv.DictReader(file), start=1):
                for column, printed in row.items():
                    if column in BY_NAME and printed:
                        yield table.number, line, column, printed


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with Store(tmp_path / "store").reading() as connection:
        yield connection


def test_every_printed_value_is_in_a_store_where_nothing_was_measured(
    empty: duckdb.DuckDBPyConnection,
) -> None:
    stored = empty.execute("SELECT table_number, line, metric, printed FROM published").fetchall()
    assert sorted(stored) == sorted(csv_values())


def test_a_value_is_the_number_that_was_printed(empty: duckdb.DuckDBPyConnection) -> None:
    for value, printed in empty.execute("SELECT value, printed FROM published").fetchall():
        assert value == float(Decimal(printed))


def test_every_row_says_that_it_was_published_and_how_a_garbled_cell_was_read(
    empty: duckdb.DuckDBPyConnection,
) -> None:
    assert empty.execute("SELECT DISTINCT evidence FROM published").fetchall() == [("published",)]
    read = empty.execute(
        "SELECT DISTINCT table_number, model, method FROM published WHERE reading_note LIKE '%decimal point%'"
    ).fetchall()
    assert sorted(read) == [(7, "mistral-7b", "full"), (7, "mistral-small-24b", "full")]


def test_published_values_are_nobodys_results(empty: duckdb.DuckDBPyConnection) -> None:
    for view in ("results", "cells", "measurements"):
        assert empty.table(view).fetchall() == []


def test_all_87_statements_are_there_in_their_order(empty: duckdb.DuckDBPyConnection) -> None:
    ids = [row[0] for row in empty.execute("SELECT id FROM claims ORDER BY place").fetchall()]
    assert ids == [f"C{i}" for i in range(1, 88)]


def test_loading_again_changes_nothing() -> None:
    with duckdb.connect() as connection:
        schema.create(connection)
        before = connection.execute("FROM published ORDER BY ALL").fetchall()
        published.load(connection)
        assert connection.execute("FROM published ORDER BY ALL").fetchall() == before


@pytest.mark.slow
def test_a_store_takes_over_tables_that_a_newer_package_reads_otherwise(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with filled.reading() as connection:
        assert schema.is_current(connection)
    monkeypatch.setattr(published, "digest", lambda: "another")
    with filled.reading() as connection:
        assert schema.is_current(connection)
        assert connection.execute("SELECT count(*) FROM published").fetchone() == (len(list(csv_values())),)
