"""Answers and views as DuckDB relations, to go on with in SQL, pandas, polars or Arrow.

A relation lives in a database of its own in memory: the store is read, closed, and free for others. Go on
with ``relation.filter(…)``, ``relation.query("r", "SELECT … FROM r")`` or ``relation.fetchall()``;
``.df()`` needs pandas, ``.arrow()`` pyarrow, ``.pl()`` polars and pyarrow.
"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import attrs
from effdsl_registry.files import quoted

from effdsl_analysis.ask import UnknownName, unknown
from effdsl_analysis.queries import session

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

    from effdsl_analysis.queries import Source

TYPES = {
    "bool": "BOOLEAN",
    "int": "BIGINT",
    "float": "DOUBLE",
    "str": "VARCHAR",
    "dict": "JSON",
    "tuple[str, ...]": "VARCHAR[]",
}
NOTHING = {"nothing": "VARCHAR"}


@attrs.frozen
class AnswerTable:
    """An answer as a table.

    Attributes:
        types: SQL type by column.
        records: the rows; a column that one does not have is NULL there.
    """

    types: Mapping[str, str]
    records: Sequence[Mapping[str, Any]]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]], known: Mapping[str, str] | None = None) -> AnswerTable:
        """``records``, of the ``known`` types, else of those that their values have."""
        kept, types = list(records), known or {}
        names = dict.fromkeys(name for record in kept for name in record) or types
        return cls({name: types.get(name) or _found(r.get(name) for r in kept) for name in names}, kept)


def types_of(cell: type) -> dict[str, str]:
    """Types of an attrs class's fields. Its annotations are strings, as they are not evaluated."""
    kinds = {field.name: str(field.type).removesuffix(" | None") for field in attrs.fields(cell)}
    known = TYPES | dict.fromkeys(_enums(cell.__module__), TYPES["str"])
    return {name: known[kind] for name, kind in kinds.items() if kind in known}


def _enums(module: str) -> Iterable[str]:
    """Names by which a module knows enums: their values are text."""
    return (name for name, known in vars(sys.modules[module]).items() if isinstance(known, enum.EnumMeta))


@runtime_checkable
class Tabular(Protocol):
    """An answer that says how it looks as rows."""

    def to_rows(self) -> AnswerTable: ...


class Listed(Protocol):
    """An answer whose document is a list of rows already."""

    def to_json(self) -> list[dict[str, Any]]: ...


def relation(answer: Tabular | Listed) -> DuckDBPyRelation:
    """The rows of an answer, e.g. of a ranking: one per metric, group and technique.

    An answer that found nothing and declares no columns has one, ``nothing``, and no row.
    """
    import duckdb

    rows = answer.to_rows() if isinstance(answer, Tabular) else AnswerTable.of(answer.to_json(), NOTHING)
    columns = ", ".join(
        f"unnest(from_json(${place}, '{json.dumps([kind])}')) AS {quoted(name)}"
        for place, (name, kind) in enumerate(rows.types.items(), start=1)
    )
    values = [json.dumps([record.get(name) for record in rows.records]) for name in rows.types]
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE answer AS SELECT {columns}", values)
    return connection.table("answer")


def view(source: Source, name: str) -> DuckDBPyRelation:
    """The rows of one of the store's views, e.g. ``"loss_curves"``.

    Raises:
        UnknownName: for a view that does not exist, with the nearest one.
    """
    import duckdb

    connection = duckdb.connect()
    with session(source) as store, TemporaryDirectory() as folder:
        known = [row[0] for row in store.execute(_VIEWS).fetchall()]
        if name not in known:
            raise UnknownName(unknown("view", name, known))
        copy = str(Path(folder) / "rows.parquet")
        store.table(name).write_parquet(copy)
        connection.read_parquet(copy).create(name)
    return connection.table(name)


def results(source: Source) -> DuckDBPyRelation:
    """The latest result of every task: what it was, how it ended, every metric, where it ran."""
    return view(source, "results")


def cells(source: Source) -> DuckDBPyRelation:
    """Every cell over its repeats: the means of the metrics."""
    return view(source, "cells")


def published(source: Source) -> DuckDBPyRelation:
    """What the paper's tables print, a row per value."""
    return view(source, "published")


_VIEWS = """
SELECT view_name FROM duckdb_views()
WHERE NOT internal AND schema_name = 'main' AND database_name = current_database() ORDER BY view_name
"""


def _found(values: Iterable[Any]) -> str:
    """The one type of ``values``; text where there is none, JSON where there are several."""
    kinds = {_kind(value) for value in values if value is not None}
    if kinds == {"BIGINT", "DOUBLE"}:
        return "DOUBLE"
    return "JSON" if len(kinds) > 1 else next(iter(kinds), "VARCHAR")


def _kind(value: object) -> str:
    if isinstance(value, list | tuple):
        return "VARCHAR[]" if all(isinstance(one, str) for one in value) else "JSON"
    return TYPES[type(value).__name__]
