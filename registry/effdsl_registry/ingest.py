"""From record files to the index: read in Python, parsed by DuckDB, many at once.

Records are handed over as one file in memory, one a line: a list of strings would cost DuckDB's Python
client 0.1 ms an element, and opening every file from DuckDB as much.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, BinaryIO, get_args, get_origin, get_type_hints

import attrs

from effdsl.task import ChosenTechnique
from effdsl.workload import Plain
from effdsl_registry.errors import RecordDamaged
from effdsl_registry.files import literal, quoted
from effdsl_registry.layout import Layout, named_by
from effdsl_registry.records import FORMAT, Curve, Identity, Provenance, Record, Row
from effdsl_registry.schema import transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from effdsl_registry.code_sets import CodeSets

BATCH = 10_000
ITEM_FILES = 256  # at a time: a thousand with 12,000 items each would take 2 GB of memory
CHUNK = 1 << 13  # holds most records; a larger buffer costs more than a second read
LONGEST_LINE = 1 << 24
_TIMES = ("started_at", "finished_at")
_TO_SPACE = bytes.maketrans(b"\n\r", b"  ")
# What is rarely asked for stays JSON text and is read by the views: that halves the cost of parsing it.
_SQL_TYPES: dict[Any, str] = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    dict[str, str]: "JSON",
    dict[str, float]: "MAP(VARCHAR, DOUBLE)",
    dict[str, int]: "JSON",
    tuple[str, ...]: "VARCHAR[]",
    dict[str, ChosenTechnique]: "JSON",
    dict[str, Plain]: "JSON",
    dict[str, Curve]: "JSON",
    dict[str, tuple[Row, ...]]: "JSON",
}
log = logging.getLogger("effdsl.store")


@attrs.frozen
class RecordFile:
    """A record file, not yet parsed: where it is, the key and attempt named there, and its content."""

    path: str
    key: str
    attempt: str
    content: bytes

    @property
    def checksum(self) -> int:
        """CRC-32 of the content: tells a file that was changed after it was indexed."""
        return zlib.crc32(self.content)


def read_record_file(path: str) -> RecordFile | None:
    """Read a record file, without looking at what it says; ``None`` when it is not there."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        content = os.read(descriptor, CHUNK)
        while len(content) % CHUNK == 0 and (more := os.read(descriptor, CHUNK)):
            content += more
    finally:
        os.close(descriptor)
    return RecordFile(path, *named_by(path), content)


def insert_files(connection: DuckDBPyConnection, paths: Iterable[str], layout: Layout) -> int:
    """Index record files that are not indexed yet, and their code sets, all or none; then their items.
    Returns how many records are new.

    A file that is not there is left out, a damaged one is logged and left out.
    """
    read = (file for path in paths if (file := read_record_file(path)) is not None)
    with transaction(connection), _memory_file() as memory:
        count = 0
        while batch := list(islice(read, BATCH)):
            count += _insert_batch(connection, batch, memory)
        _insert_code(connection, layout.code_sets)
    _insert_items(connection, layout)
    return count


def _insert_batch(connection: DuckDBPyConnection, batch: Sequence[RecordFile], memory: BinaryIO) -> int:
    longest = max(len(file.content) for file in batch)
    memory.seek(0)
    memory.writelines(chain.from_iterable(map(_line, batch)))
    memory.truncate()
    given = {"path": f"/proc/self/fd/{memory.fileno()}", "longest": max(LONGEST_LINE, longest + CHUNK)}
    inserted = connection.execute(_insert(), given).fetchone()
    count = int(inserted[0]) if inserted else 0
    if count < len(batch):  # some were known, or are damaged
        whole = set(connection.execute(_whole_lines(), given).fetchall())
        for file in batch:
            if (file.key, file.attempt) not in whole:
                log.warning("%s is damaged and left out", file.path)
    return count


def _insert_code(connection: DuckDBPyConnection, code_sets: CodeSets) -> None:
    """Index the code sets that records name and that are not indexed yet."""
    for (name,) in connection.execute(_NEW_CODE).fetchall():
        try:
            modules = code_sets.read(name)
        except RecordDamaged as damaged:
            log.warning("%s: %s", code_sets.file(name), damaged)
        else:
            connection.execute(_INSERT_CODE, [name, json.dumps(modules)])


def _insert_items(connection: DuckDBPyConnection, layout: Layout) -> None:
    """Index the items of records that have some and are indexed without them. One file that is damaged keeps
    no other out."""
    import duckdb

    files = [layout.items_file(key, attempt) for key, attempt in connection.execute(_NO_ITEMS).fetchall()]
    there = iter([str(file) for file in files if file.exists()])
    while some := list(islice(there, ITEM_FILES)):
        try:
            _insert_item_files(connection, some)
        except duckdb.Error:
            for file in some:
                try:
                    _insert_item_files(connection, [file])
                except duckdb.Error as error:
                    log.warning("%s is damaged and left out: %s", file, str(error).partition("\n")[0])


