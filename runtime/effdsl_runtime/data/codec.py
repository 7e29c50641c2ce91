"""Text to tokens and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import singledispatch
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from effdsl.data import BPE, ByteTokenizer, HubTokenizer
from effdsl_runtime.data.text_files import DataError

TOKENIZER_FILE = "tokenizer.json"
END_OF_TEXT = "<|endoftext|>"
ENDS_OF_TEXT = (END_OF_TEXT, "<|end_of_text|>", "</s>", "<eos>")
SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
BYTE = re.compile("<0x[0-9A-F]{2}>")
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""What a token never crosses: Qwen2's rule, as is the normal form. Its decoder is the usual one here, and
transformers cuts text for it in this way whatever a checkpoint's tokenizer says."""
Lengths = npt.NDArray[np.int64]
Tokens = npt.NDArray[np.integer[Any]]


class Codec(Protocol):
    """A tokenizer that is ready to use.

    Attributes:
        separator: the token that stands between documents. Nothing that stands in a text becomes it.
        bytes_v: of each token of the vocabulary, the bytes of text that it stands for.
    """

    separator: int
    bytes_v: Lengths

    def encode(self, texts: Sequence[str]) -> list[Sequence[int]]:
        """The tokens of each text."""

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of ``tokens``, without separators."""

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json``, from which ``load``, and transformers, make it again."""

    def described(self, context_length: int) -> dict[str, Any]:
        """What ``tokenizer_config.json`` says of it beside a model of that context."""


class ByteCodec:
    """One token per byte. Between documents stands the byte 0xFF, which is in no UTF-8; it counts as a byte
    of text, so that a token is a byte whatever the text."""

    separator = 0xFF
    bytes_v = np.ones(256, np.int64)

    def encode(self, texts: Sequence[str]) -> list[Sequence[int]]:
        """The bytes of each text."""
        return [text.encode() for text in texts]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text; bytes that are no UTF-8 become the replacement character."""
        return bytes(int(token) for token in tokens if token != self.separator).decode(errors="replace")

    def save(self, folder: Path) -> None:
        """Write a byte-level BPE without merges: a token is the character that stands for its byte."""
        characters = bytes_to_unicode() | {self.separator: END_OF_TEXT}
        bpe = tokenizers.Tokenizer(models.BPE({characters[byte]: byte for byte in range(256)}, []))
        bpe.add_special_tokens([END_OF_TEXT])
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        bpe.decoder = decoders.ByteLevel()
        write(bpe, folder)

    def described(self, context_length: int) -> dict[str, Any]:
        return described(END_OF_TEXT, context_length)


class LibraryCodec:
    """A tokenizer of the ``tokenizers`` library."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        self._tokenizer = tokenizer
        tokenizer.encode_special_tokens = True  # the mark's name, where it stands in a text, is text
        known = (tokenizer.token_to_id(name) for name in ENDS_OF_TEXT)
        separator = next((token for token in known if token is not None), None)
        if separator is None:
            raise DataError(f"the tokenizer has no end-of-text token ({', '.join(ENDS_OF_TEXT)})")
        self.separator: int = separator
        self.bytes_v = token_bytes(tokenizer)

    def encode(self, texts: Sequence[str]) -> list[Sequence[int]]:
        """The tokens of each text, without marks at its ends."""
        encodings = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text, without special tokens."""
        return str(self._tokenizer.decode([int(token) for token in tokens], skip_special_tokens=True))

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json``."""
        write(self._tokenizer, folder)

    def described(self, context_length: int) -> dict[str, Any]:
        end = self._tokenizer.id_to_token(self.separator)
        assert end is not None  # noqa: S101  it was looked up by its name
        return described(end, context_length)


def write(tokenizer: tokenizers.Tokenizer, folder: Path) -> None:
    """Write ``tokenizer.json``; by Python, which takes every name of a folder."""
    (folder / TOKENIZER_FILE).write_text(tokenizer.to_str(pretty=True), encoding="utf-8")


def described(end_of_text: str, context_length: int) -> dict[str, Any]:
    """A tokenizer of transformers that does what ``tokenizer.json`` says, and ends text with this token."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": end_of_text,
        "eos_token": end_of_text,
        "model_max_length": context_length,
        "clean_up_tokenization_spaces": False,
    }


def bytes_to_unicode() -> dict[int, str]:
    """The character by which byte-level tokenizers spell each byte: its own where that can be seen, else one
    from 256 upward, in order (Radford et al. 2019, GPT-2's encoder)."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in seen]
    return {byte: chr(byte) for byte in seen} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def token_bytes(tokenizer: tokenizers.Tokenizer) -> Lengths:
    """Bytes of text that each token stands for; none for special tokens.

    A byte-level tokenizer spells every byte as a character; others spell a space as a low line, and a byte
    that they have no token for as ``<0xNN>``.
    """
    is_byte_level = isinstance(tokenizer.decoder, decoders.ByteLevel)
    special = {added.content for added in tokenizer.get_added_tokens_decoder().values() if added.special}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    bytes_v = np.zeros(max(vocabulary.values(), default=-1) + 1, np.int64)
    for spelled, token in vocabulary.items():
        if spelled in special:
            continue
        if is_byte_level:
            bytes_v[token] = len(spelled)
        else:
            bytes_v[token] = 1 if BYTE.fullmatch(spelled) else len(spelled.replace(SPACE, " ").encode())
    return bytes_v


@singledispatch
def make(tokenizer: object, training_texts: Iterable[str]) -> Codec:
    """The codec of a tokenizer declaration; ``training_texts`` is read only where there is one to train.

    Raises:
        DataError: when a published tokenizer cannot be loaded.
    """
    raise DataError(f"nothing here makes the tokenizer {tokenizer}")


@make.register
def _(tokenizer: ByteTokenizer, training_texts: Iterable[str]) -> Codec:
    return ByteCodec()


@make.register
def _(tokenizer: BPE, training_texts: Iterable[str]) -> Codec:
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=tokenizer.vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    bpe.train_from_iterator(training_texts, trainer)
    return LibraryCodec(bpe)


@make.register
def _(tokenizer: HubTokenizer, training_texts: Iterable[str]) -> Codec:
    try:
        return LibraryCodec(tokenizers.Tokenizer.from_pretrained(tokenizer.id, revision=tokenizer.revision))
    except DataError:
        raise
    except Exception as error:  # the hub's client raises what its HTTP library raises
        raise DataError(
            f"the tokenizer {tokenizer.id} (revision {tokenizer.revision}) cannot be loaded: {error}\n"
            "Run where https://huggingface.co can be reached, or train one on the data: "
            "tokenizer=BPE(vocab_size=...)"
        ) from error


def load(tokenizer: object, folder: Path) -> Codec:
    """The codec that was saved in ``folder``."""
    if isinstance(tokenizer, ByteTokenizer):
        return ByteCodec()
    return LibraryCodec(tokenizers.Tokenizer.from_str((folder / TOKENIZER_FILE).read_text(encoding="utf-8")))
