"""The queries of this package: ``.sql`` files beside it, run on the public views of a store.

The files of ``sql/macros`` are run once per connection, as temporary macros, so that a read-only store can
be asked; the others are single statements with named parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from effdsl_registry.store import Store

    Source = Store | str | Path | DuckDBPyConnection
    """Where results are read: a store, its folder, or a connection that has the store's views."""

MACROS = ("numbers", "chosen", "differences", "pareto_front", "groups", "items", "checkpoints")

Row = dict[str, Any]
T = TypeVar("T", bound="attrs.AttrsInstance")


@cache
def statement(name: str) -> str:
    """The text of ``sql/<name>.sql``."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def define(connection: DuckDBPyConnection, *macros: str) -> DuckDBPyConnection:
    """Define macros of the package, all by default, for this connection only.

    ``chosen`` needs the views of a store; the others need nothing.
    """
    for name in macros or MACROS:
        connection.execute(statement(f"macros/{name}"))
    return connection


@contextmanager
def session(source: Source) -> Iterator[DuckDBPyConnection]:
    """A connection on which the package's queries run; the caller's own connection stays as it is.

    Raises:
        TypeError: for anything but a store, its folder, or a connection.
        StoreError: the store's folder is a file.
    """
    import duckdb

    if isinstance(source, duckdb.DuckDBPyConnection):
        with source.cursor() as cursor:
            yield define(cursor)
    else:
        with store_of(source).reading() as connection:
            yield define(connection)


def store_of(source: Store | str | Path) -> Store:
    """The store that is meant: itself, or the one in a folder.

    Raises:
        TypeError: for anything else.
        StoreError: the folder is a file.
    """
    from effdsl_registry.store import Store

    if isinstance(source, Store):
        return source
    if isinstance(source, (str, Path)):
        return Store.find(Path(source))
    raise TypeError(
        f"{source!r} holds no results: give a Store, a store's folder, or a DuckDB connection that has "
        "a store's views"
    )


def rows(connection: DuckDBPyConnection, name: str, parameters: Mapping[str, object]) -> list[Row]:
    """The rows of ``sql/<name>.sql`` as dicts."""
    connection.execute(statement(name), parameters)
    names = [column[0] for column in connection.description or []]
    return [dict(zip(names, row, strict=True)) for row in connection.fetchall()]


def read_as(kind: type[T], row: Row) -> T:
    """The ``kind`` whose fields are columns of ``row``; other columns are left out."""
    return kind(**{field.name: row[field.name] for field in attrs.fields(kind)})
