"""Reads the texts of a file, each as it stands there. What cannot be read is named by file and line."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterable, Iterator
from functools import singledispatch
from pathlib import Path

from effdsl.data import JSONL, Data, Files, LocalText, Parquet
from effdsl.outside import readable
from effdsl_runtime.data.cached_text import PIECE

ROWS = 1024
CHUNK = 1 << 16  # characters
LONGEST = 2 * PIECE
UTF8_MARK = b"\xef\xbb\xbf"
OTHER_MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32LE",
    b"\x00\x00\xfe\xff": "UTF-32BE",
    b"\xff\xfe": "UTF-16LE",
    b"\xfe\xff": "UTF-16BE",
}
PARAGRAPH = re.compile(r"(?:\r\n|\r|\n)[^\S\r\n]*(?:\r\n|\r|\n)")
LINE = re.compile(r"\r\n|\r|\n")
SPACE = re.compile(r"\s")
JSON_KINDS = {str: "text", dict: "an object", list: "an array", type(None): "null", bool: "a boolean"}


class DataError(RuntimeError):
    """The text cannot be had here; the message says what to do."""


@singledispatch
def texts(data: Files, path: Path) -> Iterator[str]:
    """The texts of one of the files of ``data``, a document each; a byte-order mark is no text.

    Raises:
        DataError: for what is no text, with file and line or row, and what to do.
    """
    raise DataError(f"nothing here reads {type(data).__name__}")


def said_with_files(data: Data) -> str:
    """``data`` in words, and which files they are, where they are files."""
    if not isinstance(data, Files):
        return str(data)
    first, *others = data.paths
    return f"{data} ({first}{f' and {len(others):,} more' if others else ''})"


@texts.register
def _(data: LocalText, path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        try:
            yield from pieces(iter(lambda: file.read(CHUNK), ""))
        except UnicodeDecodeError:
            raise DataError(not_utf8(path)) from None


@texts.register
def _(data: JSONL, path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix(UTF8_MARK) if number == 1 else line
            try:
                text = line.decode()
            except UnicodeDecodeError:
                raise DataError(not_utf8(path)) from None
            if text.strip():
                yield _field(text, data.field, path, number)


@texts.register
def _(data: Parquet, path: Path) -> Iterator[str]:
    import duckdb

    column = '"' + data.column.replace('"', '""') + '"'
    query = f"SELECT {column} FROM read_parquet(?, hive_partitioning = false)"  # noqa: S608  quoted
    try:  # a name is not a pattern, and a folder called key=value no column
        rows = duckdb.connect().execute(query, [glob.escape(readable(str(path)))])
    except duckdb.Error as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from None
    number = 0
    while batch := rows.fetchmany(ROWS):
        for (text,) in batch:
            number += 1
            if not isinstance(text, str):
                found = "null" if text is None else type(text).__name__
                raise DataError(
                    f"{path}: row {number:,} of {data.column!r} is {found}, not text; leave such rows out"
                )
            yield text


def _field(line: str, field: str, path: Path, number: int) -> str:
    """The text of a line of JSON."""
    place = f"{path}:{number}"
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place} is not JSON: {error}{as_lines(line, path, number)}") from None
    if not isinstance(row, dict):
        raise DataError(f"{place} is {kind_of(row)}, not an object{as_lines(line, path, number)}")
    if field not in row:
        raise DataError(
            f"{place} has no field {field!r}; it has {', '.join(map(repr, row)) or 'none'}; say field=..."
        )
    return checked_text(row[field], field, place)


def checked_text(value: object, field: str, place: str) -> str:
    """The text that stands under ``field`` in a line of JSON.

    Raises:
        DataError: when it is no text, or has half of a character in it.
    """
    if not isinstance(value, str):
        raise DataError(f"{place}: {field!r} is {kind_of(value)}, not text; correct the line or leave it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"{place}: {field!r} has half of a character, {value[error.start]!r}; correct the line"
        ) from None
    return value


def as_lines(line: str, path: Path, number: int) -> str:
    """What makes lines of JSON that is not written in lines."""
    start = line.lstrip()[:1]
    if number > 1 or start not in ("[", "{"):
        return ""
    name = path.name.replace("'", "'\\''")
    what, query = ("a JSON array", ".[]") if start == "[" else ("JSON over several lines", ".")
    return f"; if it is {what}, `jq -c '{query}' '{name}' > lines.jsonl` makes lines of it"


def kind_of(value: object) -> str:
    return JSON_KINDS.get(type(value), "a number")


def not_utf8(path: Path) -> str:
    """Which line of a file is not UTF-8, and what it may be instead."""
    content = path.read_bytes()
    for mark, encoding in OTHER_MARKS.items():
        if content.startswith(mark):
            return f"{path} is {encoding}, not UTF-8; `iconv -f {encoding} -t UTF-8` converts it"
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return (
            f"{path}:{line} is not UTF-8: byte 0x{content[error.start]:02x}; "
            "`iconv -f LATIN1 -t UTF-8` converts it, if that is what it is"
        )
    return f"{path} changed while it was read; run again"


def pieces(chunks: Iterable[str]) -> Iterator[str]:
    """Text in pieces of 8,192 to 16,384 characters, the last perhaps shorter: cut at the first end of a
    paragraph, else at the last line, else at the last white space, else at the last character."""
    rest = ""
    for chunk in chunks:
        rest += chunk
        while len(rest) > LONGEST:
            cut = _cut(rest)
            yield rest[:cut]
            rest = rest[cut:]
    while len(rest) > PIECE:
        found = PARAGRAPH.search(rest, PIECE - 1)
        cut = found.end() if found else len(rest)
        yield rest[:cut]
        rest = rest[cut:]
    if rest:
        yield rest


def _cut(text: str) -> int:
    """Where the first piece of ``text``, which is longer than a piece, ends."""
    if found := PARAGRAPH.search(text, PIECE - 1, LONGEST):
        return found.end()
    for separator in (LINE, SPACE):
        if ends := [match.end() for match in separator.finditer(text, PIECE, LONGEST)]:
            return ends[-1]
    return LONGEST
