"""Is the store what it says? Every record is hashed again and compared with the index."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from effdsl.key import key_of
from effdsl_registry.errors import REBUILD, RecordDamaged, StoreError
from effdsl_registry.files import TEMPORARY, literal
from effdsl_registry.ingest import RecordFile, read_record_file
from effdsl_registry.records import Record, from_json

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_registry.store import Store


@attrs.frozen
class StoreFault:
    """Something that is not as it should be. ``remedy`` says what to do about it."""

    path: Path
    what: str
    remedy: str


@attrs.frozen
class Verification:
    """How many records were looked at, and what was found."""

    records: int
    findings: tuple[StoreFault, ...]


REMOVE = "take it from a backup, or remove it and run its study again"
RESTORE = "take it from a backup; without it nobody sees whether code has changed since"
AGAIN = "take it from a backup, or run its study again with `effdsl execute STUDY --retry ok`"
COLLECT = "`effdsl store gc --delete` removes it"


def verify(store: Store) -> Verification:
    """Check every record file, what belongs to it, and the index, after indexing what waits."""
    findings: list[StoreFault] = []
    paths = sorted(store.record_files())  # before the index is read, which then has those written meanwhile
    indexed = _index_rows(store, findings)
    count = 0
    code = {path.stem for path in store.code_sets.files()}
    left: dict[str, Record] = {}
    for path in paths:
        count += 1
        file = read_record_file(str(path))
        if file is None:  # removed meanwhile
            continue
        record, wrong = _record_findings(store, path, file)
        findings += wrong
        if record is not None and record.provenance.code:
            code.add(record.provenance.code)
        if record is not None and record.files:
            left[record.key] = max(left.get(record.key, record), record, key=_finished)
        if indexed is None:
            continue
        known = indexed.pop((file.key, file.attempt), None)
        if known is None and not wrong:
            findings.append(StoreFault(path, "is not in the index", REBUILD))
        elif known is not None and known != file.checksum:
            findings.append(StoreFault(path, "is not the file that was indexed", REBUILD))
    findings += [
        StoreFault(path, "is in the index, but the file is gone", REBUILD)
        for path in (store.record_file(key, attempt) for key, attempt in indexed or {})
        if not path.exists()  # else it was written after the files were listed
    ]
    findings += [*_code_findings(store, code), *_table_findings(store), *_checkpoint_findings(store, left)]
    return Verification(count, tuple(findings))


def _index_rows(store: Store, findings: list[StoreFault]) -> dict[tuple[str, str], int] | None:
    """Checksum by (key, attempt), as the index has it; ``None`` when it cannot be read."""
    try:
        with store.reading() as connection:
            rows = connection.execute("SELECT key, attempt, checksum FROM internal.attempts").fetchall()
            findings += _whole_index(store, connection)
    except StoreError as error:
        findings.append(StoreFault(store.index, str(error).partition("\n")[0], REBUILD))
        return None
    return {(key, attempt): digest for key, attempt, digest in rows}


def _whole_index(store: Store, connection: DuckDBPyConnection) -> Iterator[StoreFault]:
    """Read every column once, so that a block with a wrong checksum shows."""
    for table in ("attempts", "items"):
        connection.execute(f"SELECT max(hash(COLUMNS(*))) FROM internal.{table}").fetchall()  # noqa: S608
    row = connection.execute("SELECT count(*) - count(DISTINCT attempt) FROM internal.attempts").fetchone()
    if row and row[0]:
        yield StoreFault(store.index, f"holds {row[0]} attempts twice", REBUILD)


def _record_findings(store: Store, path: Path, file: RecordFile) -> tuple[Record | None, list[StoreFault]]:
    try:
        record = from_json(file.content, path.name)
    except StoreError as error:
        return None, [StoreFault(path, str(error), REMOVE)]
    found = []
    if key_of(record.canonical) != record.key:
        found.append(StoreFault(path, "its key is not the hash of its task", REMOVE))
    if (record.key, record.attempt) != (file.key, file.attempt):
        found.append(StoreFault(path, f"says it is {record.key}/{record.attempt}", REMOVE))
    beside = store.iterations_file(file.key, file.attempt)
    if record.provenance.measured_iterations and not beside.exists():
        found.append(StoreFault(beside, "is gone: the iteration times of a record", REMOVE))
    items = store.items_file(file.key, file.attempt)
    if record.items and not items.exists():
        found.append(StoreFault(items, "is gone: the items of a record's evaluations", REMOVE))
    return record, found


def _finished(record: Record) -> tuple[str, str]:
    """Orders attempts as the view ``results`` does."""
    return record.provenance.finished_at, record.attempt


def _checkpoint_findings(store: Store, left: Mapping[str, Record]) -> Iterator[StoreFault]:
    """Files that are not those of the last attempt, by key, that left any."""
    for key, record in left.items():
        for path, what in store.checkpoints.damage(key, record.files):
            yield StoreFault(path, what, AGAIN)


def _code_findings(store: Store, names: Iterable[str]) -> Iterator[StoreFault]:
    """Code sets that are gone or do not hash to their name."""
    for name in sorted(names):
        try:
            store.code_sets.read(name)
        except RecordDamaged as damaged:
            yield StoreFault(store.code_sets.file(name), damaged.message, RESTORE)


def _table_findings(store: Store) -> Iterator[StoreFault]:
    """Tables that cannot be read, and files that no record belongs to."""
    import duckdb

    with duckdb.connect() as connection:
        for path in sorted(store.attempt_files()):
            if path.name.endswith(TEMPORARY):
                yield StoreFault(path, "was left unfinished, or is just being written", COLLECT)
            elif path.suffix == ".parquet":
                if not store.record_of(path).exists():
                    yield StoreFault(path, "belongs to no record", COLLECT)
                try:
                    connection.execute(f"SELECT * FROM read_parquet({literal(str(path))})").fetchall()  # noqa: S608
                except duckdb.Error as error:
                    yield StoreFault(path, f"cannot be read: {str(error).partition(chr(10))[0]}", REMOVE)