def _insert_item_files(connection: DuckDBPyConnection, files: Sequence[str]) -> None:
    with transaction(connection):
        connection.execute(_INSERT_ITEMS, [files])


def _line(file: RecordFile) -> tuple[bytes, bytes | memoryview, bytes]:
    """A line of JSON in three parts: what the path says and the checksum, around the record itself."""
    text: bytes | memoryview = file.content
    if file.content.find(b"\n") == len(text) - 1:
        text = memoryview(text)[:-1]
    else:  # an editor was here: space in JSON is space
        text = file.content.translate(_TO_SPACE)
    start = b'{"path_key":"%s","path_attempt":"%s","checksum":%d,"r":'
    return start % (file.key.encode(), file.attempt.encode(), file.checksum), text, b"}\n"


def _memory_file() -> BinaryIO:
    """A file that exists in memory only; written over, it keeps its pages."""
    return os.fdopen(os.memfd_create("effdsl-records"), "wb", buffering=1 << 20)


_NEW_CODE = """
SELECT DISTINCT code FROM internal.attempts
WHERE code <> '' AND code NOT IN (SELECT code FROM internal.code)
"""

_INSERT_CODE = """
INSERT INTO internal.code
SELECT $1, entry.key, entry.value
FROM (SELECT unnest(map_entries(CAST($2::JSON AS MAP(VARCHAR, VARCHAR)))) AS entry)
"""

_NO_ITEMS = """
SELECT key, attempt FROM internal.attempts
WHERE items <> '{}' AND attempt NOT IN (SELECT attempt FROM internal.items)
"""

_INSERT_ITEMS = """
INSERT INTO internal.items
SELECT
    split_part(parse_filename(filename), '.', 1) AS attempt, evaluation,
    list(item ORDER BY item), list(value ORDER BY item), list(weight ORDER BY item)
FROM read_parquet($1, filename = true)
GROUP BY attempt, evaluation
"""


@cache
def _insert() -> str:
    """The statement that turns lines into rows, generated from the classes of a record."""
    own = [f.name for f in attrs.fields(Record) if f.name not in ("format", "identity", "provenance")]
    columns = {name: f"r.{quoted(name)}" for name in own}
    columns |= {f.name: f"r.identity.{quoted(f.name)}" for f in attrs.fields(Identity)}
    columns |= {f.name: f"r.provenance.{quoted(f.name)}" for f in attrs.fields(Provenance)}
    columns |= {"checksum": "checksum"}
    columns |= {name: f"TRY_CAST({columns[name]} AS TIMESTAMP)" for name in _TIMES}
    selected = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return f"""
        INSERT INTO internal.attempts BY NAME
        SELECT {selected} FROM {_lines()}
        WHERE {_whole()} AND path_attempt NOT IN (SELECT attempt FROM internal.attempts)
    """  # noqa: S608 - names of our own fields


@cache
def _whole_lines() -> str:
    """The statement that names the lines whose file is a record. A line that is no JSON is all NULL."""
    return f"SELECT path_key, path_attempt FROM {_lines()} WHERE {_whole()}"  # noqa: S608 - as above


@cache
def _lines() -> str:
    columns = {"path_key": "VARCHAR", "path_attempt": "VARCHAR", "checksum": "BIGINT", "r": _sql_type(Record)}
    listed = ", ".join(f"{name}: {literal(sql)}" for name, sql in columns.items())
    options = "ignore_errors = true, maximum_object_size = $longest"
    return f"read_ndjson($path, columns = {{{listed}}}, {options})"


@cache
def _whole() -> str:
    """Whether a line is a record, and the one that its path says: what has no default is there."""
    required = [
        f"{place}.{quoted(field.name)} IS NOT NULL"
        for place, cls in (("r", Record), ("r.identity", Identity), ("r.provenance", Provenance))
        for field in attrs.fields(cls)
        if field.default is attrs.NOTHING
    ]
    times = [f"TRY_CAST(r.provenance.{name} AS TIMESTAMP) IS NOT NULL" for name in _TIMES]
    others = [
        f"r.format = {FORMAT} AND r.key = path_key AND r.attempt = path_attempt AND r.evidence IS NOT NULL",
        "length(r.provenance.code) IN (0, 64)",
    ]
    return f"coalesce({' AND '.join([*others, *times, *required])}, false)"


def _sql_type(python_type: Any) -> str:
    """The type of a column that holds values of a Python type."""
    if attrs.has(python_type):
        hints = get_type_hints(python_type)
        fields = (
            f"{quoted(field.name)} {_sql_type(hints[field.name])}" for field in attrs.fields(python_type)
        )
        return f"STRUCT({', '.join(fields)})"
    if python_type in _SQL_TYPES:
        return _SQL_TYPES[python_type]
    optional = [option for option in get_args(python_type) if option is not type(None)]
    if get_origin(python_type) is not None and len(optional) == 1:
        return _sql_type(optional[0])
    raise TypeError(f"no SQL type for {python_type}")
