"""From record files to the index: read in Python, parsed by DuckDB, many at once.

Files are handed over as one long string, one record a line, because a list of strings costs DuckDB's
Python client 0.1 ms an element.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import attrs

from effdsl_registry.files import quoted
from effdsl_registry.records import FORMAT, Curve, Identity, Provenance, Record
from effdsl_registry.schema import transaction

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 5_000
LINE = "\n"
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
    """The text of a record file, its digest, and the key and attempt that its path names."""

    key: str
    attempt: str
    sha256: str
    text: str


def read_record_file(path: Path) -> RecordFile:
    """Read a record file, without looking at what it says."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        content = os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
    text = content.decode(errors="replace").strip().replace(LINE, " ")  # in JSON a bare newline is space
    return RecordFile(path.parent.name, path.stem, hashlib.sha256(content).hexdigest(), text)


def insert_files(connection: DuckDBPyConnection, paths: Iterable[Path]) -> int:
    """Index record files that are not indexed yet; returns how many. A damaged one is logged and left out."""
    return sum(_insert_batch(connection, batch) for batch in _batches(paths))


def _batches(paths: Iterable[Path]) -> Iterator[list[RecordFile]]:
    rest = iter(paths)
    while chunk := list(islice(rest, BATCH)):
        yield [read_record_file(path) for path in chunk]


def _insert_batch(connection: DuckDBPyConnection, batch: Sequence[RecordFile]) -> int:
    lines = [
        LINE.join(getattr(file, name) for file in batch) for name in ("key", "attempt", "sha256", "text")
    ]
    with transaction(connection):
        connection.execute(_PARSE, [*lines, _record_type()])
        for key, attempt in connection.execute(_DAMAGED).fetchall():
            log.warning("records/%s/%s/%s.json is damaged and left out", key[:2], key, attempt)
        inserted = connection.execute(_insert()).fetchone()
        connection.execute(_INSERT_CODE)
        connection.execute("DROP TABLE parsed")
    return int(inserted[0]) if inserted else 0


_PARSE = f"""
CREATE TEMP TABLE parsed AS
WITH lines AS (
    SELECT
        unnest(string_split($1, chr(10))) AS path_key,
        unnest(string_split($2, chr(10))) AS path_attempt,
        unnest(string_split($3, chr(10))) AS record_sha256,
        unnest(string_split($4, chr(10))) AS text
),
records AS (
    SELECT * EXCLUDE (text), CASE WHEN json_valid(text) THEN from_json(text, $5) END AS r FROM lines
)
SELECT
    *,
    sha256(array_to_string(list_sort(map_entries(r.provenance.code)), ',')) AS code,
    coalesce(
        r.format = {FORMAT} AND r.key = path_key AND r.attempt = path_attempt AND r.cell IS NOT NULL
        AND r.lineage IS NOT NULL AND r.canonical IS NOT NULL AND r.outcome IS NOT NULL
        AND r.evidence IS NOT NULL AND r.identity IS NOT NULL AND r.provenance IS NOT NULL,
        false
    ) AS whole
FROM records
"""  # noqa: S608 - a number of ours

_DAMAGED = "SELECT path_key, path_attempt FROM parsed WHERE NOT whole"

_INSERT_CODE = """
INSERT INTO internal.code
SELECT code, entry.key, entry.value
FROM (
    SELECT code, unnest(map_entries(any_value(r.provenance.code))) AS entry
    FROM parsed WHERE whole GROUP BY code
)
WHERE code NOT IN (SELECT code FROM internal.code)
"""


@cache
def _insert() -> str:
    """The statement that turns parsed records into rows, generated from the classes of a record."""
    own = [f.name for f in attrs.fields(Record) if f.name not in ("format", "identity", "provenance")]
    columns = {name: f"r.{quoted(name)}" for name in own}
    columns |= {f.name: f"r.identity.{quoted(f.name)}" for f in attrs.fields(Identity)}
    columns |= {f.name: f"r.provenance.{quoted(f.name)}" for f in attrs.fields(Provenance)}
    columns |= {"code": "code", "record_sha256": "record_sha256"}
    columns |= {name: f"CAST({columns[name]} AS TIMESTAMP)" for name in ("started_at", "finished_at")}
    selected = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in columns.items())
    return f"""
        INSERT INTO internal.attempts BY NAME
        SELECT {selected} FROM parsed
        WHERE whole AND path_attempt NOT IN (SELECT attempt FROM internal.attempts)
        QUALIFY row_number() OVER (PARTITION BY path_attempt) = 1
    """  # noqa: S608 - names of our own fields


@cache
def _record_type() -> str:
    return json.dumps(_sql_type(Record))


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
