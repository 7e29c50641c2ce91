"""Keeping a store: copy it whole, throw away what nothing needs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from effdsl.key import short
from effdsl_registry import task_claims
from effdsl_registry.checkpoints import files_in
from effdsl_registry.errors import StoreError
from effdsl_registry.files import TEMPORARY
from effdsl_registry.index import rebuild
from effdsl_registry.schema import transaction
from effdsl_registry.store import Store

ORPHANED_AFTER_S = 60.0


@attrs.frozen
class Garbage:
    """A file, or a checkpoint's folder, that nothing needs, and why."""

    path: Path
    reason: str
    size: int


def backup(store: Store, target: Path) -> int:
    """Copy the store to the new folder ``target``; returns how many attempts the copy holds.

    Record files never change once they are there, so copying them is safe while others write. The
    index is made anew from the copies, which proves that they are whole.

    Raises:
        StoreError: when ``target`` exists, or there is nothing to copy.
    """
    if target.exists():
        raise StoreError(f"{target} exists already; give the name of a new folder")
    if not store.records.is_dir():
        raise StoreError(f"the store {store.root} is empty; there is nothing to back up")
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    copy = Store(partial)
    for part, its_copy in (
        (store.records, copy.records),
        (store.code_sets.folder, copy.code_sets.folder),  # after the records that name it
        (store.studies, copy.studies),
        (store.logs, copy.logs),
        (store.checkpoints.folder, copy.checkpoints.folder),
    ):
        if part.is_dir():
            shutil.copytree(part, its_copy, ignore=shutil.ignore_patterns(f"*{TEMPORARY}"))
    count = rebuild(copy)
    partial.replace(target)
    return count


def garbage(store: Store) -> list[Garbage]:
    """What ``collect`` would remove: superseded attempts, orphans of processes that were killed."""
    found = [*_superseded(store), *_orphans(store), *_unnamed_code(store), *_vanished_logs(store)]
    found += [_garbage(path, "claim that nobody holds") for path in task_claims.abandoned(store.claims)]
    return [*found, *_checkpoints_of_nothing(store)]


def checkpoints(store: Store) -> list[Garbage]:
    """Every checkpoint, which can be made again by running its task."""
    return [_garbage(path, "checkpoint") for path in store.checkpoints.kept()]


def collect(store: Store, what: list[Garbage]) -> None:
    """Remove these files, and the rows of the records and code sets among them."""
    code = {item.path.stem for item in what if item.path.parent == store.code_sets.folder}
    attempts = {item.path.stem for item in what if item.path.suffix == ".json"} - code
    if attempts or code:
        with store.writing() as connection, transaction(connection):
            for table, names in (("attempts", attempts), ("items", attempts), ("code", code)):
                connection.execute(_DELETE[table], [",".join(names)])
    for item in what:
        if item.path.is_dir():
            shutil.rmtree(item.path)
        else:
            item.path.unlink(missing_ok=True)


_DELETE = {
    "attempts": "DELETE FROM internal.attempts WHERE attempt IN (SELECT unnest(string_split(?, ',')))",
    "items": "DELETE FROM internal.items WHERE attempt IN (SELECT unnest(string_split(?, ',')))",
    "code": "DELETE FROM internal.code WHERE code IN (SELECT unnest(string_split(?, ',')))",
}


def _superseded(store: Store) -> Iterator[Garbage]:
    """Attempts that are not the latest at their key, with the files beside them."""
    with store.reading() as connection:
        older = connection.execute(
            "SELECT key, attempt FROM attempts ANTI JOIN results USING (attempt)"
        ).fetchall()
    for key, attempt in older:
        for path in (
            store.record_file(key, attempt),
            store.iterations_file(key, attempt),
            store.samples_file(key, attempt),
            store.items_file(key, attempt),
        ):
            if path.exists():
                yield _garbage(path, "superseded by a later attempt")


def _orphans(store: Store) -> Iterator[Garbage]:
    """Temporary files, and tables without their record, that no running task is about to finish."""
    running = {claim.key for claim in store.running()}
    for path in store.attempt_files():
        if path.parent.name in running or _is_young(path):
            continue
        if path.name.endswith(TEMPORARY):
            yield _garbage(path, "left unfinished by a process that was killed")
        elif path.suffix == ".parquet" and not store.record_of(path).exists():
            yield _garbage(path, "belongs to a record that was never finished")


def _unnamed_code(store: Store) -> Iterator[Garbage]:
    """Code sets that no record names, and that no running task has just kept for one."""
    with store.reading() as connection:
        named = {name for (name,) in connection.execute("SELECT DISTINCT code FROM attempts").fetchall()}
    left = {path.stem: path for path in store.code_sets.files() if path.stem not in named}
    left = {name: path for name, path in left.items() if not _is_young(path)}
    for record in store.record_files() if left else ():  # one that was copied in is not indexed
        content = record.read_text(encoding="utf-8", errors="replace")
        left = {name: path for name, path in left.items() if name not in content}
    for path in left.values():
        yield _garbage(path, "code set that no record names")


def _vanished_logs(store: Store) -> Iterator[Garbage]:
    """Logs whose attempt has no record and is not running."""
    recorded = {store.log_file(path.parent.name, path.stem) for path in store.record_files()}
    running = tuple(short(claim.key) for claim in store.running())
    for path in store.log_files():
        if path not in recorded and not path.name.startswith(running):
            yield _garbage(path, "log of an attempt that has no record")


def _checkpoints_of_nothing(store: Store) -> Iterator[Garbage]:
    """Checkpoints that no record names, and those that no running task is about to finish."""
    running = {claim.key for claim in store.running()}
    for path in store.checkpoints.kept():
        has_record = any(store.folder(path.name).glob("*.json"))
        if not has_record and path.name not in running and not _is_young(path):
            yield _garbage(path, "checkpoint of a task that has no record")
    for path in store.checkpoints.left_unfinished():
        if path.name.split(".")[1] not in running and not _is_young(path):
            yield _garbage(path, "checkpoint left unfinished by a process that was killed")


def _is_young(path: Path) -> bool:
    """Whether somebody may still be at it; one who has just finished has moved it to its place."""
    try:
        return time.time() - path.stat().st_mtime < ORPHANED_AFTER_S
    except FileNotFoundError:
        return True


def _garbage(path: Path, reason: str) -> Garbage:
    files = files_in(path) if path.is_dir() else [path]
    return Garbage(path, reason, sum(file.stat().st_size for file in files))
