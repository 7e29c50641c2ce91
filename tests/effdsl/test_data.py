"""Declarations of data: what is in their key, and what their mistakes say."""

from __future__ import annotations

import hashlib
from pathlib import Path

import attrs
import pytest

from effdsl.data import (
    BPE,
    JSONL,
    SHAKESPEARE_WORKS,
    ByteTokenizer,
    Data,
    FineWebEdu,
    HubTokenizer,
    LocalText,
    Parquet,
    Shakespeare,
)
from effdsl.declare import Invalid
from effdsl.key import canonical_json
from effdsl.problems import StudyError


@pytest.fixture
def two_files(tmp_path: Path) -> Path:
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_text("two\n")
    return tmp_path


def test_revision_is_the_hash_of_the_hashes_of_the_files(two_files: Path) -> None:
    """The revision of local files can be computed with sha256sum alone."""
    digests = b"".join(hashlib.sha256(text).digest() for text in (b"one\n", b"two\n"))
    data = LocalText(str(two_files / "*.txt")).resolve()
    assert data.revision == hashlib.sha256(digests).hexdigest()


def test_where_files_lie_is_not_in_the_key(two_files: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same content under other names and folders has the same canonical form."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name, other in (("a.txt", "x.md"), ("b.txt", "y.md")):
        (elsewhere / other).write_bytes((two_files / name).read_bytes())
    here = LocalText(str(two_files / "*.txt")).resolve()
    there = LocalText([elsewhere / "x.md", elsewhere / "y.md"]).resolve()
    assert canonical_json(here) == canonical_json(there)


def test_content_is_in_the_key(two_files: Path) -> None:
    """One changed byte is another key, and so is text moved across the end of a file."""
    before = canonical_json(LocalText(str(two_files / "*.txt")).resolve())
    (two_files / "a.txt").write_text("one\nt")
    (two_files / "b.txt").write_text("wo\n")
    assert canonical_json(LocalText(str(two_files / "*.txt")).resolve()) != before


def test_resolving_twice_changes_nothing(two_files: Path) -> None:
    """A resolved declaration resolves to itself."""
    once = JSONL(str(two_files / "a.txt"), field="body").resolve()
    assert once.resolve() == once


def test_a_pinned_revision_refuses_other_files(two_files: Path) -> None:
    """A revision that was written down refuses files with another hash, and says both."""
    pinned = LocalText(str(two_files / "a.txt"), revision="0" * 64)
    with pytest.raises(Invalid, match=r"not those of revision='0000.*their hash is '[0-9a-f]{64}'"):
        pinned.resolve()


def test_paths_become_absolute(two_files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker in another folder finds the files that a relative pattern named when the plan was made."""
    monkeypatch.chdir(two_files)
    assert LocalText("*.txt").resolve().paths == (str(two_files / "a.txt"), str(two_files / "b.txt"))


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that does not exist is named, with the folder in which it was looked for."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Invalid, match=r"nope\.txt: no such file") as caught:
        LocalText("nope.txt").resolve()
    assert str(tmp_path) in caught.value.hint


def test_a_folder_is_refused_with_a_pattern(tmp_path: Path) -> None:
    """A folder is no file; the message shows the pattern to write."""
    with pytest.raises(Invalid, match="is a folder") as caught:
        LocalText(tmp_path).resolve()
    assert f"{tmp_path}/*.txt" in caught.value.hint


def test_order_of_held_out_works_is_not_in_the_key() -> None:
    """Held-out works are a set: order and repetition change nothing."""
    one = Shakespeare(held_out_works=("sonnets", "hamlet"))
    other = Shakespeare(held_out_works=["hamlet", "sonnets", "hamlet"])
    assert canonical_json(one) == canonical_json(other)


@pytest.mark.parametrize(
    "other",
    [
        Shakespeare(tokenizer=BPE(4096)),
        Shakespeare(tokenizer=ByteTokenizer()),
        Shakespeare(held_out_works="hamlet"),
        FineWebEdu(),
        FineWebEdu(sample="sample-10BT"),
        FineWebEdu(revision="87f0914"),
        FineWebEdu(tokenizer=HubTokenizer(revision="060db64")),
    ],
    ids=str,
)
def test_what_changes_the_tokens_changes_the_key(other: Data) -> None:
    """Tokenizer, split, sample and revision are all in the key."""
    others = {canonical_json(d) for d in (Shakespeare(), FineWebEdu()) if d != other}
    assert canonical_json(other) not in others


def test_a_tokenizer_class_stands_for_its_defaults() -> None:
    """``BPE`` may be written for ``BPE()``."""
    assert LocalText("a.txt", tokenizer=BPE) == LocalText("a.txt", tokenizer=BPE())


def test_vocabulary_is_that_of_the_tokenizer() -> None:
    """Embedding rows: 256 for bytes, what was asked of a BPE, Qwen2.5's padded 151,936."""
    assert [d.vocab_size for d in (Shakespeare(ByteTokenizer()), Shakespeare(), FineWebEdu())] == [
        256,
        2048,
        151_936,
    ]


def test_only_the_vocabulary_of_the_default_tokenizer_is_known() -> None:
    """Written out or not, Qwen2.5's is one declaration; any other id takes what it is given."""
    assert canonical_json(HubTokenizer()) == canonical_json(HubTokenizer(vocab_size=151_936))
    assert HubTokenizer("gpt2", vocab_size=50_257).vocab_size == 50_257


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: Shakespeare(held_out_works="hamlt"), "no work 'hamlt'\n.*did you mean 'hamlet'"),
        (lambda: Shakespeare(held_out_works=()), "holds out 0 of 42 works"),
        (lambda: Shakespeare(held_out_works=SHAKESPEARE_WORKS), "holds out 42 of 42 works"),
        (lambda: Shakespeare(tokenizer="bpe"), "is not a tokenizer\n.*BPE"),
        (lambda: Shakespeare(revision="main"), "unknown keyword 'revision'"),
        (lambda: BPE(256), "at least 257"),
        (lambda: LocalText([]), "names no file"),
        (lambda: Parquet("a.parquet", held_out_fraction=0), "between 0 and 1"),
        (lambda: JSONL("a.jsonl", held_out_fraction=1.0), "between 0 and 1"),
        (lambda: FineWebEdu(sample="sample-350B"), "allowed: 'sample-10BT'"),
        (lambda: HubTokenizer("gpt2"), "vocab_size= is missing for 'gpt2'.*\n.*vocab_size=\\.\\.\\."),
        (lambda: HubTokenizer("Qwen/Qwen2.5-7B"), "vocab_size= is missing"),
        (lambda: HubTokenizer(revision=3), "must be text in quotes"),
        (lambda: JSONL("a.jsonl", field=3), "must be text in quotes"),
        (lambda: Parquet("a.parquet", column=""), "must be text in quotes, not empty"),
        (lambda: LocalText("a.txt", revision=3), "must be text in quotes"),
        (lambda: FineWebEdu(revision=None), "must be text in quotes"),
    ],
)
def test_mistakes_say_what_is_allowed(declare: object, message: str) -> None:
    """Each mistake is refused with the value, what is allowed and the nearest word."""
    with pytest.raises(StudyError, match=message):
        declare()  # type: ignore[operator]


def test_every_field_knows_the_key() -> None:
    """No field of a data class is left unclassified: paths alone stay out of the key."""
    outside = {
        (cls.__name__, field.name)
        for cls in (Shakespeare, LocalText, JSONL, Parquet, FineWebEdu, BPE, ByteTokenizer, HubTokenizer)
        for field in attrs.fields(cls)
        if not field.metadata["effdsl.role"].in_key
    }
    assert outside == {(name, "paths") for name in ("LocalText", "JSONL", "Parquet")}
