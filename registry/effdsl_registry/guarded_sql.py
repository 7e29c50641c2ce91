"""Guarded SQL: one SELECT of anybody's, on a connection that can do nothing else.

DuckDB calls SQL as powerful as a shell, so every layer here closes what another leaves open: read-only
(no change to the store), no external access and no file system at all (``COPY`` could overwrite the
store's own file, which stays allowed under ``enable_external_access=false``), no Python variables, no
settings after the lock, one statement and only of type SELECT (``EXPLAIN ANALYZE COPY`` would write),
a limit on memory and on time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from effdsl.problems import nearest
from effdsl_registry.connection import CONFIG
from effdsl_registry.errors import SqlRefused
from effdsl_registry.rows import Rows
from effdsl_registry.schema import PUBLIC_VIEWS
from effdsl_registry.stoppable import Halt, stoppable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_registry.store import Store

TIMEOUT_S = 60.0
MEMORY_LIMIT = "2GB"


def ask(store: Store, sql: str, timeout_s: float = TIMEOUT_S, memory_limit: str = MEMORY_LIMIT) -> Rows:
    """The rows of one SELECT over the public views of ``store``.

    Raises:
        SqlRefused: when it is not exactly one SELECT, is wrong, or takes too long or too much.
        StoreError: when the store cannot be read.
    """
    import duckdb

    config = {
        **CONFIG,
        "enable_external_access": False,
        "python_enable_replacements": False,
        "temp_directory": "",
        "memory_limit": memory_limit,
    }

    def rows(halt: Halt) -> Rows:
        with store.reading(config) as connection:
            connection.execute("SET disabled_filesystems = 'LocalFileSystem'")
            connection.execute("SET lock_configuration = true")
            _refuse_all_but_one_select(connection, sql)
            with halt.working_on(connection):
                connection.execute(sql)
                return Rows.of(connection, halt.go_on)

    try:
        return stoppable(rows, timeout_s)
    except TimeoutError as error:
        raise SqlRefused(f"stopped after {timeout_s:g} s; --timeout gives it longer") from error
    except duckdb.OutOfMemoryException as error:
        raise SqlRefused(f"needs over {memory_limit} of memory; select less, or aggregate") from error
    except duckdb.Error as error:
        raise SqlRefused(explain(str(error))) from error


def explain(message: str) -> str:
    """DuckDB's message, with the nearest public view where a table is not known."""
    text = message.strip()
    unknown = re.search(r"Table with name (\S+) does not exist", text)
    if not unknown:
        return text
    guess = nearest(unknown[1].strip('"!'), PUBLIC_VIEWS)
    return f"{text.splitlines()[0]}\n{guess}there are: {', '.join(PUBLIC_VIEWS)}"


def _refuse_all_but_one_select(connection: DuckDBPyConnection, sql: str) -> None:
    import duckdb

    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise SqlRefused(f"one SELECT, please; found {len(statements) or 'no'} statements")
    if _is_pragma(sql):
        raise SqlRefused(
            "only SELECT is allowed here, found PRAGMA; SHOW TABLES and DESCRIBE results look around"
        )
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        name = kind.name.replace("_", " ")
        hint = "; write a static PIVOT with its IN list inside FROM (…)" if name == "MULTI" else ""
        raise SqlRefused(f"only SELECT is allowed here, found {name}{hint}")


def _is_pragma(sql: str) -> bool:
    """Whether the statement is a PRAGMA: DuckDB calls some of them SELECT, for it has rewritten them."""
    import duckdb

    text = sql.encode()
    words = (text[start : start + 6].upper() for start, _ in duckdb.tokenize(sql))
    return next((word for word in words if not word.startswith(b";")), b"") == b"PRAGMA"
