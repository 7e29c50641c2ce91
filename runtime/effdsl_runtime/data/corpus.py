"""A corpus on disk: two token files, the tokenizer, and a few facts about them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import attrs
import numpy as np
import numpy.typing as npt

from effdsl_runtime.data.cached_text import FACTS_FILE
from effdsl_runtime.data.codec import Codec, Tokens

TRAIN_FILE = "train.bin"
HELD_OUT_FILE = "held_out.bin"


@attrs.frozen
class CorpusFacts:
    """What is known of a corpus once it has been written.

    Attributes:
        train_tokens: tokens of the training part.
        held_out_tokens: tokens of the held-out part.
        bytes_per_token: bytes of text per held-out token, the marks between documents among the tokens.
        unigram_entropy: entropy in nats of the distribution of the training tokens: the loss of a
            model that has learned how frequent each token is and nothing else.
    """

    train_tokens: int
    held_out_tokens: int
    bytes_per_token: float
    unigram_entropy: float


@attrs.frozen
class Corpus:
    """Text as tokens, memory-mapped: 1-D arrays of uint16, or uint32 for a large vocabulary."""

    train: Tokens
    held_out: Tokens
    tokenizer: Codec
    facts: CorpusFacts

    @property
    def bytes_per_token(self) -> float:
        """Bytes of UTF-8 per held-out token."""
        return self.facts.bytes_per_token

    @property
    def unigram_entropy(self) -> float:
        """Entropy of the distribution of the training tokens, in nats per token."""
        return self.facts.unigram_entropy

    def bytes_of(self, tokens: Tokens) -> int:
        """Bytes of text that ``tokens`` stand for: those of the tokens' own byte strings, whatever a window
        has cut in two."""
        return int(self.tokenizer.bytes_v[tokens].sum())


class TokenFile:
    """Writes one part of a corpus and counts as it goes."""

    def __init__(self, path: Path, vocab_size: int) -> None:
        self._dtype = token_dtype(vocab_size)
        self._file = path.open("wb")
        self.counts_v: npt.NDArray[np.int64] = np.zeros(vocab_size, np.int64)

    @property
    def tokens(self) -> int:
        """Tokens written."""
        return int(self.counts_v.sum())

    def append(self, tokens: Iterable[int]) -> None:
        """Add a document.

        Raises:
            ValueError: when a token does not fit the vocabulary.
        """
        array = np.fromiter(tokens, np.int64)
        if array.size and array.max() >= self.counts_v.size:
            raise ValueError(f"token {array.max()} is outside a vocabulary of {self.counts_v.size}")
        self.counts_v += np.bincount(array, minlength=self.counts_v.size)
        self._file.write(array.astype(self._dtype).tobytes())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())


def token_dtype(vocab_size: int) -> np.dtype[Any]:
    """The smallest type that holds every token."""
    return np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)


def entropy(counts: npt.NDArray[np.int64]) -> float:
    """Entropy in nats of the distribution of ``counts``."""
    p = counts[counts > 0] / counts.sum()
    return float(-(p * np.log(p)).sum())


def write_facts(folder: Path, facts: CorpusFacts) -> None:
    """Write the facts; a folder without them is no corpus."""
    (folder / FACTS_FILE).write_text(json.dumps(attrs.asdict(facts), indent=1), "utf-8")


def read_facts(folder: Path, vocab_size: int) -> CorpusFacts | None:
    """The facts of the corpus in ``folder``; None where there is none, or its files are not whole."""
    try:
        facts = CorpusFacts(**json.loads((folder / FACTS_FILE).read_text("utf-8")))
        width = token_dtype(vocab_size).itemsize
        whole = (folder / TRAIN_FILE).stat().st_size == facts.train_tokens * width
        whole &= (folder / HELD_OUT_FILE).stat().st_size == facts.held_out_tokens * width
    except (OSError, ValueError, TypeError):
        return None
    return facts if whole else None
