"""Keeping a store whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from effdsl_registry.connection import connected
from effdsl_registry.files import locked, sync
from effdsl_registry.ingest import insert_files
from effdsl_registry.schema import create
from effdsl_registry.store import insert_study

if TYPE_CHECKING:
    from effdsl_registry.store import Store


def rebuild(store: Store) -> int:
    """Make the index anew from the record files, beside the old one, and put it in its place.

    Returns how many attempts it holds. Between the removal of the old index and the renaming of the
    new one there is none, and whoever opens the store then makes it anew: no half index is ever read.
    """
    fresh = store.root / "index.duckdb.new"
    with locked(store.root / "index.lock", store.patience_s):
        noted = store.journal.read()
        _remove_database(fresh)
        with connected(fresh, read_only=False) as connection:
            create(connection)
            count = insert_files(connection, store.record_files())
            for study in sorted((store.root / "studies").glob("*.json")):
                insert_study(connection, study.read_text())
            connection.execute("CHECKPOINT")
        sync(fresh)
        _remove_database(store.index)
        fresh.replace(store.index)
        sync(store.root)
        store.journal.clear(noted)
    return count


def _remove_database(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".wal").unlink(missing_ok=True)
