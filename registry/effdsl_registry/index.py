"""The index over the record files: made whole or not at all, and made anew whenever it has to be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from effdsl_registry.connection import PATIENCE_S, WRITING, connected
from effdsl_registry.files import locked, sync
from effdsl_registry.ingest import insert_files
from effdsl_registry.layout import Layout
from effdsl_registry.schema import create, transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def rebuild(store: Layout, patience_s: float = PATIENCE_S) -> int:
    """Make the index anew from the record files, beside the old one, and put it in its place.

    Returns how many attempts it holds. Between the removal of the old index and the renaming of the
    new one there is none, and whoever opens the store then makes it anew: no half index is ever read.
    """
    fresh = store.new_index
    with locked(store.lock, patience_s):
        noted = store.journal.read()
        _remove_database(fresh)
        with connected(fresh, read_only=False, config=WRITING) as connection:
            create(connection)
            count = insert_files(connection, map(str, store.record_files()), store)
            for study in store.study_files():
                insert_study(connection, study.read_text(encoding="utf-8"))
            connection.execute("CHECKPOINT")
        sync(fresh)
        _remove_database(store.index)
        fresh.replace(store.index)
        sync(store.root)
        store.journal.clear(noted)
    return count


def insert_study(connection: DuckDBPyConnection, content: str) -> None:
    """Replace the tasks of a study by what its file says."""
    name = json.loads(content)["study"]
    with transaction(connection):
        connection.execute("DELETE FROM internal.study_tasks WHERE study = ?", [name])
        connection.execute(_INSERT_STUDY, [content])


_INSERT_STUDY = """
WITH says AS (SELECT from_json($1, '{"study": "VARCHAR", "file": "VARCHAR", "tasks": [["VARCHAR"]]}') AS s),
rows AS (SELECT s.study, s.file, unnest(s.tasks) AS t, generate_subscripts(s.tasks, 1) - 1 AS place FROM says)
INSERT INTO internal.study_tasks
SELECT study, file, place, t[1], t[2], t[3], t[4] FROM rows
"""


def _remove_database(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
