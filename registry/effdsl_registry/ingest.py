"""From record files to the index: read in Python, parsed by DuckDB, many at once.

Records are handed over as one file in memory, one a line: a list of strings would cost DuckDB's Python
client 0.1 ms an element, and opening every file from DuckDB as much.
"""

from __future__ import annotations

import json
import logging
import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import attrs

from effdsl_registry.files import quoted
from effdsl_registry.records import FORMAT, Curve, Identity, Provenance, Record
from effdsl_registry.schema import transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 10_000
CHUNK = 1 << 16
SHORTEST_BUFFER = 2_000_000
_TO_SPACE = bytes.maketrans(b"\t\r\n\0", b"    ")
_SQL_TYPES: dict[Any, Any] = {
    str: "VARCHAR",
    int: "BIGINT",
    float: "DOUBLE",
    bool: "BOOLEAN",
    dict[str, str]: "MAP(VARCHAR, VARCHAR)",
    dict[str, float]: "MAP(VARCHAR, DOUBLE)",
    tuple[str, ...]: ["VARCHAR"],
    Curve: [["DOUBLE"]],
}
log = logging.getLogger("effdsl.store")


@attrs.frozen
class RecordFile:
    """A record file, not yet parsed: its content, and the key and attempt that its path names."""

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
    _, key, name = path.rsplit("/", 2)
    return RecordFile(key, name.removesuffix(".json"), content)


def insert_files(connection: DuckDBPyConnection, paths: Iterable[str]) -> int:
    """Index record files that are not indexed yet, all or none; returns how many are new.

    A file that is not there is left out, a damaged one is logged and left out.
    """
    read = (file for path in paths if (file := read_record_file(path)) is not None)
    with transaction(connection):
        count = 0
        while batch := list(islice(read, BATCH)):
            count += _insert_batch(connection, batch)
    return count


def _insert_batch(connection: DuckDBPyConnection, batch: Sequence[RecordFile]) -> int:
    longest = max(len(file.content) for file in batch)
    with _in_memory(b"".join(map(_line, batch))) as path:
        connection.execute(_PARSE, [path, max(SHORTEST_BUFFER, 3 * longest + CHUNK), _record_type()])
    for key, attempt in connection.execute(_DAMAGED).fetchall():
        log.warning("records/%s/%s/%s.json is damaged and left out", key[:2], key, attempt)
    inserted = connection.execute(_insert()).fetchone()
    if new_code := connection.execute(_NEW_CODE).fetchall():
        connection.execute(_INSERT_CODE, [[attempt for (attempt,) in new_code]])
    connection.execute("DROP TABLE parsed")
    return int(inserted[0]) if inserted else 0


def _line(file: RecordFile) -> bytes:
    """Key, attempt, checksum and text between tabs."""
    text = file.content
    bare = text.isascii() and b"\t" not in text and b"\r" not in text
    if not bare or text.find(b"\n") != len(text) - 1:
        text = _one_line(text)
    return b"%s\t%s\t%d\t%s" % (file.key.encode(), file.attempt.encode(), file.checksum, text)


def _one_line(text: bytes) -> bytes:
    """What another hand wrote: in JSON a bare tab or newline is space; what is no text stops nobody."""
    return text.translate(_TO_SPACE).decode(errors="replace").encode() + b"\n"


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """The path of a file that exists in memory only."""
    descriptor = os.memfd_create("effdsl-records")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


# Parsed once into a table: DuckDB would parse the text again for each use of a field.
_PARSE = """
CREATE TEMP TABLE parsed AS
SELECT path_key, path_attempt, checksum, TRY(from_json(text, $3)) AS r
FROM read_csv(
    $1, max_line_size = $2, delim = chr(9), quote = '', escape = '', header = false, auto_detect = false,
    columns = {'path_key': 'VARCHAR', 'path_attempt': 'VARCHAR', 'checksum': 'BIGINT', 'text': 'VARCHAR'}
)
"""

_WHOLE = f"""
coalesce(
    r.format = {FORMAT} AND r.key = path_key AND r.attempt = path_attempt AND r.cell IS NOT NULL
    AND r.lineage IS NOT NULL AND r.canonical IS NOT NULL AND r.outcome IS NOT NULL
    AND r.evidence IS NOT NULL AND r.identity IS NOT NULL AND r.provenance IS NOT NULL,
    false
)
"""

_DAMAGED = f"SELECT path_key, path_attempt FROM parsed WHERE NOT {_WHOLE}"  # noqa: S608 - a number of ours

_CODE = "md5(r.provenance.code)"

_NEW_CODE = """
SELECT any_value(attempt) FROM internal.attempts
WHERE code NOT IN (SELECT code FROM internal.code) GROUP BY code
"""

_INSERT_CODE = f"""
INSERT INTO internal.code
SELECT code, entry.key, entry.value
FROM (
    SELECT {_CODE} AS code, unnest(map_entries(r.provenance.code::MAP(VARCHAR, VARCHAR))) AS entry
    FROM parsed WHERE path_attempt IN (SELECT unnest($1))
)
"""  # noqa: S608 - texts of ours


@cache
def _insert() -> str:
    """The statement that turns parsed records into rows, generated from the classes of a record."""
    own = [f.name for f in attrs.fields(Record) if f.name not in ("format", "identity", "provenance")]
    columns = {name: f"r.{quoted(name)}" for name in own}
    columns |= {f.name: f"r.identity.{quoted(f.name)}" for f in attrs.fields(Identity)}
    columns |= {f.name: f"r.provenance.{quoted(f.name)}" for f in attrs.fields(Provenance)}
    columns |= {"code": _CODE, "checksum": "checksum"}
    columns |= {name: f"CAST({columns[name]} AS TIMESTAMP)" for name in ("started_at", "finished_at")}
    selected = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return f"""
        INSERT INTO internal.attempts BY NAME
        SELECT {selected} FROM parsed
        WHERE {_WHOLE} AND path_attempt NOT IN (SELECT attempt FROM internal.attempts)
    """  # noqa: S608 - names of our own fields


@cache
def _record_type() -> str:
    """The shape of a record for ``from_json``. Code stays text: it is parsed once for many records."""
    shape = _sql_type(Record)
    shape["provenance"]["code"] = "JSON"
    return json.dumps(shape)


def _sql_type(python_type: Any) -> Any:
    """The type of a field in the notation of DuckDB's ``from_json``."""
    if attrs.has(python_type):
        hints = get_type_hints(python_type)
        return {field.name: _sql_type(hints[field.name]) for field in attrs.fields(python_type)}
    if python_type in _SQL_TYPES:
        return _SQL_TYPES[python_type]
    optional = [option for option in get_args(python_type) if option is not type(None)]
    if get_origin(python_type) is not None and len(optional) == 1:
        return _sql_type(optional[0])
    raise TypeError(f"no SQL type for {python_type}")
