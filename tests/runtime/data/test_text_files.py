"""Text files as people have them: each is read as it stands there, or refused in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest
from effdsl_runtime.data.batches import held_out_windows
from effdsl_runtime.data.codec import LibraryCodec, make, token_bytes
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.data.text_files import DataError, pieces, texts
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from effdsl.data import BPE, JSONL, ByteTokenizer, LocalText, Parquet

MARK = "<|endoftext|>"


def silent(_: str) -> None:
    """Nobody listens."""


def parquet(path: Path, *rows: str | None) -> Path:
    """A file with these rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t (text VARCHAR)")
        connection.executemany("INSERT INTO t VALUES (?)", [[row] for row in rows])
        target = str(path).replace("'", "''")
        connection.execute(f"COPY t TO '{target}' (FORMAT parquet)")
    return path


@pytest.mark.parametrize("name", ["part[1].parquet", "part*.parquet", "part?.parquet", "text=1/a.parquet"])
def test_a_name_is_no_pattern(tmp_path: Path, name: str) -> None:
    """Whatever characters a file's name has, that file is read and no other."""
    parquet(tmp_path / "part1.parquet", "another")
    own = parquet(tmp_path / name, "own")
    assert list(texts(Parquet(str(own)), own)) == ["own"]


def test_every_file_is_read_once_however_many_patterns_name_it(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    data = LocalText([str(tmp_path / "a.txt"), str(tmp_path / "*.txt")]).resolve()
    assert [Path(path).name for path in data.paths] == ["a.txt", "b.txt"]


def test_files_that_change_while_they_are_read_make_no_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is cached under a hash is what has that hash."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"text": f"{n}"}) + "\n" for n in range(200)), encoding="utf-8")
    data = JSONL(str(file), held_out_fraction=0.3, tokenizer=ByteTokenizer()).resolve()

    def edit(_: str) -> None:
        with file.open("a", encoding="utf-8") as more:
            more.write('{"text": "more"}\n')

    with pytest.raises(DataError, match="plan the study again"):
        prepare(data, edit)
    assert not list((tmp_path / "cache").rglob("facts.json"))


@pytest.mark.parametrize("context", [1, 7, 64])
def test_a_byte_is_a_byte_in_any_language_at_any_context(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, context: int
) -> None:
    """Windows cut characters, and documents are short: a byte token stands for one byte all the same."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "a.jsonl"
    words = ("".join(chr(0x4E00 + 37 * n % 9000 + i) for i in range(9)) for n in range(300))
    file.write_text("".join(json.dumps({"text": word}) + "\n" for word in words), encoding="utf-8")
    corpus = prepare(JSONL(str(file), held_out_fraction=0.3, tokenizer=ByteTokenizer()).resolve(), silent)
    targets = held_out_windows(corpus, context, 1000)[:, 1:]
    assert corpus.bytes_of(targets.ravel()) == targets.size
    assert corpus.bytes_per_token == 1


@pytest.mark.slow
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=5))
def test_tokens_stand_for_the_bytes_of_their_text(documents: list[str]) -> None:
    """The sum over any cut of the tokens is the length of the whole text in bytes."""
    codec = make(BPE(vocab_size=300), documents)
    for text, ids in zip(documents, codec.encode(documents), strict=True):
        assert codec.bytes_v[np.array(ids, dtype=int)].sum() == len(text.encode())
    assert codec.bytes_v[codec.separator] == 0


def test_tokens_of_another_spelling_stand_for_their_bytes_too() -> None:
    """A low line is a space, and ``<0x0A>`` a byte, as sentencepiece spells them."""
    vocabulary = {"\u2581hello": 0, "<0x0A>": 1, "é": 2, "</s>": 3}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="é"))  # noqa: S106
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(["</s>"])
    assert token_bytes(tokenizer).tolist() == [6, 1, 2, 0]
    assert LibraryCodec(tokenizer).separator == 3


@pytest.mark.parametrize("tokenizer", [BPE(vocab_size=400), ByteTokenizer()], ids=str)
def test_what_stands_in_a_text_is_never_the_mark_between_texts(tokenizer: BPE | ByteTokenizer) -> None:
    """Documentation of tokenizers may name the mark, and a text may hold any character."""
    text = f"before {MARK} after \x00 and \xff{MARK}"
    codec = make(tokenizer, [text * 9])
    (ids,) = codec.encode([text])
    assert codec.separator not in list(ids)
    assert codec.decode([*ids, codec.separator]) == text


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not JSON"),
        ('{"body": 3}', "has no field 'text'; it has 'body'; say field="),
        ("[1]", "is an array, not an object"),
        ("3", "is a number, not an object"),
        ('{"text": null}', "'text' is null, not text"),
        ('{"text": ["a", "b"]}', "'text' is an array, not text"),
        ('{"text": "hello \\ud83d world"}', "'text' has half of a character"),
    ],
)
def test_a_line_that_is_no_text_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f'{{"text": "good"}}\n{line}\n', encoding="utf-8")
    with pytest.raises(DataError) as refused:
        list(texts(JSONL(str(path)), path))
    assert f"{path}:2" in str(refused.value)
    assert said in str(refused.value)


@pytest.mark.parametrize(("written", "query"), [('[\n {"text": "a"}\n]', ".[]"), ('{\n "text": "a"\n}', ".")])
def test_json_that_is_not_in_lines_is_told_what_makes_lines_of_it(
    tmp_path: Path, written: str, query: str
) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        list(texts(JSONL(str(path)), path))
    assert f"jq -c '{query}' 't.jsonl'" in str(refused.value)


@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE"])
@pytest.mark.parametrize("kind", [LocalText, JSONL])
def test_another_encoding_is_named_with_what_converts_it(
    tmp_path: Path, kind: type[LocalText | JSONL], encoding: str
) -> None:
    path = tmp_path / "t"
    path.write_bytes(('\ufeff{"text": "é"}').encode(encoding))
    with pytest.raises(DataError, match=f"is {encoding}, not UTF-8; `iconv -f {encoding} -t UTF-8`"):
        list(texts(kind(str(path)), path))


@pytest.mark.parametrize("kind", [LocalText, JSONL])
def test_bytes_that_are_no_utf8_are_named_with_their_line(
    tmp_path: Path, kind: type[LocalText | JSONL]
) -> None:
    path = tmp_path / "latin"
    path.write_bytes(b'{"text": "a"}\n{"text": "caf\xe9"}\n')
    with pytest.raises(DataError, match=r"latin:2 is not UTF-8: byte 0xe9"):
        list(texts(kind(str(path)), path))


@pytest.mark.parametrize("kind", [LocalText, JSONL])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, kind: type[LocalText | JSONL]) -> None:
    path = tmp_path / "t"
    path.write_bytes(b"\xef\xbb\xbf" + b'{"text": "a"}')
    (text,) = texts(kind(str(path)), path)
    assert text in ("a", '{"text": "a"}')


def test_a_null_in_a_column_is_named_with_its_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "t.parquet", "a", None, "c")
    with pytest.raises(DataError, match=r"t\.parquet: row 2 of 'text' is null"):
        list(texts(Parquet(str(path)), path))


@given(st.text("ab \n\r", max_size=300), st.integers(1, 400), st.integers(1, 9))
def test_pieces_are_the_text_and_never_longer_than_promised(part: str, times: int, size: int) -> None:
    """Whatever there is to cut at: every piece but the last has 8,192 to 16,384 characters."""
    text = part * times
    chunks = [text[start : start + 1000 * size] for start in range(0, len(text), 1000 * size)]
    cut = list(pieces(chunks))
    assert "".join(cut) == text
    assert all(8192 <= len(piece) <= 16_384 for piece in cut[:-1])
    assert not cut or len(cut[-1]) <= 16_384


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("a" * 9000 + "\n\n" + "b" * 20_000, "\n\n"),
        ("a" * 9000 + "\n" + "b" * 20_000, "\n"),
        ("a b" + "c" * 9000 + " " + "d" * 20_000, " "),
        ("a" * 40_000, "a"),
    ],
    ids=["paragraph", "line", "space", "character"],
)
def test_a_piece_ends_with_the_best_that_there_is(text: str, end: str) -> None:
    assert next(pieces([text])).endswith(end)


def test_a_text_without_line_breaks_is_trained_on_and_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As text8 is: one line of 160,000 characters."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "text8"
    file.write_text(" ".join(f"word{n}" for n in range(18_000)), encoding="utf-8")
    data = LocalText(str(file), held_out_fraction=0.2, tokenizer=ByteTokenizer()).resolve()
    facts = prepare(data, silent).facts
    assert facts.train_tokens > facts.held_out_tokens > 0
