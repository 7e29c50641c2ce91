"""Makes a corpus once and finds it again: cached by content, safe when two processes want it at once."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from effdsl.data import Data, FineWebEdu
from effdsl_runtime.data import codec as codecs
from effdsl_runtime.data.cached_text import corpus_folder
from effdsl_runtime.data.codec import Codec
from effdsl_runtime.data.corpus import (
    HELD_OUT_FILE,
    TRAIN_FILE,
    Corpus,
    CorpusFacts,
    TokenFile,
    entropy,
    read_facts,
    token_dtype,
    write_facts,
)
from effdsl_runtime.data.sources import Document, documents
from effdsl_runtime.data.text_files import DataError, said_with_files
from effdsl_runtime.taking_long import BEAT_S, Report, beating, locked

BPE_TRAINING_CHARACTERS = 128 * 2**20
STREAM_HELD_OUT_TOKENS = 1 << 18
ENCODED_TOGETHER = 16


def prepare(data: Data, report: Report, tokens: int = 0) -> Corpus:
    """The corpus of resolved ``data``: made where it is not cached yet, then memory-mapped.

    Args:
        data: what ``resolve()`` returned.
        report: is told what goes on at least once a second, from any thread.
        tokens: training tokens wanted; only a stream from a hub is cut off there.

    Raises:
        DataError: when the text or the tokenizer cannot be had, or either part would be empty.
    """
    folder = corpus_folder(data, tokens)
    facts = read_facts(folder, data.vocab_size)
    if facts is None:
        with alone(folder, report):
            facts = read_facts(folder, data.vocab_size) or _make(folder, data, tokens, report)
    dtype = token_dtype(data.vocab_size)
    train, held_out = (np.memmap(folder / name, dtype, "r") for name in (TRAIN_FILE, HELD_OUT_FILE))
    return Corpus(train, held_out, codecs.load(data.tokenizer, folder), facts)


@contextmanager
def alone(folder: Path, report: Report) -> Iterator[None]:
    """Hold the lock of ``folder``; the kernel frees it when the process dies."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = folder.with_suffix(".lock").open("wb")
    except OSError as error:
        raise DataError(
            f"cannot write to the cache {folder.parent}: {error.strerror};"
            " set EFFDSL_CACHE to a folder that can be written"
        ) from None
    with lock, locked(lock, report, "waiting: another process is preparing the same text"):
        yield


@contextmanager
def whole_or_absent(folder: Path) -> Iterator[Path]:
    """A folder to write into beside ``folder``, whose name it takes when it is whole; to be held alone."""
    making = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        yield making
        shutil.rmtree(folder, ignore_errors=True)  # a damaged one; nobody else is here
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _make(folder: Path, data: Data, tokens: int, report: Report) -> CorpusFacts:
    with whole_or_absent(folder) as making:
        codec = _codec(data, report)
        codec.save(making)
        facts = _write(making, data, codec, tokens, report)
        write_facts(making, facts)
    return facts


def _codec(data: Data, report: Report) -> Codec:
    with beating(report, f"tokenizer {data.tokenizer}"):
        return codecs.make(data.tokenizer, _training_texts(data))


def _training_texts(data: Data) -> Iterator[str]:
    """The training part, or its first 134 million characters: a tokenizer learns nothing from more."""
    size = 0
    for text, held_out in documents(data):
        if size >= BPE_TRAINING_CHARACTERS:
            return
        if not held_out:
            size += len(text)
            yield text


def _write(folder: Path, data: Data, codec: Codec, tokens: int, report: Report) -> CorpusFacts:
    with (
        TokenFile(folder / TRAIN_FILE, data.vocab_size) as train,
        TokenFile(folder / HELD_OUT_FILE, data.vocab_size) as held_out,
    ):
        _fill(train, held_out, data, codec, tokens, report)
    for part, name in ((train, "training"), (held_out, "held-out")):
        if not part.tokens:
            raise DataError(
                f"{said_with_files(data)}: the {name} part is empty: documents are held out whole, by a "
                "hash of their text; give more documents, or another held_out_fraction"
            )
    size = int(held_out.counts_v[: codec.bytes_v.size] @ codec.bytes_v[: held_out.counts_v.size])
    return CorpusFacts(train.tokens, held_out.tokens, size / held_out.tokens, entropy(train.counts_v))


def _fill(
    train: TokenFile, held_out: TokenFile, data: Data, codec: Codec, tokens: int, report: Report
) -> None:
    wanted = tokens if isinstance(data, FineWebEdu) else 0
    spoken = 0.0
    there = documents(data)
    while chunk := list(islice(there, ENCODED_TOGETHER)):
        _append(chunk, codec, train, held_out)
        if time.monotonic() - spoken > BEAT_S:
            spoken = time.monotonic()
            report(f"{train.tokens + held_out.tokens:,} tokens of {data}")
        if wanted and train.tokens >= wanted and held_out.tokens >= STREAM_HELD_OUT_TOKENS:
            return


def _append(chunk: list[Document], codec: Codec, train: TokenFile, held_out: TokenFile) -> None:
    for document, ids in zip(chunk, codec.encode([text for text, _ in chunk]), strict=True):
        part = held_out if document.held_out else train
        try:
            part.append([*ids, codec.separator])
        except ValueError as error:
            raise DataError(f"{error}; give the tokenizer a larger vocab_size") from None
