"""What ``effdsl export`` writes: a view, one SELECT, or the tables beside the records.

The rows are fetched and written by us; SQL of others never writes a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from effdsl.problems import nearest
from effdsl_registry.errors import SqlRefused
from effdsl_registry.files import literal
from effdsl_registry.guarded_sql import ask
from effdsl_registry.output import delivering, write_output
from effdsl_registry.rows import TEXT_FORMATS, Rows, write_rows_as_parquet
from effdsl_registry.schema import PUBLIC_VIEWS

if TYPE_CHECKING:
    from effdsl_registry.store import Store

TABLES = ("iterations", "samples")


def rows_to_export(store: Store, view: str, query: str | None, prefixes: Sequence[str] = ()) -> Rows:
    """The rows of ``query`` or, without one, of a view or of the tables beside the records.

    Raises:
        SqlRefused: when there is no such view, or the query is refused.
        UnknownKey: when a prefix names no result.
    """
    if query is not None:
        return ask(store, query)
    if view in TABLES:
        return table_rows(store, view, prefixes)
    if view not in PUBLIC_VIEWS:
        allowed = (*PUBLIC_VIEWS, *TABLES)
        raise SqlRefused(f"no view {view!r}; {nearest(view, allowed)}there are: {', '.join(allowed)}")
    if prefixes:
        raise SqlRefused(f"--key is for {' and '.join(TABLES)}; use --sql with a WHERE for {view}")
    return ask(store, f"FROM {view}")


def table_rows(store: Store, table: str, prefixes: Sequence[str] = ()) -> Rows:
    """Iterations or samples of the latest attempts, each row with the key of its result."""
    import duckdb

    if prefixes:
        chosen = [(record.key, record.attempt) for record in map(store.record, prefixes)]
    else:
        with store.reading() as connection:
            chosen = connection.execute("SELECT key, attempt FROM results ORDER BY key").fetchall()
    name = {"iterations": store.iterations_file, "samples": store.samples_file}[table]
    files = [path for key, attempt in chosen if (path := name(key, attempt)).exists()]
    if not files:
        return Rows((), [])
    listed = ", ".join(literal(str(path)) for path in files)
    with duckdb.connect() as connection:
        connection.execute(f"""
            SELECT parse_filename(parse_dirpath(filename)) AS key, * EXCLUDE (filename)
            FROM read_parquet([{listed}], filename = true, union_by_name = true)
        """)  # noqa: S608 - paths of our own, quoted
        return Rows.of(connection)


def write_rows(rows: Rows, form: str, output: Path | None) -> str:
    """Write ``rows`` to ``output``, whole or not at all; without one, return the text."""
    if form == "parquet":
        if output is None:
            raise ValueError("Parquet needs a file")
        with delivering(output) as file:
            write_rows_as_parquet(rows, file)
        return ""
    text = TEXT_FORMATS[form](rows)
    if output is not None:
        write_output(output, text.encode())
    return text
